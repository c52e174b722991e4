"""Back and forth between two releases on one data_dir, for real: under load, killed in between, Redis too.

    python3 tests/system/rollback.py --old BINARY [--new BINARY] [--rounds N] [--seed N]

Each round another of the two binaries runs on what the other left. At the end every number that was fed must be in the
stream exactly once and in order, both binaries must find the audit log's chain and the spool whole, and the breaker an
operator opened in the first round must still be open. tests/system/upgrade_test.py is what the tests do of this without
an old binary.
"""

import argparse
import pathlib
import random
import signal
import sys
import threading
import time

import support
from delivery_test import Delivery, Story
from release_fixture import move_the_breakers


class Feeder:
    """Feeds numbers all the while; a Redis that is away gets them later."""

    def __init__(self, numbers):
        self._numbers = numbers
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ends.set()
        self._thread.join()

    def _run(self):
        while not self._ends.wait(0.02):
            before = self._numbers.count
            try:
                self._numbers.feed(10)
            except (OSError, ConnectionError, support.RedisError):
                self._numbers.count = before  # to add one again changes nothing


def version_of(binary):
    support.BINARY = binary
    return support.breakwater("--version").stdout.strip()


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    options.add_argument("--old", type=pathlib.Path, required=True, help="the release before")
    options.add_argument("--new", type=pathlib.Path, default=support.BINARY, help="[build/release/breakwater]")
    options.add_argument("--rounds", type=int, default=12, help="changes from one to the other [12]")
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    draw = random.Random(given.seed)
    binaries = [given.old.resolve(), given.new.resolve()]
    print("old: {}, new: {}".format(*map(version_of, binaries)))

    support.BINARY = binaries[0]
    with Story(persistent=True) as story:
        move_the_breakers(story.process)
        with Feeder(story.numbers):
            for number in range(1, given.rounds + 1):
                time.sleep(draw.uniform(0.5, 2))
                outage = draw.random() < 0.4
                if outage:
                    story.redis.kill()
                    time.sleep(draw.uniform(0.1, 1))
                by = draw.choice([signal.SIGKILL, signal.SIGTERM])
                story.process.process.send_signal(by)
                code = story.process.process.wait(20)
                if by == signal.SIGTERM and code != 0:
                    sys.exit(f"round {number}: exit code {code} after SIGTERM")
                spooled = story.told.stream()
                support.BINARY = binaries[number % 2]
                mark = story.restarts()
                if outage:
                    time.sleep(draw.uniform(0.1, 1))
                    story.redis.start()
                story.process.wait_for_log("event=publisher_synced", 20, mark)
                print(f"round {number}: {by.name}{', Redis away' if outage else ''}, {spooled['waiting']} waiting, "
                      f"{spooled['retained']} retained; then {('old', 'new')[number % 2]}", flush=True)
        story.arrived(60)
        Delivery().assert_each_once(story)
        state = story.process.api("GET", "/api/circuit-breaker/status?breaker=orders")[1]["circuit_breaker"]["state"]
        if state != "FORCED_OPEN":
            sys.exit(f"the breaker is {state}")
        story.process.terminate()
        for binary in binaries:
            support.BINARY = binary
            for words in (("audit", "verify"), ("spool", "verify")):
                ended = support.breakwater(*words, "--config", story.process.config)
                print(f"{version_of(binary)}: {' '.join(words)}: {ended.stdout.strip()}")
                if ended.returncode != 0:
                    sys.exit(f"{words} failed: {ended}")
        print(f"{story.numbers.count} numbers, each in the stream once and in order; the breaker is still {state}")


if __name__ == "__main__":
    main()
