"""Runs all bench programs one after the other, and shows their results together at the end.

    python3 tests/bench/all.py [--quick] [program ...]

--quick takes tiny numbers, to see that everything works; its figures mean nothing. A program that fails is named, the
others are run all the same; the exit code is 1 then. BREAKWATER_BINARY names the binary; without it,
build/release/breakwater of this repository.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys

FOLDER = pathlib.Path(__file__).resolve().parent
PROGRAMS = {  # and what is given for --quick
    "replay_throughput": "--frames 40000 --rounds 1",
    "raw_throughput": "--entries 40000 --original 4000 --rounds 1",
    "catch_up": "--frames 40000 --rounds 1",
    "spool_memory": "--records 100000",
    "latency": "--seconds 1 --rounds 1 --symbols 100",
    "idle_cpu": "--seconds 3",
    "symbols": "--frames 60000 --rounds 1",
    "parse_cost": "--frames 200 --rounds 1",
    "api_under_load": "--idle 100 --slow 10 --requests 10",
}
RESULT = re.compile(r"^(.+): ([\d.]+(?: %)?) \((.+)\)\ngoal: (.+)$", re.MULTILINE)


def run(program, arguments):
    """The results it printed: what, figure, behind it, goal; empty when it failed. Shows everything as it comes."""
    print(f"--- {program} {' '.join(arguments)}".rstrip(), flush=True)
    command = [sys.executable, str(FOLDER / f"{program}.py"), *arguments]
    unbuffered = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=unbuffered) as process:
        printed = ""
        for line in process.stdout:
            print(line, end="", flush=True)
            printed += line
    return RESULT.findall(printed) if process.returncode == 0 else []


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    options.add_argument("--quick", action="store_true", help="tiny numbers: only whether it works")
    options.add_argument("program", nargs="*", help=f"of {', '.join(PROGRAMS)} [all]")
    given = options.parse_args()
    if unknown := [name for name in given.program if name not in PROGRAMS]:
        options.error(f"there is no {', '.join(unknown)}")
    rows = []
    for program in given.program or PROGRAMS:
        results = run(program, PROGRAMS[program].split() if given.quick else [])
        rows += [(program, *result) for result in results] or [(program, "it failed", "-", "-", "-")]
    print("\n| program | what | figure | behind it | goal |\n| --- | --- | --- | --- | --- |")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    sys.exit(any(what == "it failed" for _, what, *_ in rows))


if __name__ == "__main__":
    main()
