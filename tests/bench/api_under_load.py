"""How soon the API tells the breaker's status while others hold its connections, beside how soon it does alone.

In one run, against one process: a thousand connections that say nothing and fifty that send a byte a second. Those that
the process closes are opened again, at most a hundred a second. Loopback only; everything ends with the run.

    python3 tests/bench/api_under_load.py [--idle N] [--slow N] [--requests N]

BREAKWATER_BINARY names the binary; without it, build/release/breakwater of this repository.
"""

import argparse
import asyncio
import contextlib
import http.client
import pathlib
import resource
import statistics
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
from support import BINARY, Breakwater, PrivateRedis  # noqa: E402

STATUS = "/api/circuit-breaker/status"
GOAL_MEDIAN_MS, GOAL_WORST_MS = 100, 1000
OPENED_A_SECOND = 100
PAUSE_S = 0.02  # between two requests
SLOW_REQUEST = b"GET " + STATUS.encode() + b" HTTP/1.1\r\nHost: localhost\r\nX-Slow: "


class Load:
    """Connections to 127.0.0.1:port, while the block lasts: `idle` that say nothing, `slow` a byte a second."""

    def __init__(self, port, idle, slow):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        needed = idle + slow + 200
        if hard != resource.RLIM_INFINITY and hard < needed:
            raise RuntimeError(f"only {hard} descriptors for {idle + slow} connections")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
        self._port, self._wanted = port, {"idle": idle, "slow": slow}
        self._open = {"idle": 0, "slow": 0}
        self.opened = self.closed = 0  # by us, and by the process
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),), daemon=True)

    def __enter__(self):
        self._thread.start()
        if not self._ready.wait(30):
            raise TimeoutError("the connections could not be opened")
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._main.cancel)
        self._thread.join()
        self._loop.close()

    async def _run(self):
        self._main = asyncio.current_task()
        tasks = set()
        with contextlib.suppress(asyncio.CancelledError):
            at_once = sum(self._wanted.values())
            while True:
                for kind, wanted in self._wanted.items():
                    for _ in range(min(wanted - self._open[kind], at_once)):
                        at_once -= 1
                        self._open[kind] += 1
                        task = asyncio.ensure_future(self._hold(kind))
                        tasks.add(task)
                        task.add_done_callback(tasks.discard)
                await asyncio.sleep(1)
                self._ready.set()
                at_once = OPENED_A_SECOND
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _hold(self, kind):
        writer = None
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            self.opened += 1
            if kind == "idle":
                await reader.read()
            for byte in SLOW_REQUEST + b"x" * 1000 if kind == "slow" else b"":
                writer.write(bytes((byte,)))
                with contextlib.suppress(asyncio.TimeoutError):
                    if not await asyncio.wait_for(reader.read(4096), 1):
                        break
            self.closed += 1
        except OSError:
            self.closed += 1
        finally:
            self._open[kind] -= 1
            if writer:
                writer.close()


def latencies_ms(port, requests):
    """Of requests one after the other, each on a connection of its own: from connecting to the last byte."""
    taken = []
    for _ in range(requests):
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", STATUS)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status != 200:
            raise RuntimeError(f"{answer.status} {text.decode()}")
        taken.append(1000 * (time.monotonic() - began))
        time.sleep(PAUSE_S)
    return taken


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    options.add_argument("--idle", type=int, default=1000, help="connections that say nothing [1000]")
    options.add_argument("--slow", type=int, default=50, help="connections that send a byte a second [50]")
    options.add_argument("--requests", type=int, default=50, help="of each, alone and under load [50]")
    given = options.parse_args()
    with PrivateRedis() as redis, Breakwater(redis.url) as process:
        process.wait_for_log("event=api_listening")
        process.wait_for_log("Connected to Redis")
        print(f"{given.idle} idle connections and {given.slow} of a byte a second; {BINARY}")
        alone = latencies_ms(process.api_port, given.requests)
        with Load(process.api_port, given.idle, given.slow) as load:
            loaded = latencies_ms(process.api_port, given.requests)
            print(f"{load.opened} connections opened, {load.closed} of them closed by the process")
        a, b = statistics.median(loaded), statistics.median(alone)
        print(f"status under load over status alone: {a / b:.2f} ({a:.1f} ms over {b:.1f} ms, "
              f"median of {given.requests}; worst {max(loaded):.1f} ms and {max(alone):.1f} ms)")
        print(f"goal: under load median below {GOAL_MEDIAN_MS} ms, worst below {GOAL_WORST_MS} ms")


if __name__ == "__main__":
    main()
