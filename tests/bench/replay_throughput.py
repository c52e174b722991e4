"""How fast recorded frames become records in the Redis stream, beside what Redis takes at all.

In one run, on one redis-server, in turns: `breakwater replay --json` of a frames file made here, and
`redis-benchmark -P 64` (its default of 50 clients) with an XADD of the same record. Only the ratio means anything; it
depends little on the machine, the figures behind it a lot.

    python3 tests/bench/replay_throughput.py [--frames N] [--rounds N] [--symbols N] [--sync batch|os]
"""

import argparse
import statistics

from common import (BINARY, FRAMES_OF, MAXLEN, PrivateRedis, file_system, forget, newest_record, redis_benchmark,
                    replay, tell, temporary_folder, write_config, write_frames)


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    options.add_argument("--frames", type=int, default=400000, help="in the file [400000]")
    options.add_argument("--rounds", type=int, default=3, help="of each, in turns [3]")
    options.add_argument("--symbols", type=int, default=8, help="in the file, on each exchange [8]")
    options.add_argument("--sync", choices=("batch", "os"), default="batch", help="spool.sync [batch]")
    given = options.parse_args()

    with temporary_folder() as folder, PrivateRedis() as redis:
        frames = folder / "frames.jsonl"
        write_frames(frames, given.frames, given.symbols)
        config = write_config(folder, redis, sync=given.sync)
        print(f"{given.frames} frames of {given.symbols} symbols on {len(FRAMES_OF)} exchanges, "
              f"{frames.stat().st_size / given.frames:.0f} bytes each; {BINARY}")
        print(f'spool.sync = "{given.sync}", the spool on {file_system(folder)}')
        replayed, ceiling = [], []
        for number in range(1, given.rounds + 1):
            told = replay(config, frames)
            replayed.append(told["records_per_s"])
            record = newest_record(redis)
            forget(redis, config)
            ceiling.append(redis_benchmark(redis, record, told["records"]))
            print(f"round {number}: {told['records']} records, replay {replayed[-1]:,.0f}/s, "
                  f"redis-benchmark {ceiling[-1]:,.0f}/s")
        a, b = statistics.median(replayed), statistics.median(ceiling)
        print(f"record: {len(record) // 2} fields, {sum(map(len, record))} bytes; MAXLEN ~ {MAXLEN}; one redis-server, "
              f"Unix socket; redis-benchmark -P 64 with its default 50 clients")
        tell("replay -> stream over redis-benchmark -P 64 XADD of the same record", f"{a / b:.2f}",
             f"{a:,.0f}/s over {b:,.0f}/s, median of {given.rounds} rounds", "at least 0.80")


if __name__ == "__main__":
    main()
