"""How much anonymous memory an outage takes while ten million records are spooled, beside before.

In one run, one process: `breakwater replay` of frames that come through a pipe. With Redis up they come slowly first,
then as fast as they are taken (the figure before), and so they go on with Redis stopped, until so many records wait in
the spool (the figure with them): the outage is all that changes in between. RssAnon of /proc/PID/status is what counts:
pages of the spool's file that are mapped belong to the kernel, which takes them back.

The spool is as large as its records (about 16 GB for ten million) and goes when the program ends.

    python3 tests/bench/spool_memory.py [--records N] [--symbols N] [--sync batch|os]
"""

import argparse
import os
import pathlib
import shutil
import statistics
import sys
import threading
import time

from common import (BINARY, MIB, PrivateRedis, Program, entries_added, file_system, frame_lines, spooled, tell,
                    temporary_folder, write_config)

BYTES_A_RECORD = 1600  # in the spool, at most
SLOWLY = 10000  # frames per second
PATIENCE_S = 120  # without progress


class Frames(threading.Thread):
    """Writes frames into the pipe at `path`: slowly until hurry(), until finish() or nobody reads."""

    def __init__(self, path, symbols):
        super().__init__(daemon=True)
        os.mkfifo(path)
        self._path, self._lines = path, frame_lines(symbols)
        self._slowly, self._finished = True, False

    def run(self):
        try:
            with open(self._path, "w") as pipe:
                while not self._finished:
                    pipe.write("".join(next(self._lines) for _ in range(SLOWLY // 100)))
                    if self._slowly:
                        time.sleep(0.01)
        except BrokenPipeError:
            pass

    def hurry(self):
        self._slowly = False

    def finish(self):
        self._finished = True


def anonymous_bytes(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return 1024 * int(status.partition("RssAnon:")[2].split()[0])


def settled(pid):
    """Median over two seconds."""
    samples = []
    for _ in range(40):
        samples.append(anonymous_bytes(pid))
        time.sleep(0.05)
    return statistics.median(samples)


def spool(process, config, records):
    """Waits until as many records wait; returns how many do, and the most anonymous memory meanwhile."""
    most, waiting, asked, progressed = 0, 0, 0.0, time.monotonic()
    while waiting < records:
        if not process.running():
            raise AssertionError(f"breakwater ended after {waiting} records:\n{process.output()[-2000:]}")
        most = max(most, anonymous_bytes(process.pid))
        now = time.monotonic()
        if now - asked > 1:
            before, waiting, asked = waiting, spooled(config), now
            if waiting > before:
                progressed = now
            elif now - progressed > PATIENCE_S:
                raise AssertionError(f"stopped at {waiting} records:\n{process.output()[-2000:]}")
        time.sleep(0.02)
    return waiting, most


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    options.add_argument("--records", type=int, default=10_000_000, help="spooled during the outage [10000000]")
    options.add_argument("--symbols", type=int, default=8, help="on each exchange [8]")
    options.add_argument("--sync", choices=("batch", "os"), default="batch", help="spool.sync [batch]")
    given = options.parse_args()

    max_bytes = max(512 * MIB, BYTES_A_RECORD * given.records)
    with temporary_folder() as folder, PrivateRedis() as redis:
        needed, free = 1.1 * max_bytes + 128 * MIB, shutil.disk_usage(folder).free
        if free < needed:
            sys.exit(f"needs {needed / 1e9:.1f} GB below {folder.parent}, where {free / 1e9:.1f} GB are free; "
                     f"TMPDIR names another folder")
        print(f"needs {needed / 1e9:.1f} GB on {file_system(folder)} while it runs; {BINARY}")
        # Reading the pipe occupies one thread.
        config = write_config(folder, redis, sync=given.sync, max_bytes=max_bytes, process="worker_threads = 3")
        frames = Frames(folder / "frames", given.symbols)
        frames.start()
        with Program("replay", "--config", config, "--frames", folder / "frames", "--speed", "max") as process:
            some = min(500_000, given.records // 10)
            process.wait_for(lambda: entries_added(redis) >= some // 10, 120, f"{some // 10} records reach Redis")
            quiet = settled(process.pid)
            frames.hurry()
            process.wait_for(lambda: entries_added(redis) >= some, 120, f"{some} records reach Redis")
            before = settled(process.pid)
            redis.stop()
            began = time.monotonic()
            waiting, most = spool(process, config, given.records)
            took = time.monotonic() - began
            after = settled(process.pid)
            most = max(most, after)
            frames.finish()
        print(f"{waiting} records spooled in {took:.0f} s; RssAnon {quiet / MIB:.1f} MiB with {SLOWLY} frames a "
              f"second, {before / MIB:.1f} MiB with as many as are taken, {after / MIB:.1f} MiB in the outage")
        print(f"over that with {SLOWLY} frames a second: {after / quiet:.2f}")
        tell(f"anonymous memory with {given.records} records spooled over before", f"{after / before:.2f}",
             f"{after / MIB:.1f} MiB over {before / MIB:.1f} MiB, at most {most / before:.2f} during the outage",
             "at most 1.25")


if __name__ == "__main__":
    main()
