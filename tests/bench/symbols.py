"""What a frame costs with 5,000 symbols, beside what it costs with 10.

In one run, on one redis-server, in turns: `breakwater replay` of as many frames of either. The cost is all CPU seconds
(user and system) of the process over its frames.

    python3 tests/bench/symbols.py [--frames N] [--rounds N] [--many N] [--few N]
"""

import argparse
import statistics

from common import (BINARY, FRAMES_OF, PrivateRedis, children_cpu_s, file_system, forget, records_of, replay, tell,
                    temporary_folder, write_config, write_frames)


def cost_us(redis, config, frames, count, symbols):
    """CPU microseconds per frame of one replay."""
    before = children_cpu_s()  # redis-server is not among them: it runs
    told = replay(config, frames)
    used = children_cpu_s() - before
    forget(redis, config)
    if told["records"] != records_of(count, symbols):
        raise AssertionError(f"{count} frames of {symbols} symbols made {told['records']} records")
    return 1e6 * used / count


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    options.add_argument("--frames", type=int, default=400000, help="in each file [400000]")
    options.add_argument("--rounds", type=int, default=3, help="of each, in turns [3]")
    options.add_argument("--many", type=int, default=5000, help="symbols [5000]")
    options.add_argument("--few", type=int, default=10, help="symbols [10]")
    given = options.parse_args()
    with temporary_folder() as folder, PrivateRedis() as redis:
        config = write_config(folder, redis)
        many, few = folder / "many.jsonl", folder / "few.jsonl"
        write_frames(many, given.frames, given.many)
        write_frames(few, given.frames, given.few)
        print(f"{given.frames} frames on {len(FRAMES_OF)} exchanges; the spool on {file_system(folder)}; {BINARY}")
        of_many, of_few = [], []
        for number in range(1, given.rounds + 1):
            of_many.append(cost_us(redis, config, many, given.frames, given.many))
            of_few.append(cost_us(redis, config, few, given.frames, given.few))
            print(f"round {number}: {of_many[-1]:.2f} us a frame with {given.many} symbols, {of_few[-1]:.2f} us with "
                  f"{given.few}")
        a, b = statistics.median(of_many), statistics.median(of_few)
        tell(f"CPU a frame with {given.many} symbols over {given.few}", f"{a / b:.2f}",
             f"{a:.2f} us over {b:.2f} us, median of {given.rounds} rounds", "at most 1.3")


if __name__ == "__main__":
    main()
