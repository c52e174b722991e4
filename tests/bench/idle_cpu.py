"""How much of a core a process takes that has nothing to do: `breakwater run` with Redis up and no feeds.

CPU seconds (user and system) by /proc/PID/stat, over seconds of wall time, after the start has settled.

    python3 tests/bench/idle_cpu.py [--seconds N]
"""

import argparse
import os
import pathlib
import time

from common import BINARY, PrivateRedis, spool_table, tell
from support import Breakwater

SETTLE_S = 2


def cpu_s(pid):
    """Of all threads, also those that ended."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # utime and stime


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    options.add_argument("--seconds", type=float, default=20, help="to look at it [20]")
    given = options.parse_args()
    with PrivateRedis() as redis, Breakwater(redis.unix_url, extra=spool_table()) as process:
        process.wait_for_log("event=api_listening")
        process.wait_for_log("Connected to Redis")
        print(f"no feeds, Redis up, the API listening; {BINARY}")
        time.sleep(SETTLE_S)
        began, before = time.monotonic(), cpu_s(process.process.pid)
        time.sleep(given.seconds)
        used, took = cpu_s(process.process.pid) - before, time.monotonic() - began
        tell("CPU of an idle process over one core", f"{100 * used / took:.2f} %", f"{used:.2f} s over {took:.1f} s",
             "below 1 %")


if __name__ == "__main__":
    main()
