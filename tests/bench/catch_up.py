"""How fast records that were spooled while Redis was away reach it, beside what Redis takes at all.

In one run, in turns: frames are replayed while no redis-server runs, until all their records wait in the spool; that
process is killed (-9), Redis started, and `breakwater run` without feeds has nothing to do but to send them, from the
first entry that is seen to the last. Then `redis-benchmark -P 64` with an XADD of the same record, on the same server.

    python3 tests/bench/catch_up.py [--frames N] [--rounds N] [--symbols N] [--sync batch|os]
"""

import argparse
import statistics

from common import (BINARY, MIB, PrivateRedis, Program, arrivals_per_s, file_system, forget, newest_record, records_of,
                    redis_benchmark, spooled, tell, temporary_folder, write_config, write_frames)


def spool(config, frames, records):
    """Replays without Redis, until as many records wait, and dies."""
    with Program("replay", "--config", config, "--frames", frames) as process:
        process.wait_for(lambda: spooled(config) >= records, 600, f"{records} records are spooled")
    if spooled(config) != records:
        raise AssertionError(f"{spooled(config)} records are spooled of {records}")


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    options.add_argument("--frames", type=int, default=600000, help="during the outage [600000]")
    options.add_argument("--rounds", type=int, default=3, help="of each, in turns [3]")
    options.add_argument("--symbols", type=int, default=8, help="on each exchange [8]")
    options.add_argument("--sync", choices=("batch", "os"), default="batch", help="spool.sync [batch]")
    given = options.parse_args()

    records = records_of(given.frames, given.symbols)
    with temporary_folder() as folder, PrivateRedis() as redis:
        frames = folder / "frames.jsonl"
        write_frames(frames, given.frames, given.symbols)
        max_bytes = max(64 * MIB, 1600 * records)
        config = write_config(folder, redis, sync=given.sync, max_bytes=max_bytes)
        print(f"{records} records of {given.symbols} symbols; {BINARY}")
        print(f'spool.sync = "{given.sync}", the spool on {file_system(folder)}')
        caught_up, ceiling = [], []
        for number in range(1, given.rounds + 1):
            redis.stop()
            spool(config, frames, records)
            redis.start()
            with Program("run", "--config", config) as process:
                caught_up.append(arrivals_per_s(process, redis, records))
                process.terminate()
            record = newest_record(redis)
            forget(redis, config)
            ceiling.append(redis_benchmark(redis, record, records))
            print(f"round {number}: catch-up {caught_up[-1]:,.0f}/s, redis-benchmark {ceiling[-1]:,.0f}/s")
        a, b = statistics.median(caught_up), statistics.median(ceiling)
        tell("catch-up after an outage over redis-benchmark -P 64 XADD of the same record", f"{a / b:.2f}",
             f"{a:,.0f}/s over {b:,.0f}/s, median of {given.rounds} rounds", "at least 0.80")


if __name__ == "__main__":
    main()
