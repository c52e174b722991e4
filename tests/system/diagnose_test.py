"""`breakwater diagnose` against what operators meet: each is found, with the command to run, and nothing secret is told."""

import json
import os
import pathlib
import struct
import subprocess
import tempfile
import unittest

from support import (BINARY, REPOSITORY, Breakwater, PrivateRedis, breakwater, in_own_mounts, own_mounts_are_permitted, wait_until)

RECORDS = "quantum:stream:exchange.normalized"
CONFIG = """
[[bridge]]
[health]
interval = "200ms"
answer_within = "200ms"
[breaker.redis]
failure_threshold = 2
"""
REDIS = 'command_timeout = "500ms"\nbackoff_initial = "50ms"\nbackoff_max = "300ms"\n'
CLOCK_SHIFT = os.environ.get("BREAKWATER_CLOCK_SHIFT",
                             str(REPOSITORY / "build/release/tests/system/breakwater_clock_shift.so"))
MOUNTS = unittest.skipUnless(own_mounts_are_permitted(), "this user may not mount")


class Diagnose(unittest.TestCase):
    def start(self, *redis_arguments, api="", redis_table="", extra=CONFIG, **redis_options):
        redis_options.setdefault("persistent", True)
        self.redis = self.enterContext(PrivateRedis(*redis_arguments, **redis_options))
        self.process = self.enterContext(Breakwater(self.redis.url, extra=extra, redis=REDIS + redis_table, api=api))
        self.settled()

    def settled(self):
        def well():
            try:
                return self.process.api("GET", "/health")[1]["status"] == "ok"
            except OSError:
                return False
        self.process.wait_for(well, 15, "all is well")

    def diagnose(self, *words):
        """(exit code, the JSON, what people read)."""
        ended = breakwater("diagnose", "--config", self.process.config, "--json", "-", *words)
        self.assertEqual(ended.stderr, "")
        whole = json.loads(ended.stdout)
        people = breakwater("diagnose", "--config", self.process.config)
        self.assertEqual((people.returncode, whole["exit"]), (ended.returncode, ended.returncode))
        for one in whole["findings"]:
            self.assertTrue(one["recommendation"] and one["command"], one)
            self.assertIn(f'$ {one["command"]}', people.stdout)
        return ended.returncode, whole, people.stdout

    def assert_found(self, code, level, area, text, command):
        ended, whole, people = self.diagnose()
        fitting = [one for one in whole["findings"] if one["area"] == area and text in one["text"]]
        self.assertTrue(fitting, whole["findings"])
        self.assertEqual((fitting[0]["level"], ended), (level, code))
        self.assertIn(command, fitting[0]["command"])
        return whole, people

    def test_healthy(self):
        self.start()
        code, whole, people = self.diagnose()
        self.assertEqual((code, whole["findings"], whole["unseen"]), (0, [], []), people)
        self.assertIn("Nothing was found that is wrong.", people)
        seen = whole["evidence"]
        names = {client["name"] for client in seen["redis"]["clients"]}
        self.assertLessEqual({"breakwater:a:publish", "breakwater:a:read", "breakwater:a:bridge"}, names)
        self.assertEqual(seen["breakers"]["redis"]["state"], "CLOSED")
        self.assertIn("quantum:stream:trade.intent", {stream["name"] for stream in seen["redis"]["streams"]})
        target = self.process.folder / "told.json"
        self.assertEqual(breakwater("diagnose", "--config", self.process.config, "--json", target).returncode, 0)
        self.assertEqual(json.loads(target.read_text())["status"], "healthy")

    def test_redis_down(self):
        self.start()
        self.redis.kill()
        wait_until(lambda: self.process.api("GET", "/api/circuit-breaker/status")[1]["circuit_breaker"]["active"], 10,
                   "the circuit opens")
        whole, people = self.assert_found(2, "critical", "redis", "does not answer", "systemctl status redis-server")
        self.assertTrue(any(one["area"] == "breaker" for one in whole["findings"]))
        self.assertEqual(whole["findings"][0]["level"], "critical")
        self.assertIn("Could not be seen", people)
        self.assertTrue(any("Redis" in text for text in whole["unseen"]))

    def test_the_process_down(self):
        self.start()
        self.process.api("POST", "/api/circuit-breaker/open?breaker=orders", {"reason": "game day"})
        self.process.kill()
        whole, people = self.assert_found(2, "critical", "process", "no breakwater runs", "breakwater run --config")
        self.assertEqual(whole["evidence"]["breakers_from"], "disk")
        self.assertIn("game day", [one for one in whole["findings"] if one["area"] == "breaker"][0]["text"])
        self.assertTrue(whole["evidence"]["redis"]["reached"])
        self.assertTrue(whole["evidence"]["spool"]["streams"])

    def test_both_down(self):
        self.start()
        self.process.kill()
        self.redis.kill()
        code, whole, _ = self.diagnose()
        self.assertEqual((code, {one["area"] for one in whole["findings"] if one["level"] == "critical"}),
                         (2, {"process", "redis"}))

    def test_nothing_there_at_all(self):
        ended = breakwater("diagnose", "--json", "/no/such/folder/x.json")
        self.assertEqual(ended.returncode, 2)
        self.assertIn("/no/such/folder/x.json cannot be written", ended.stderr)

    def test_an_evicting_policy(self):
        self.start()
        self.redis.cli("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        self.assert_found(2, "critical", "redis", "maxmemory-policy is allkeys-lru",
                          f"redis-cli -h 127.0.0.1 -p {self.redis.port} CONFIG SET maxmemory-policy noeviction")

    @MOUNTS
    def test_an_aof_that_cannot_be_written(self):
        self.redis = redis = self.enterContext(SmallAof())
        self.process = self.enterContext(Breakwater(redis.url, extra=CONFIG, redis=REDIS))
        self.settled()
        redis.cli("SET", "big", "x" * 400_000)

        def failed():
            return "aof_last_write_status:err" in redis.cli("INFO", "persistence")
        wait_until(failed, 10, "the append-only file is full")
        self.assert_found(2, "critical", "redis", "append-only file failed", "INFO persistence")

    def shifted(self):
        """A Redis whose clock can be moved; returns how."""
        file = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="breakwater-clock-"))) / "shift"
        file.write_bytes(struct.pack("q", 0))
        self.start(wrapper=("env", f"LD_PRELOAD={CLOCK_SHIFT}", f"CLOCK_SHIFT_FILE={file}"))

        def shift(seconds):
            with open(file, "r+b") as opened:
                opened.write(struct.pack("q", seconds))
        return shift

    def test_a_clock_that_is_off(self):
        shift = self.shifted()
        shift(-30)
        self.assert_found(1, "attention", "clock", "ours is ahead", "timedatectl status")

    def test_ghosts(self):
        shift = self.shifted()
        self.redis.cli("XGROUP", "CREATE", RECORDS, "models", "$", "MKSTREAM")
        self.redis.cli("XADD", RECORDS, "*", "a", 1)
        self.redis.cli("XREADGROUP", "GROUP", "models", "model-4711", "STREAMS", RECORDS, ">")
        for i in range(9):
            self.redis.cli("XGROUP", "CREATECONSUMER", RECORDS, "models", f"model-{i}")
        shift(7500)
        self.assert_found(2, "attention", "streams", "consumer model-4711 in group models",
                          f"XAUTOCLAIM {RECORDS} models")
        self.assert_found(2, "attention", "streams", "10 consumers", "XINFO CONSUMERS")

    def test_a_stuck_reader(self):
        shift = self.shifted()
        self.redis.cli("XGROUP", "CREATE", RECORDS, "models", "0", "MKSTREAM")
        self.redis.cli("XADD", RECORDS, "*", "a", 1)
        self.redis.cli("XREADGROUP", "GROUP", "models", "m", "STREAMS", RECORDS, ">")
        self.redis.cli("XADD", RECORDS, "*", "a", 2)
        shift(400)
        self.assert_found(2, "attention", "streams", f"group models of {RECORDS} is stuck: 1 entries unread and 1 pending",
                          f"XINFO CONSUMERS {RECORDS} models")

    def test_a_trimmed_checkpoint(self):
        self.start()
        self.redis.cli("XGROUP", "CREATE", RECORDS, "models", "0", "MKSTREAM", "ENTRIESREAD", 0)
        for i in range(6):
            self.redis.cli("XADD", RECORDS, "*", "a", i)
        self.redis.cli("XREADGROUP", "GROUP", "models", "m", "COUNT", 1, "NOACK", "STREAMS", RECORDS, ">")
        self.redis.cli("XTRIM", RECORDS, "MAXLEN", "=", 2)
        self.assert_found(2, "critical", "streams", "3 entries were trimmed before it read them",
                          f"XGROUP SETID {RECORDS} models '$'")

    @MOUNTS
    def test_a_full_disk(self):
        self.start()
        self.process.terminate()
        data = self.process.data_dir
        ended = breakwater_in(f'mount -t tmpfs -o size=4m tmpfs {data} && ! head -c 8m /dev/zero > {data}/fill 2>/dev/null',
                              "diagnose", "--config", self.process.config, "--json", "-")
        found = [one for one in json.loads(ended.stdout)["findings"] if one["area"] == "disk"]
        self.assertEqual((ended.returncode, found[0]["level"]), (2, "critical"))
        self.assertIn("only 0 MiB", found[0]["text"])
        self.assertIn(f"du -xh --max-depth=1 {data}", found[0]["command"])

    def test_nothing_secret_is_told(self):
        secrets = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="breakwater-secrets-")))
        (secrets / "password").write_text("hunter2\n")
        (secrets / "token").write_text("tr0ub4dor-and-three\n")
        for name in ("password", "token"):
            (secrets / name).chmod(0o600)
        self.redis = self.enterContext(PrivateRedis(persistent=True))
        self.redis.cli("CONFIG", "SET", "requirepass", "hunter2")
        self.redis.password = "hunter2"
        self.process = self.enterContext(Breakwater(
            self.redis.url, redis=REDIS + f'password_file = "{secrets}/password"\n', api=f'token_file = "{secrets}/token"\n',
            extra=CONFIG + '[alerts]\nwebhook_url = "http://127.0.0.1:1/s3cret"\n'))
        self.settled()
        _, whole, people = self.diagnose()
        for text in (json.dumps(whole), people):
            for secret in ("hunter2", "tr0ub4dor-and-three", "s3cret"):
                self.assertNotIn(secret, text)
        (secrets / "password").write_text("wrong-horse\n")
        code, whole, people = self.diagnose()
        self.assertEqual(code, 2)
        self.assertIn("refuses our credentials", whole["findings"][0]["text"])
        self.assertNotIn("wrong-horse", json.dumps(whole) + people)


class SmallAof(PrivateRedis):
    """Its append-only file lies on a disk of 256 KiB."""

    def start(self, wait=True):
        small = self.folder / "small"
        self.arguments = ("--appendonly", "yes", "--appendfsync", "everysec", "--dir", small)
        self.wrapper = in_own_mounts(f"mkdir -p {small} && mount -t tmpfs -o size=256k tmpfs {small}")
        super().start(wait)


def breakwater_in(script, *words):
    """Runs one command to its end after the mounts of `script`."""
    return subprocess.run([*in_own_mounts(script), str(BINARY), *map(str, words)], capture_output=True, text=True, timeout=30)


if __name__ == "__main__":
    unittest.main()
