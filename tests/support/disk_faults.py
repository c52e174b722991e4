"""The tests' side of disk_faults.c: which system calls a process makes on its spool and on its connections to Redis,
at which of them it dies, and whether they fail.

    faults = DiskFaults(folder / "faults", redis.socket_path)
    with Breakwater(redis.unix_url, environment=faults.environment) as process:
        faults.disk_is_full()
        faults.heal()

BREAKWATER_DISK_FAULTS names the library; without it, that of the release build of this repository. Standard library
only.
"""

import errno
import mmap
import os
import pathlib
import struct

LIBRARY = pathlib.Path(os.environ.get(
    "BREAKWATER_DISK_FAULTS",
    pathlib.Path(__file__).resolve().parents[2] / "build/release/tests/system/breakwater_disk_faults.so"))
BEFORE, AFTER, INSIDE = 0, 1, 2
PLACES = {BEFORE: "before", AFTER: "after", INSIDE: "inside"}
_MAGIC = b"bkfault1"
_CALLS, _KILL_AT, _KILL_WHERE, _WATCH, _WRITE_ERROR, _SYNC_ERROR, _FAILED, _KILLED_AT, _TRACE = (
    8, 16, 24, 28, 32, 36, 40, 48, 128)
_SIZE = _TRACE + 64 * 1024
_WATCH_DISK, _WATCH_REDIS = 1, 2


class DiskFaults:
    """`control` is the path of the file that is made for it; `redis` is where the process reaches Redis: the path of
    the Unix socket or (host, port)."""

    def __init__(self, control, redis=None):
        pathlib.Path(control).write_bytes(_MAGIC + bytes(_SIZE - len(_MAGIC)))
        with open(control, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), _SIZE)
        self.environment = {"LD_PRELOAD": str(LIBRARY), "BREAKWATER_FAULTS_CONTROL": str(control)}
        if redis is not None:
            self.environment["BREAKWATER_FAULTS_REDIS"] = (
                ":".join(map(str, redis)) if isinstance(redis, tuple) else str(redis))
        self.watch()

    def watch(self, disk=True, redis=True):
        """Which calls are numbered."""
        self._set("I", _WATCH, _WATCH_DISK * disk + _WATCH_REDIS * redis)

    def reset(self):
        """Nothing fails, nothing is counted so far."""
        self.heal()
        for at in (_CALLS, _FAILED):
            self._set("Q", at, 0)
        self._map[_KILLED_AT:_SIZE] = bytes(_SIZE - _KILLED_AT)

    @property
    def calls(self):
        return self._get("Q", _CALLS)

    @property
    def failed(self):
        """Calls that failed because they were told to."""
        return self._get("Q", _FAILED)

    @property
    def killed_at(self):
        """Name and size of the call the process was killed at; empty when it was not."""
        return self._map[_KILLED_AT:_TRACE].split(b"\0")[0].decode()

    @property
    def trace(self):
        """One letter a call: w write, s sync, t change of size, > send, < receive."""
        return self._map[_TRACE:_TRACE + min(self.calls, _SIZE - _TRACE)].decode()

    def kill_at(self, number, where=BEFORE):
        """SIGKILL before, after or inside the number-th call since reset(). Inside: with the first half written."""
        self._set("I", _KILL_WHERE, where)
        self._set("Q", _KILL_AT, number)

    def disk_is_full(self):
        self._set("I", _WRITE_ERROR, errno.ENOSPC)

    def sync_fails(self):
        self._set("I", _SYNC_ERROR, errno.EIO)

    def heal(self):
        for kind, at in (("I", _WRITE_ERROR), ("I", _SYNC_ERROR), ("Q", _KILL_AT)):
            self._set(kind, at, 0)

    def _set(self, kind, at, value):
        struct.pack_into("=" + kind, self._map, at, value)

    def _get(self, kind, at):
        return struct.unpack_from("=" + kind, self._map, at)[0]
