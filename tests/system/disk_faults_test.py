"""The library that the crash tests trust: what it counts, where it kills, what it lets fail, and what it leaves alone.
A small Python process stands for breakwater."""

import contextlib
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from disk_faults import AFTER, BEFORE, INSIDE, DiskFaults  # noqa: E402
from support import environment  # noqa: E402

# It writes ten pages, syncs and writes one more; the same outside of the spool; then it talks to its peer.
SCRIPT = """
import errno, os, socket, sys
folder, peer = sys.argv[1:]
def try_to(what, *words):
    try:
        what(*words)
    except OSError as failed:
        print(what.__name__, errno.errorcode[failed.errno])
for path in (folder + "/spool/data", folder + "/else"):
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    try_to(os.pwrite, file, b"a" * 40960, 0)
    try_to(os.fdatasync, file)
    try_to(os.pwritev, file, [b"b" * 2048, b"c" * 2048], 40960)
    try_to(os.ftruncate, file, 49152)
    try_to(os.posix_fallocate, file, 0, 49152)
talks = socket.socket(socket.AF_UNIX)
talks.connect(peer)
talks.send(b"0123456789")
talks.sendmsg([b"ab", b"cd"])
talks.recv(16)
"""
DISK, ALL = "wswtt", "wswtt>><"


class DiskFaultsTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="breakwater-faults-")))
        (self.folder / "spool").mkdir()
        self.peer = self.folder / "peer"
        self.faults = DiskFaults(self.folder / "control", self.peer)

    @contextlib.contextmanager
    def listening(self):
        """A listener of this run alone: what a killed child has left in the queue must not be taken for the next one."""
        self.peer.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.peer))
            listener.listen()
            listener.settimeout(0.05)
            yield listener

    def run_it(self):
        """(exit code, what failed, what the peer was told)."""
        with self.listening() as listener:
            return self.run_beside(listener)

    def run_beside(self, listener):
        child = subprocess.Popen([sys.executable, "-c", SCRIPT, self.folder, self.peer], stdout=subprocess.PIPE,
                                 text=True, env=environment(**self.faults.environment))
        told = b""
        while child.poll() is None:
            try:
                connection = listener.accept()[0]
            except TimeoutError:
                continue
            with connection:
                while len(told) < 14 and (more := connection.recv(100)):
                    told += more
                with contextlib.suppress(BrokenPipeError):
                    connection.send(b"answer")
                child.wait()
        with child.stdout:
            return child.returncode, child.stdout.read().split("\n")[:-1], told

    def size(self, path="spool/data"):
        file = self.folder / path
        return file.stat().st_size if file.exists() else None

    def test_counts_what_it_watches_and_changes_nothing(self):
        self.assertEqual(self.run_it(), (0, [], b"0123456789abcd"))
        self.assertEqual((self.faults.trace, self.faults.killed_at), (ALL, ""))
        for disk, redis, trace in ((True, False, DISK), (False, True, ">><"), (False, False, "")):
            self.faults.reset()
            self.faults.watch(disk, redis)
            self.assertEqual(self.run_it()[0], 0)
            self.assertEqual(self.faults.trace, trace)

    def test_kills_before_inside_and_after_each_call(self):
        sizes = {1: (0, 20480, 40960), 2: (40960,) * 3, 3: (40960, 40960, 45056), 4: (45056, 45056, 49152),
                 5: (49152,) * 3}
        for number in range(1, len(ALL) + 1):
            for where in (BEFORE, INSIDE, AFTER):
                with self.subTest(number=number, where=where):
                    (self.folder / "spool/data").unlink(missing_ok=True)
                    self.faults.reset()
                    self.faults.kill_at(number, where)
                    code, _, told = self.run_it()
                    self.assertEqual(code, -signal.SIGKILL)
                    self.assertEqual(self.faults.trace, ALL[:number])
                    at = (BEFORE, INSIDE, AFTER).index(where)
                    self.assertEqual(self.size(), sizes.get(number, (49152,) * 3)[at])
                    said = {6: (b"", b"01234", b"0123456789"),
                            7: (b"0123456789", b"0123456789ab", b"0123456789abcd"), 8: (b"0123456789abcd",) * 3}
                    if number in said:
                        self.assertEqual(told, said[number][at])

    def test_a_number_that_is_past_means_the_next_call(self):
        self.run_it()
        self.faults.kill_at(3)
        self.assertEqual(self.run_it()[0], -signal.SIGKILL)
        self.assertEqual(self.faults.trace, ALL + "w")
        self.assertEqual(self.faults.killed_at, "pwrite64 40960")

    def test_a_full_disk_is_full_only_for_the_spool(self):
        self.faults.disk_is_full()
        code, failed, _ = self.run_it()
        self.assertEqual(failed, [f"{name} ENOSPC" for name in ("pwrite", "pwritev", "ftruncate", "posix_fallocate")])
        self.assertEqual((code, self.size(), self.size("else"), self.faults.failed), (0, 0, 49152, 4))
        self.faults.heal()
        self.assertEqual(self.run_it()[:2], (0, []))

    def test_syncs_fail(self):
        self.faults.sync_fails()
        self.assertEqual(self.run_it()[1], ["fdatasync EIO"])
        self.assertEqual(self.size(), 49152)


if __name__ == "__main__":
    unittest.main()
