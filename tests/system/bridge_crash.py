"""Kills breakwater (and now and then Redis, or a second instance) without warning while trade intents come in, and
then accounts for every intent: valid ones once in live_signals and once in the copy, invalid ones once in the dead
letters, duplicates likewise.

    python3 tests/system/bridge_crash.py [--seconds 300] [--seed N]

CTest runs it shorter. The seed is printed, so a failure can be played again.
"""

import argparse
import collections
import contextlib
import json
import random
import sys
import threading
import time

from support import Breakwater, PrivateRedis, wait_until

INTENTS = "quantum:stream:trade.intent"
CONFIG = """
[[bridge]]
to = "copy"
keep = 100000
maxlen = 1000000
max_age = "10m"
claim_after = "1s"
"""
REDIS = 'command_timeout = "500ms"\nbackoff_initial = "20ms"\nbackoff_max = "200ms"\n'


class Producer(threading.Thread):
    """Writes intents until it is told to stop; knows what is to become of each."""

    def __init__(self, redis, rate, randomness):
        super().__init__(daemon=True)
        self.redis, self.rate, self.randomness = redis, rate, randomness
        self.hold = threading.Lock()  # taken while Redis is killed, so that no XADD is in doubt
        self.ending = threading.Event()
        self.valid, self.invalid = [], []
        self.twins = {}  # of two that are the same: the first is valid and the second its duplicate, or the other way
        self.failure = None

    def run(self):
        try:
            while not self.ending.wait(1 / self.rate):
                with self.hold:
                    self.write()
        except Exception as error:  # shown by the main thread
            self.failure = error

    def write(self):
        made = {"symbol": "BTCUSDT", "action": self.randomness.choice(["BUY", "SELL", "CLOSE"]), "confidence": 0.5,
                "timestamp": time.time(), "source": f"s{len(self.valid)}-{len(self.invalid)}"}
        kind = self.randomness.random()
        if kind < 0.15:
            made["confidence"] = 1.05
        key = self.add(made)
        (self.invalid if kind < 0.15 else self.valid).append(key)
        if kind > 0.9:  # two instances may finish them in either order
            twin = self.add(made)
            self.twins[twin] = key
            self.invalid.append(twin)

    def add(self, made):
        return self.redis.cli("XADD", INTENTS, "*", "payload", json.dumps(made))


def account(redis, producer):
    """What is wrong; nothing, if all went as it should."""
    problems = []

    def compare(what, found, expected):
        counts = collections.Counter(found)
        doubled = [key for key, count in counts.items() if count > 1]
        lost, extra = set(expected) - set(counts), set(counts) - set(expected)
        if doubled or lost or extra:
            problems.append(f"{what}: {len(doubled)} doubled, {len(lost)} lost, {len(extra)} too many, such as "
                            f"{[*doubled, *lost, *extra][:3]}")

    sources = lambda stream: [fields["source_id"] for _, fields in redis.entries(stream)]
    signals = [signal["source_id"] for signal in json.loads(redis.cli("GET", "live_signals"))]
    copies, dead = sources("copy"), sources(f"{INTENTS}.dead")
    swapped = {twin: first for twin, first in producer.twins.items() if twin in set(copies)}
    valid = [*(set(producer.valid) - set(swapped.values())), *swapped]
    invalid = [*(set(producer.invalid) - set(swapped)), *swapped.values()]
    compare("copy", copies, valid)
    compare("live_signals", signals, valid)
    compare("dead letters", dead, invalid)
    return problems


def all_finished(redis):
    told = redis.cli("XINFO", "GROUPS", INTENTS)[0]
    group = dict(zip(told[::2], told[1::2]))
    return group["pending"] == 0 and group["last-delivered-id"] == redis.cli("XREVRANGE", INTENTS, "+", "-", "COUNT", 1)[0][0]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rate", type=float, default=60, help="intents a second")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    randomness = random.Random(options.seed)
    with contextlib.ExitStack() as stack:
        redis = stack.enter_context(PrivateRedis(persistent=True))
        instances = [stack.enter_context(Breakwater(
            redis.url, extra=f'[aggregator]\nstream = "merged-{name}"\n{CONFIG}', redis=REDIS,
            process=f'instance = "{name}"')) for name in "ab"]
        producer = Producer(redis, options.rate, random.Random(options.seed + 1))
        producer.start()
        end = time.monotonic() + options.seconds
        kills = collections.Counter()
        while time.monotonic() < end:
            time.sleep(randomness.uniform(0.1, 2.0))
            if randomness.random() < 0.1:
                with producer.hold:
                    redis.kill()
                    time.sleep(randomness.uniform(0, 0.5))
                    redis.start()
                kills["redis"] += 1
            else:
                victim = randomness.choice(instances)
                victim.kill()
                kills["breakwater"] += 1
                if randomness.random() < 0.3:
                    time.sleep(randomness.uniform(0, 1.5))  # the other one claims what it left
                victim.start()
        producer.ending.set()
        producer.join()
        if producer.failure:
            raise producer.failure
        wait_until(lambda: all_finished(redis), 60, "every intent is finished")
        problems = account(redis, producer)
        print(f"{options.seconds:.0f} s, {kills['breakwater']} kills of breakwater and {kills['redis']} of Redis: "
              f"{len(producer.valid)} valid intents, {len(producer.invalid)} invalid")
    for problem in problems:
        print(problem)
    print("every intent was finished exactly once" if not problems else "NOT every intent was finished exactly once")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
