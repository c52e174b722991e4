"""kill -9 at every system call with which breakwater accepts records (writes and syncs of the spool) and has them
acknowledged (what it says to Redis and hears from it): before the call, after it, and with half of it done. After
each kill it starts again, and every number of the raw stream is in the output once and in order.

How many calls there are is counted first. CI takes as many of the places as fit in its time, spread evenly, and others
each day; all of them:

    python3 tests/system/kill_points_test.py --all
"""

import argparse
import concurrent.futures
import contextlib
import json
import pathlib
import signal
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from disk_faults import PLACES, DiskFaults  # noqa: E402
from numbered_input import FOREIGN, NumberedInput  # noqa: E402
from support import STREAM, Breakwater, PrivateRedis, RespClient, breakwater, wait_until  # noqa: E402

OWNER = f"breakwater:{{{STREAM}}}:owner"
SIDE_BY_SIDE = 3
MOST_FAILURES = 10
FIRST, COUNT = 4, 6  # numbers that are there at the start; numbers in all
INPUT = NumberedInput()
REDIS = """
health_interval = "1s"
backoff_initial = "10ms"
backoff_max = "100ms"
"""
SPOOL = """
[spool]
max_bytes = "16MiB"
retain = "{retain}"
[breaker.redis]
open_duration = "50ms"
max_open_duration = "100ms"
[breaker.orders]
result_stream = ""
[health]
interval = "200ms"
answer_within = "150ms"
"""
OPTIONS = argparse.Namespace(all=False, seconds=35.0, offset=None)


class Story:
    """What was before the life that is killed."""

    retain = "10ms"  # acknowledged records are let go of at once, so that this is among the calls too
    foreign = 0      # entries of another writer in the stream
    event = "spool_opened"  # shows that what the story is about took place

    def prepare(self, redis, process):
        pass


class FromNothing(Story):
    """A data_dir that is not there yet, and some input."""


class AnotherWriter(Story):
    """Records wait in the spool, and another writer's entry stands in the stream before them: they get new ids."""

    foreign = 1
    event = "publisher_intruder"

    def prepare(self, redis, process):
        redis.cli("CONFIG", "SET", "min-replicas-to-write", 1)
        process.start()
        wait_until(lambda: spool_of(process).get("waiting") == FIRST, 10, "the records wait in the spool")
        process.kill()
        redis.cli("CONFIG", "SET", "min-replicas-to-write", 0)
        redis.cli("XADD", STREAM, "*", FOREIGN, "another writer")


class OlderRedis(Story):
    """All was acknowledged, and Redis has lost it: it is sent again."""

    retain = "2h"
    event = "publisher_sends_again"

    def prepare(self, redis, process):
        process.start()
        wait_until(lambda: spool_of(process).get("retained") == FIRST, 10, "all is acknowledged")
        process.terminate()
        redis.cli("DEL", STREAM, OWNER)


def spool_of(process):
    """What `spool status` says of the stream; empty before there is one."""
    told = breakwater("spool", "status", "--json", "--config", process.config)
    streams = json.loads(told.stdout)["streams"] if told.returncode == 0 else []
    return streams[0] if streams else {}


class World:
    """A redis-server for many runs, each of which begins with nothing."""

    def __init__(self, stack, story):
        self.redis = stack.enter_context(PrivateRedis())
        self.story = story

    def run(self, number=0, where=0):
        """One life with a kill at call `number`, 0: with none, and the life after it. Returns the number of calls, or
        None when it was killed."""
        with self.fresh_breakwater(number, where) as process:
            self.await_records(process, FIRST)
            self.add(range(FIRST, COUNT))
            self.await_records(process, COUNT)
            if process.running():
                process.wait_for_log("event=process_started", after=process.mark)  # from then on it knows SIGTERM
                process.process.terminate()
            code = process.process.wait(20)
            calls, killed, count = process.faults.calls, code == -signal.SIGKILL, COUNT
            if not killed:
                self.assert_equal(code, 0, "exit code")
                if f"event={self.story.event}" not in process.log():
                    raise AssertionError(f"{self.story.event} did not happen")
            else:
                process.faults.heal()
                process.start()
                self.add([COUNT])  # so that there is something to do also when all was done
                count += 1
                self.await_records(process, count, may_end=False)
                self.assert_equal(process.terminate(), 0, "exit code of the life after it")
            self.assert_equal(INPUT.first_difference(self.redis.entries(STREAM), count), None, "difference")
            verified = breakwater("spool", "verify", "--config", process.config)
            self.assert_equal(verified.returncode, 0, f"exit code of {verified.stdout}{verified.stderr}")
            return None if killed else calls

    def add(self, numbers):
        with RespClient(self.redis.socket_path) as client:
            client.pipeline(*[each for number in numbers for each in INPUT.commands(number)])

    @staticmethod
    def assert_equal(value, expected, what):
        if value != expected:
            raise AssertionError(f"{what}: {value}")

    def await_records(self, process, count, may_end=True):
        entries = count + self.story.foreign
        wait_until(lambda: self.redis.cli("XLEN", STREAM) >= entries or not process.running(), 15,
                   f"{count} records are in the stream")
        if not may_end and not process.running():
            raise AssertionError(f"it ended with {process.process.returncode}")

    @contextlib.contextmanager
    def fresh_breakwater(self, number, where):
        self.redis.cli("FLUSHALL")
        self.add(range(FIRST))
        with FaultyBreakwater(self.redis, self.story, number, where) as process:
            try:
                yield process
            except AssertionError as failed:
                faults = process.faults
                lines = [line for line in process.log().splitlines() if "event=health_reported" not in line]
                raise AssertionError("\n".join([
                    str(failed), f"to be killed {PLACES[where]} call {number} of {faults.trace}: "
                    f"{faults.killed_at or 'it was not'}", *lines[-40:]])) from failed


class FaultyBreakwater(Breakwater):
    """In which the block begins with the life that is killed; the story before it is over."""

    def __init__(self, redis, story, number, where):
        super().__init__(redis.unix_url, extra=INPUT.config + SPOOL.format(retain=story.retain), redis=REDIS)
        self._redis, self._story, self._kill = redis, story, (number, where)
        self.faults = None
        self.mark = 0  # where the log of this life begins

    def start(self):
        if self.faults is None:
            self.faults = DiskFaults(self.folder / "faults", self._redis.socket_path)
            self._environment = self.faults.environment
            self._story.prepare(self._redis, self)
            self.faults.reset()
            self.faults.kill_at(*self._kill)
        self.mark = len(self.log()) if self.process else 0
        super().start()


def spread(items, offset):
    """All items, such that each beginning of the list is spread evenly over them; `offset` chooses where it begins."""
    size = len(items)
    stride = next(each for each in range(max(1, round(size * 0.618)), 2 * size + 2) if _common(each, size) == 1)
    return [items[(offset + at) * stride % size] for at in range(size)]


def _common(one, other):
    while other:
        one, other = other, one % other
    return one


class KillPoints(unittest.TestCase):
    def test_from_nothing(self):
        self.kill_everywhere(FromNothing())

    def test_another_writer(self):
        self.kill_everywhere(AnotherWriter())

    def test_older_redis(self):
        self.kill_everywhere(OlderRedis())

    def kill_everywhere(self, story):
        began = time.monotonic()
        offset = int(time.time() // 86400) if OPTIONS.offset is None else OPTIONS.offset
        with contextlib.ExitStack() as stack:
            worlds = [World(stack, story) for _ in range(SIDE_BY_SIDE)]
            calls = worlds[0].run()
            self.assertGreater(calls, 20, "so few calls cannot be all of them")
            places = spread([(number, where) for number in range(1, calls + 1) for where in PLACES], offset)
            told, failures, lock = [], [], threading.Lock()

            def play(world):
                while len(failures) < MOST_FAILURES:
                    with lock:
                        late = time.monotonic() - began > OPTIONS.seconds and not OPTIONS.all
                        if not places or late:
                            return
                        place = places.pop(0)
                    try:
                        told.append((place, world.run(*place)))
                    except AssertionError as failed:
                        failures.append(str(failed))
            with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
                for done in [pool.submit(play, world) for world in worlds]:
                    done.result()
            if failures:
                self.fail("\n\n".join([f"{len(failures)} failures", *failures]))
            # Behind the last call nothing kills it. How many there are depends on time: beats and reads differ.
            number = calls + 1
            while worlds[0].run(number) is None:
                number += 1
        killed = sum(calls is None for _, calls in told)
        print(f"{type(story).__name__}: {calls} calls, killed at {killed} of {len(PLACES) * calls} places "
              f"(offset {offset}), got through from call {number} on; every number once and in order", file=sys.stderr)
        self.assertGreater(killed, len(told) // 2)


class Retention(unittest.TestCase):
    def test_what_a_kill_left_unacknowledged_and_the_stream_has_is_retained_too(self):
        redis = self.enterContext(PrivateRedis())
        process = self.enterContext(Breakwater(redis.unix_url, extra=INPUT.config + SPOOL.format(retain="2h"),
                                               redis=REDIS))
        add = lambda numbers: [redis.cli(*each) for number in numbers for each in INPUT.commands(number)]
        length = lambda count: wait_until(lambda: redis.cli("XLEN", STREAM) >= count, 10, f"{count} entries")
        add(range(5))
        length(5)
        process.kill()
        # Four more wait, and another writer's entry makes it compare what the stream has.
        redis.cli("SET", OWNER, "another")
        add(range(5, 9))
        process.start()
        in_spool = lambda told: told.get("waiting", 0) + told.get("retained", 0)
        wait_until(lambda: in_spool(spool_of(process)) == 9, 10, "nine records are in the spool")
        process.kill()
        redis.cli("XADD", STREAM, "*", FOREIGN, "another writer")
        redis.cli("DEL", OWNER)
        process.start()
        length(10)
        wait_until(lambda: spool_of(process)["retained"] == 9, 10, "all nine are retained")
        redis.cli("DEL", STREAM, OWNER)
        add([9])
        length(10)
        self.assertIsNone(INPUT.first_difference(redis.entries(STREAM), 10))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--all", action="store_true", help="every place, whatever time it takes")
    parser.add_argument("--seconds", type=float, default=OPTIONS.seconds, help="time for the places that are taken")
    parser.add_argument("--offset", type=int, help="where to begin; else the day")
    OPTIONS, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
