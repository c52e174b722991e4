"""The position monitor is seen by its log, its heartbeats and its stream, also while Redis is dead."""

import os
import pathlib
import tempfile
import unittest

from support import Breakwater, PrivateRedis

HEARTBEAT = "/api/position-monitor/heartbeat"
POSITIONS = "quantum:stream:positions"


class PositionMonitor(unittest.TestCase):
    def start(self, table="", **options):
        self.redis = self.enterContext(PrivateRedis())
        self.process = self.enterContext(
            Breakwater(self.redis.url, extra=f'[position_monitor]\n{table}\n', **options))
        self.process.wait_for_log("event=process_started")
        self.process.wait_for_log("event=redis_connected")

    def folder(self):
        """One of this test alone, gone with it."""
        return pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="breakwater-test-")))

    def told(self):
        """What /health says of the position monitor."""
        return self.process.api("GET", "/health")[1]["position_monitor"]

    def wait_for(self, what, **facts):
        """Waits until /health says so of the position monitor, and returns it."""
        told = {}

        def holds():
            nonlocal told
            told = self.told()
            return all(told[name] == value for name, value in facts.items())

        try:
            self.process.wait_for(holds, 15, what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{told}") from None
        return told

    def problem_of(self, name):
        return {source["name"]: source["problem"] for source in self.told()["sources"]}[name]

    def test_its_log_is_followed_through_rotation_while_redis_is_dead(self):
        folder = self.folder()
        log = folder / "monitor.log"
        log.write_text("order positionSide=BOTH of yesterday\n")
        self.start(f'log_file = "{log}"\nstream = "{POSITIONS}"')
        self.assertEqual((self.told()["status"], self.told()["activities"]), ("UNKNOWN", 0))

        self.redis.cli("XADD", POSITIONS, "*", "positionSide", "BOTH")
        self.wait_for("the stream shows it active", status="HEALTHY", seen_by="stream", activities=1)
        self.redis.kill()
        self.process.wait_for(lambda: self.problem_of("stream"), 30, "the stream cannot be read")

        with log.open("a") as written:
            written.write("order positionSide=BOTH qty=1\n")
            written.flush()
            self.wait_for("a line counts", seen_by="log", activities=2)
            os.rename(log, folder / "monitor.log.1")
            written.write("order positionSide=BOTH behind the rename\n")
        log.write_text("order positionSide=BOTH in the new file\n")
        self.wait_for("both files of a rotation count", activities=4)
        os.truncate(log, 0)
        with log.open("a") as written:
            written.write("positionSide=BOTH\n")
        self.wait_for("a truncated file counts", status="HEALTHY", activities=5)
        self.assertIsNone(self.problem_of("log"))

        with log.open("a") as written:
            written.write("APIError(code=-1022): apiKey=abc&signature=0123 is not valid\n")
        told = self.wait_for("an error counts", status="CHECK_NEEDED", errors=1)
        self.assertEqual(told["last_error"], "APIError(code=-1022): apiKey=***&signature=*** is not valid")
        self.process.wait_for_log(r"WARN +\[POSITION-MONITOR\] .* event=position_error count=1 ")
        self.assertNotIn("0123", self.process.log())
        self.assertEqual(self.process.events("actor_failed"), [])

        self.redis.start()
        self.process.wait_for(lambda: self.redis.cli("CLIENT", "LIST").count("breakwater") > 0, 90, "Redis is back")
        self.redis.cli("XADD", POSITIONS, "*", "positionSide", "BOTH")
        self.process.wait_for(lambda: not self.problem_of("stream"), 90, "the stream is read again")
        self.wait_for("its entry counts", seen_by="stream", activities=6)
        self.assertEqual(self.process.terminate(), 0)

    def test_heartbeats_count_while_redis_is_dead_and_their_end_is_silence(self):
        self.start('silent_after = "2s"')
        told = self.told()
        self.assertEqual(told["status"], "UNKNOWN")
        self.assertIn("no source is configured", told["why"])
        self.redis.kill()
        self.process.wait_for_log("event=redis_lost")
        for body in (None, "", "{}"):
            status, answer = self.process.api("POST", HEARTBEAT, body)
            self.assertEqual((status, answer["status"], answer["position_monitor"]["status"]), (200, "ok", "HEALTHY"))
        told = self.wait_for("it is silent", status="SILENT", activities=3, seen_by="heartbeat")
        self.assertRegex(told["why"], r"^not seen active for \d s$")
        self.process.wait_for_log(r"ERROR \[POSITION-MONITOR\] .* event=position_silent ")
        attention = self.process.api("GET", "/health")[1]["attention"]
        self.assertTrue([line for line in attention if line.startswith("position_monitor: SILENT: ")], attention)
        self.process.api("POST", HEARTBEAT)
        self.assertEqual(self.told()["status"], "HEALTHY")
        self.process.wait_for_log("event=position_seen_again status=HEALTHY seen_by=heartbeat")

    def test_heartbeats_keep_the_rules_of_changing_requests(self):
        token = self.folder() / "token"
        token.write_text("let-me-in\n")
        token.chmod(0o600)
        self.start(api=f'token_file = "{token}"')
        mine = {"Authorization": "Bearer let-me-in"}
        for headers, status in (({}, 401), ({"Authorization": "Bearer wrong"}, 401), (mine, 200),
                                ({**mine, "Origin": "http://other.example"}, 403),
                                ({**mine, "Sec-Fetch-Site": "cross-site"}, 403)):
            with self.subTest(headers=headers):
                self.assertEqual(self.process.api("POST", HEARTBEAT, None, headers)[0], status)
        self.assertEqual(self.process.api("GET", HEARTBEAT)[0], 405)
        self.assertEqual(self.process.api("POST", HEARTBEAT, {"from": "me"}, mine)[0], 400)
        self.assertEqual(self.told()["activities"], 1)

    def test_its_journal_is_read_by_a_child_that_dies_with_the_process(self):
        folder = self.folder()
        bin_folder, pid_file = folder / "bin", folder / "pid"
        bin_folder.mkdir()
        journalctl = bin_folder / "journalctl"
        journalctl.write_text(f'#!/bin/sh\n[ "$*" = "-f -n 0 -o cat -u monitor.service" ] || exit 9\n'
                              f'echo $$ > {pid_file}\necho positionSide=BOTH\nexec sleep 600\n')
        journalctl.chmod(0o755)
        self.start('journal_unit = "monitor.service"', environment={"PATH": f"{bin_folder}:{os.environ['PATH']}"})
        self.wait_for("the journal shows it active", status="HEALTHY", seen_by="log", activities=1)
        child = int(pid_file.read_text())
        self.process.kill()
        before = len(self.process.log())
        self.process.start()
        self.process.wait_for_log("event=process_started", after=before)
        self.wait_for("the next process reads the journal, too", seen_by="log", activities=1)
        self.assertFalse(lives(child))
        child = int(pid_file.read_text())
        self.assertTrue(lives(child))
        self.assertEqual(self.process.terminate(), 0)
        self.assertFalse(lives(child))


def lives(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"  # nobody has waited for a zombie yet
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    unittest.main()
