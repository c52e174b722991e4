"""From a script that writes the stream to breakwater, on the same stream, and back: each step as an operator takes it.

The script of before is a stand-in that does what it did: XADD with ids of the server's making. Its entries and ours
carry numbers, so that one that is lost or there twice shows; a consumer group reads all the while.
"""

import threading
import time
import unittest

from delivery_test import CONFIG, REDIS, Numbers
from numbered_input import FOREIGN, RAW
from support import STREAM, Breakwater, PrivateRedis, RespClient, breakwater, id_key

GROUP = "models"


class Thread:
    """Does step(client) again and again until the block ends, or stop()."""

    def __init__(self, redis):
        self._redis = redis
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._failed = None

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self._ends.set()
        self._thread.join()
        if self._failed:
            raise self._failed

    def _run(self):
        try:
            with RespClient(self._redis.socket_path) as client:
                while not self._ends.is_set():
                    self.step(client)
        except Exception as failed:  # told by stop(), in the thread of the test
            self._failed = failed


class Script(Thread):
    """The writer of before."""

    written = 0  # by all its runs

    def step(self, client):
        client.command("XADD", STREAM, "MAXLEN", "~", 1_000_000, "*", FOREIGN, "script", "number", Script.written)
        Script.written += 1
        time.sleep(0.005)


class Consumer(Thread):
    """One of the trading models: reads its group's new entries and acknowledges them."""

    def __init__(self, redis):
        super().__init__(redis)
        self.ids = []

    def step(self, client):
        found = client.command("XREADGROUP", "GROUP", GROUP, "one", "COUNT", 100, "BLOCK", 50, "STREAMS", STREAM, ">")
        if found:
            ids = [entry for entry, _ in found[0][1]]
            self.ids += ids
            client.command("XACK", STREAM, GROUP, *ids)


class CutOver(unittest.TestCase):
    def setUp(self):
        Script.written = 0
        self.redis = self.enterContext(PrivateRedis())
        self.numbers = Numbers(self.redis)
        self.ours = []  # numbers that are breakwater's to publish
        self.redis.cli("XGROUP", "CREATE", STREAM, GROUP, "0", "MKSTREAM")
        self.consumer = self.enterContext(Consumer(self.redis))

    def script_merges(self, count):
        """Raw entries that the script made its records of; then the operator takes them out of breakwater's sight."""
        self.numbers.feed(count)
        self.redis.cli("XTRIM", RAW, "MAXLEN", 0)

    def feed(self, count):
        """Raw entries that breakwater makes its records of, until they are in the stream."""
        for _ in range(count // 20):
            self.ours += range(self.numbers.count, self.numbers.count + 20)
            self.numbers.feed(20)
            time.sleep(0.02)
        self.process.wait_for(self.arrived, 20, f"number {self.ours[-1]} is in the stream")

    def arrived(self):
        newest = self.redis.cli("XREVRANGE", STREAM, "+", "-", "COUNT", 500)
        return self.ours[-1] in (self.numbers.number_of(dict(zip(flat[::2], flat[1::2]))) for _, flat in newest)

    def check(self):
        """Of everybody's: nothing is lost, nothing is there twice, and the consumer saw each entry once, in order."""
        entries = self.redis.entries(STREAM)
        self.process.wait_for(lambda: self.consumer.ids and self.consumer.ids[-1] == entries[-1][0], 10,
                              "the consumer has read to the end") if self.process.running() else time.sleep(0.5)
        self.assertEqual(self.consumer.ids[:len(entries)], [entry for entry, _ in entries])
        keys = [id_key(entry) for entry, _ in entries]
        self.assertEqual(keys, sorted(set(keys)))
        self.assertEqual(self.numbers.found(entries), self.ours)
        theirs = [int(fields["number"]) for _, fields in entries if FOREIGN in fields]
        self.assertEqual(theirs, list(range(len(theirs))))
        return entries

    def start(self):
        mark = len(self.process.log()) if self.process.folder else 0
        if self.process.folder:
            self.process.start()
        else:
            self.enterContext(self.process)
        self.process.wait_for_log("event=publisher_synced", 10, mark)

    def intruders(self):
        return len(self.process.events("publisher_intruder"))

    def test_there_and_back_and_there_again(self):
        self.process = Breakwater(self.redis.url, redis=REDIS, extra=CONFIG + self.numbers.config)
        with Script(self.redis):
            self.script_merges(100)
            # 1. Both write. Each entry of the script makes the last id a foreign one, which ours are stamped behind.
            self.start()
            self.feed(300)
            self.assertGreater(self.intruders(), 0)
        # 2. The script is stopped, and nothing disturbs any more.
        self.check()
        seen = self.intruders()
        self.feed(200)
        self.check()
        self.assertLessEqual(self.intruders(), seen + 1)  # the script's last entry may have been the last one before
        status, health = self.process.api("GET", "/health")
        self.assertEqual(health["spool"]["level"], "ok", health)

        # 3. Back: breakwater drains, and has nothing left that anybody would miss.
        self.assertEqual(self.process.terminate(), 0)
        status = breakwater("spool", "status", "--json", "--config", self.process.config)
        self.assertIn('"waiting":0', status.stdout.replace(" ", ""))
        before = Script.written
        with Script(self.redis):
            self.script_merges(100)
            time.sleep(0.3)
            # 4. And there again, with the same data_dir: it goes on behind what the script wrote meanwhile.
            self.assertGreater(Script.written, before + 20)
            self.start()
            self.feed(100)
        self.feed(100)
        entries = self.check()
        self.assertEqual(self.process.terminate(), 0)
        theirs = sum(FOREIGN in fields for _, fields in entries)
        self.assertEqual((theirs, len(entries)), (Script.written, Script.written + len(self.ours)))
        group = self.redis.cli("XINFO", "GROUPS", STREAM)[0]
        told = dict(zip(group[::2], group[1::2]))
        self.assertEqual((told["pending"], told["lag"], told["entries-read"]), (0, 0, len(entries)))


if __name__ == "__main__":
    unittest.main()
