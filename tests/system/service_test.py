"""What a service manager hears: when the process is ready, that it lives, how it does, and that it ends."""

import pathlib
import re
import socket
import tempfile
import time
import unittest

from support import Breakwater, PrivateRedis, Simulator, free_port, wait_until

FAST = '[health]\ninterval = "500ms"\nanswer_within = "300ms"\n'
REDIS = 'backoff_initial = "100ms"\nbackoff_max = "200ms"\n'


class Manager:
    """A socket as systemd has one for each service of Type=notify."""

    def __init__(self, stack):
        self._folder = tempfile.TemporaryDirectory(prefix="breakwater-notify-")
        stack.addCleanup(self._folder.cleanup)
        self.path = pathlib.Path(self._folder.name) / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        stack.addCleanup(self._socket.close)
        self._socket.bind(str(self.path))
        self._socket.setblocking(False)
        self._heard = []

    def heard(self):
        """Everything so far: a list of {name: value}."""
        while True:
            try:
                told = self._socket.recv(65536).decode()
            except BlockingIOError:
                return self._heard
            self._heard.append(dict(line.split("=", 1) for line in told.splitlines()))

    def count(self, name):
        return sum(name in told for told in self.heard())

    def status(self):
        return self.heard()[-1]["STATUS"] if self.heard() else ""


class Service(unittest.TestCase):
    def start(self, redis_url, extra="", urls=None, **environment):
        self.manager = Manager(self)
        self.process = self.enterContext(Breakwater(redis_url, urls, FAST + extra, redis=REDIS, environment={
            "NOTIFY_SOCKET": self.manager.path, **environment}))

    def await_ready(self):
        self.process.wait_for(lambda: self.manager.count("READY"), 10, "it says that it is ready")

    def test_it_is_ready_lives_and_ends(self):
        redis = self.enterContext(PrivateRedis())
        exchanges = self.enterContext(Simulator("--interval", "100ms"))
        self.start(redis.url, urls=exchanges.urls)
        self.await_ready()
        self.process.wait_for_log("event=service_ready")
        self.process.wait_for(lambda: re.match(r"ok: [1-9]\d*\.\d records/s, \d+ waiting$", self.manager.status()), 20,
                              "the status tells how it goes")
        alive = self.manager.count("WATCHDOG")
        self.process.wait_for(lambda: self.manager.count("WATCHDOG") > alive + 2, 5, "it says that it lives")
        self.assertEqual(self.process.terminate(), 0)

        heard = self.manager.heard()
        ready = next(i for i, told in enumerate(heard) if "READY" in told)
        stopping = next(i for i, told in enumerate(heard) if "STOPPING" in told)
        self.assertLess(ready, stopping)
        self.assertFalse(any("WATCHDOG" in told for told in heard[:ready]))
        self.assertEqual(self.manager.count("READY"), 1)
        self.assertEqual(heard[stopping]["STATUS"], "stopping: what was taken is drained")
        self.assertEqual(heard[stopping]["EXTEND_TIMEOUT_USEC"], "15000000")  # process.shutdown_timeout, and some
        self.assertEqual(heard[-1]["STATUS"], "stopping: the actors end")
        self.assertNotIn("service_watchdog_short", self.process.log())

    def test_a_redis_that_is_away_is_waited_for_however_long_that_takes(self):
        port = free_port()
        self.start(f"redis://127.0.0.1:{port}/0")
        self.process.wait_for(lambda: self.manager.count("EXTEND_TIMEOUT_USEC") >= 4, 10, "it asks for more time")
        self.assertRegex(self.manager.status(), r"^starting, waits for: redis: Redis is away \(\w+\): .*refused$")
        self.assertEqual((self.manager.count("READY"), self.manager.count("WATCHDOG")), (0, 0))
        with PrivateRedis(port=port):
            self.await_ready()
            # It stays ready: what a manager would do about a Redis that goes away later is nothing.
            alive = self.manager.count("WATCHDOG")
        self.process.wait_for(lambda: self.manager.status().startswith("critical: "), 5, "the status tells of it")
        self.process.wait_for(lambda: self.manager.count("WATCHDOG") > alive + 2, 5, "it lives")
        self.assertEqual(self.process.terminate(), 0)

    def test_an_actor_that_hangs_ends_the_signs_of_life(self):
        redis = self.enterContext(PrivateRedis())
        self.start(redis.url, '[chaos]\nenabled = true\n[supervisor]\ngrace = "2s"\n')
        self.await_ready()
        self.assertEqual(self.process.api("POST", "/api/actors/aggregator/hang")[0], 202)
        wait_until(lambda: "aggregator: no answer" in self.manager.status(), 5, "the status names it")
        alive = self.manager.count("WATCHDOG")
        # Nothing in the process can end it, so the process ends itself; if that hung too, the watchdog would.
        self.assertEqual(self.process.process.wait(10), 1)
        self.assertEqual(self.manager.count("WATCHDOG"), alive)

    def test_a_watchdog_that_is_too_short_is_said(self):
        redis = self.enterContext(PrivateRedis())
        self.start(redis.url, WATCHDOG_USEC=1_000_000)
        said = self.process.wait_for_log(r"event=service_watchdog_short .*needs_ms=(\d+)")
        self.assertEqual(said[1], "1300")
        self.await_ready()


if __name__ == "__main__":
    unittest.main()
