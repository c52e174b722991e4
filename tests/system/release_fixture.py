"""Writes what a release leaves on disk, and Redis beside it, for upgrade_test: with that release's own binary,

    BREAKWATER_BINARY=breakwater-0.1.0 python3 tests/system/release_fixture.py tests/fixtures/releases/0.1.0

It takes mdb_copy (Debian: lmdb-utils).
"""

import json
import pathlib
import shutil
import subprocess
import sys
import time

from delivery_test import OWNER, Story
from numbered_input import RAW
from support import STREAM, id_key, wait_until

RETAINED, WAITING = 40, 30
OPERATOR = {"X-Operator": "operator"}


def post(process, path, **parameters):
    status, answer = process.api("POST", path, parameters, {**OPERATOR, "Content-Type": "application/json"})
    if status != 200:
        raise AssertionError(f"{path}: {status} {answer}")


def move_the_breakers(process):
    """Some history, and the one for orders is left open by an operator."""
    post(process, "/api/circuit-breaker/open?breaker=redis&reason=exercise")
    post(process, "/api/circuit-breaker/reset?breaker=redis&override=true&reason=exercise+over")
    post(process, "/api/circuit-breaker/report?breaker=orders", ok=False, reason="rejected by the exchange")
    post(process, "/api/circuit-breaker/open?breaker=orders&reason=maintenance+of+the+executor")


def seed(redis):
    """Commands that make another Redis what this one is."""
    commands = [["SET", OWNER, redis.cli("GET", OWNER)]]
    for stream in (STREAM, RAW):
        for entry, flat in redis.cli("XRANGE", stream, "-", "+"):
            commands.append(["XADD", stream, entry, *flat])
    return commands


def write(folder):
    with Story(persistent=True, spool='retain = "720h"') as story:
        process = story.process
        move_the_breakers(process)
        wait_until(lambda: process.api("GET", "/health")[1]["breakers"]["redis"]["state"] == "CLOSED", 5, "it is closed")
        story.feed(RETAINED)
        last = story.entries()[-1][0]
        wait_until(lambda: story.told.stream()["acknowledged_id"] == last, 5, "all is acknowledged on disk")
        story.spool_up(WAITING)
        time.sleep(1)  # the rest is written within this
        if process.terminate() != 0:
            raise AssertionError("it did not end well")
        status = story.told.status()
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "data/spool").mkdir(parents=True)
        subprocess.run(["mdb_copy", "-c", process.data_dir / "spool", folder / "data/spool"], check=True)
        for path in process.data_dir.iterdir():
            if path.is_file() and path.stat().st_size > 0 and path.name != "lock":
                shutil.copy(path, folder / "data")
        (folder / "redis.json").write_text("[\n" + ",\n".join(map(json.dumps, seed(story.redis))) + "\n]\n")
        (folder / "status.json").write_text(json.dumps(status, indent=1) + "\n")
        if id_key(status["streams"][0]["last_id"]) <= id_key(last):
            raise AssertionError(f"nothing waits: {status}")


if __name__ == "__main__":
    write(pathlib.Path(sys.argv[1]))
