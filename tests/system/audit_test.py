"""`breakwater audit verify` on logs that a process wrote and somebody else changed."""

import json
import unittest

from support import Breakwater, PrivateRedis, breakwater


class Audit(unittest.TestCase):
    def setUp(self):
        redis = self.enterContext(PrivateRedis())
        self.process = self.enterContext(Breakwater(redis.url))
        self.process.wait_for_log("event=api_listening")
        for reason in ("one", "two", "three"):
            self.process.api("POST", f"/api/circuit-breaker/reset?override=true&reason={reason}")
        self.log = self.process.data_dir / "audit.jsonl"
        self.head = self.process.data_dir / "audit.head"

    def verify(self):
        return breakwater("audit", "verify", "--config", self.process.config)

    def lines(self):
        return self.log.read_text().splitlines(keepends=True)

    def tampered(self, lines, *said):
        before = self.log.read_text(), self.head.read_text()
        self.log.write_text("".join(lines))
        ended = self.verify()
        self.assertEqual(ended.returncode, 1, ended)
        for what in said:
            self.assertIn(f"{self.log}:{what}", ended.stdout)
        self.assertIn("the chain is broken", ended.stdout)
        self.log.write_text(before[0])

    def test_a_log_is_intact_while_it_is_written_and_after_the_process_was_killed(self):
        for _ in range(3):
            ended = self.verify()
            self.assertEqual((ended.returncode, ended.stderr), (0, ""))
            self.assertRegex(ended.stdout, r"audit log \S+/audit.jsonl: \d+ lines, newest is number \d+ of 20\S+Z; "
                                           "the chain is intact\n$")
            self.process.api("POST", "/api/circuit-breaker/reset?override=true&reason=more")
        self.process.kill()
        self.process.start()
        self.process.wait_for_log("event=api_listening", after=len(self.process.log()) - 1)
        self.process.terminate()
        self.assertEqual(self.verify().returncode, 0)

    def test_what_was_changed_removed_or_moved_is_named(self):
        self.process.kill()
        lines = self.lines()
        at = next(i for i, line in enumerate(lines) if '"reason":"two"' in line)
        number = json.loads(lines[at])["number"]
        changed = lines[at].replace('"two"', '"to"')
        self.tampered([*lines[:at], changed, *lines[at + 1:]], f"{at + 1}: number {number} was changed")
        self.tampered([*lines[:at], *lines[at + 1:]], f"{at + 1}: number {number} is missing before it")
        self.tampered([*lines[:at], lines[at + 1], lines[at], *lines[at + 2:]],
                      f"{at + 2}: number {number} stands behind number {number + 1}")
        self.tampered(lines[:-1], f" number {len(lines)} is missing at the end")
        self.tampered([], f" numbers 1 to {len(lines)} are missing at the end")
        self.assertEqual(self.verify().returncode, 0, "as it was written it is fine")

    def test_a_damaged_log_is_said_at_the_next_start_and_the_process_works(self):
        self.process.kill()
        self.log.write_text(self.log.read_text().replace('"two"', '"to"'))
        mark = len(self.process.log())
        self.process.start()
        self.process.wait_for_log("event=audit_broken reason=", 10, mark)
        self.process.wait_for_log("event=api_listening", 10, mark)
        self.assertEqual(self.process.api("POST", "/api/circuit-breaker/reset?override=true&reason=on")[0], 200)

    def test_no_log_and_no_config(self):
        self.process.kill()
        self.log.unlink()
        self.head.unlink()
        ended = self.verify()
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        self.assertIn(": no lines; the chain is intact", ended.stdout)
        ended = breakwater("audit", "verify", "--config", "/nonexistent.toml")
        self.assertEqual(ended.returncode, 2)
        self.assertIn("cannot be read", ended.stderr)


if __name__ == "__main__":
    unittest.main()
