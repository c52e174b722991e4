"""What an operator does with the breakers, step by step, with the real binary and curl; what survives which death; what
the API refuses; and that it answers while others hold its connections."""

import json
import pathlib
import re
import signal
import socket
import statistics
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench"))
from api_under_load import Load, latencies_ms  # noqa: E402
from support import (STREAM, Breakwater, PrivateRedis, Simulator, breakwater, in_own_mounts,  # noqa: E402
                     own_mounts_are_permitted, wait_until)

REDIS = 'connect_timeout = "500ms"\ncommand_timeout = "500ms"\nbackoff_initial = "50ms"\nbackoff_max = "300ms"\n'
CONFIG = """
[breaker.redis]
open_duration = "500ms"
max_open_duration = "1s"
[health]
interval = "500ms"
stream = ""  # an entry each tick would be a call each tick
answer_within = "400ms"
"""
STATUS = "/api/circuit-breaker/status"
HISTORY = "/api/circuit-breaker/history"
RESET = "/api/circuit-breaker/reset"
OPEN = "/api/circuit-breaker/open"
REPORT = "/api/circuit-breaker/report"
BREAKER_KEYS = {"name", "active", "state", "mode", "failure_count", "threshold", "last_failure", "last_failure_reason",
                "trigger_reason", "opened_at", "retry_at", "can_reset", "reset_blocked_reason", "statistics"}
STATISTICS_KEYS = {"allowed_orders", "blocked_orders", "would_block_orders", "successes", "failures", "times_opened",
                   "time_open_ms", "longest_open_ms"}
REDIS_MANAGER_KEYS = {"status", "connected", "healthy", "phase", "address", "circuit_open", "circuit_opened_at",
                      "connection_attempts", "successful_operations", "failed_operations", "consecutive_failures",
                      "reconnects", "reconnects_last_hour", "last_health_check", "last_ping_round_trip_us",
                      "last_error", "last_error_class", "last_error_time", "in_flight", "spool_depth"}
HEALTH_KEYS = {"status", "version", "instance", "uptime_s", "as_of", "attention", "redis_manager", "breakers", "feeds",
               "spool", "bridges", "position_monitor", "actors"}
MOVE_KEYS = {"number", "time", "from", "to", "reason", "by", "failures", "failure_threshold", "open_for_ms"}
TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"
TOKEN = "t0ken-of-the-test-0123456789"


class Api(unittest.TestCase):
    """A Redis, and a way to start breakwater beside it."""

    def setUp(self):
        self.redis = self.enterContext(PrivateRedis(persistent=True))

    def start(self, extra="", feeds=False, **options):
        urls = {}
        if feeds:
            self.exchanges = self.enterContext(Simulator("--interval", "100ms"))
            urls = self.exchanges.urls
        self.process = self.enterContext(Breakwater(self.redis.url, urls, CONFIG + extra, redis=REDIS, **options))
        self.connected()

    def connected(self, after=0):
        self.process.wait_for_log("Connected to Redis", 10, after)
        self.process.wait_for_log("event=api_listening", 10, after)
        wait_until(lambda: self.health()["as_of"] and self.redis_manager()["connected"], 5, "the first tick")

    def again(self, death=signal.SIGKILL):
        """Ends the process and starts it again on the same data."""
        self.process.process.send_signal(death)
        self.process.process.wait(20)
        mark = len(self.process.log())
        self.process.start()
        self.connected(mark)

    def curl(self, path, *options):
        """(status, JSON) as curl gets it."""
        ended = subprocess.run(["curl", "--silent", "--show-error", "--max-time", "5", "--write-out", "\n%{http_code}",
                                *options, f"http://127.0.0.1:{self.process.api_port}{path}"],
                               capture_output=True, text=True, timeout=20)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        text, _, status = ended.stdout.rpartition("\n")
        return int(status), json.loads(text)

    def get(self, path, status=200):
        got = self.process.api("GET", path)
        self.assertEqual(got[0], status, got[1])
        return got[1]

    def post(self, path, status=200, body=None, headers=None):
        got = self.process.api("POST", path, body, headers)
        self.assertEqual(got[0], status, got[1])
        if status >= 400:
            self.assertIsInstance(got[1]["error"], str)
        return got[1]

    def health(self):
        return self.process.api("GET", "/health")[1]

    def redis_manager(self):
        return self.process.redis_manager()

    def breaker(self, name="redis"):
        return self.get(f"{STATUS}?breaker={name}")["circuit_breaker"]

    def moves(self, name="redis"):
        return self.get(f"{HISTORY}?breaker={name}&limit=1000")["history"]

    def command(self, *words):
        return breakwater("breaker", *words, "--config", self.process.config)

    def redis_goes_and_comes(self):
        mark = len(self.process.log())
        self.redis.stop()
        opened = self.process.wait_for_log("Circuit OPEN", 15, mark)
        self.redis.start()
        self.process.wait_for_log("Circuit CLOSED", 15, opened.end())
        wait_until(lambda: self.redis_manager()["connected"] and self.breaker()["state"] == "CLOSED", 5, "all is well")


class Walkthrough(Api):
    def test_an_operators_walk(self):
        self.start(feeds=True)
        pid = self.process.process.pid

        # How does it stand?
        status, told = self.curl(STATUS)
        self.assertEqual((status, told["status"], set(told["breakers"])), (200, "ok", {"redis", "orders"}))
        now = told["circuit_breaker"]
        self.assertEqual(now, {**told["breakers"]["redis"], "statistics": now["statistics"]})
        self.assertEqual(set(now), BREAKER_KEYS)
        self.assertEqual(set(now["statistics"]), STATISTICS_KEYS)
        self.assertEqual((now["name"], now["state"], now["active"], now["mode"], now["failure_count"], now["threshold"],
                          now["opened_at"], now["trigger_reason"], now["can_reset"]),
                         ("redis", "CLOSED", False, "enforce", 0, 5, None, None, False))
        self.assertIn("not active", now["reset_blocked_reason"])

        # Nothing to reset.
        status, refused = self.curl(RESET, "--request", "POST")
        self.assertEqual(status, 409)
        self.assertLessEqual({"error", "reasons", "failure_count", "threshold", "last_failure", "hint"}, set(refused))
        self.assertRegex(" ".join(refused["reasons"]), "not active")

        # An operator insists, and it is written down.
        status, done = self.curl(f"{RESET}?override=true&reason=Testing", "--request", "POST",
                                 "--header", "X-Operator: alice@host")
        self.assertEqual(status, 200)
        self.assertEqual({**done, "timestamp": None}, {"status": "success", "action": "reset", "breaker": "redis",
                                                       "reason": "Testing", "override_used": True, "timestamp": None})
        self.assertRegex(done["timestamp"], TIME)
        _, audit = self.curl("/api/audit?limit=2")
        self.assertEqual((audit["count"], len(audit["audit"])), (2, 2))
        self.assertEqual(audit["audit"], self.process.audit()[:-3:-1], "the file's lines, the newest first")
        granted, refused = audit["audit"]
        self.assertEqual((granted["what"], granted["actor"]), ("breaker_reset", "breaker/redis"))
        self.assertLessEqual({"granted": "yes", "override": "yes", "reason": "Testing", "who": "alice@host"}.items(),
                             granted["details"].items())
        self.assertRegex(granted["details"]["from"], r"^127\.0\.0\.1")
        self.assertLessEqual({"granted": "no", "override": "no"}.items(), refused["details"].items())
        verified = breakwater("audit", "verify", "--config", self.process.config)
        self.assertEqual(verified.returncode, 0, verified.stderr)
        self.assertRegex(verified.stdout, "(?i)intact")

        # Redis goes and comes back.
        mark = len(self.process.log())
        self.redis.stop()
        self.process.wait_for_log(r"\[REDIS-MGR\] Circuit OPEN", 15, mark)
        away = wait_until(lambda: self.health() if not self.redis_manager()["connected"] else None, 5, "health knows")
        self.assertEqual((away["status"], away["redis_manager"]["status"]), ("critical", "critical"))
        self.assertIn("redis", " ".join(away["attention"]))
        self.assertEqual(self.process.api("GET", "/health")[0], 503)
        self.assertEqual(self.get("/health/live"), {"status": "alive"})
        not_ready = self.get("/health/ready", 503)
        self.assertEqual(not_ready["status"], "not_ready")
        self.assertTrue(not_ready["reasons"])
        down = self.breaker()
        self.assertTrue(down["active"])
        self.assertIn(down["state"], ("OPEN", "HALF_OPEN"))
        self.assertRegex(down["opened_at"], TIME)
        self.assertRegex(down["last_failure"], TIME)
        self.assertRegex(down["trigger_reason"], "^transport: ")
        refused = self.post(RESET, 409)
        self.assertTrue(refused["reasons"])
        self.assertGreaterEqual(refused["failure_count"], 5)

        mark = len(self.process.log())
        self.redis.start()
        self.process.wait_for_log(r"\[REDIS-MGR\] Connected to Redis", 15, mark)
        self.process.wait_for_log("Circuit CLOSED", 15, mark)
        self.assertRegex(self.process.log(), r"\[REDIS-MGR\].* Reconnect")
        self.assertRegex(self.process.log(), r"\[CB_API\]")
        _, told = self.curl(HISTORY)
        self.assertEqual((told["status"], told["breaker"], told["count"]), ("ok", "redis", len(told["history"])))
        self.assertEqual([move["to"] for move in told["history"]][0], "CLOSED")
        for newer, older in zip(told["history"], told["history"][1:]):
            self.assertEqual((older["number"], older["to"]), (newer["number"] - 1, newer["from"]))
        for move in told["history"]:
            self.assertEqual(set(move), MOVE_KEYS)
            self.assertRegex(move["time"], TIME)
        _, newest = self.curl(f"{HISTORY}?limit=1")
        self.assertEqual(newest["history"], told["history"][:1])

        # And all is well.
        health = wait_until(lambda: self.health() if self.health()["status"] == "ok" else None, 10, "all is well")
        self.assertEqual(self.curl("/health")[0], 200)
        self.assertLessEqual(HEALTH_KEYS, set(health))
        manager = health["redis_manager"]
        self.assertEqual(set(manager), REDIS_MANAGER_KEYS)
        self.assertLessEqual({"status": "ok", "connected": True, "healthy": True, "phase": "ready", "reconnects": 1,
                              "reconnects_last_hour": 1, "circuit_open": False, "circuit_opened_at": None,
                              "last_error_class": "transport"}.items(), manager.items())
        for key in ("last_health_check", "last_error_time"):
            self.assertRegex(manager[key], TIME)
        self.assertEqual(self.get("/health/ready"), {"status": "ready"})
        actors = {actor["name"]: actor for actor in self.get("/api/actors")["actors"]}
        self.assertLessEqual({"redis", "breaker/redis", "breaker/orders", "publisher", "aggregator", "feed/okx"},
                             set(actors))
        self.assertEqual({actor["restarts"] for actor in actors.values()}, {0})
        self.assertEqual((self.process.process.pid, self.process.running()), (pid, True))
        self.assertEqual(re.findall(r"event=process_started .*pid=(\d+)", self.process.log()), [str(pid)])

    def test_a_reset_that_is_safe_needs_no_override(self):
        self.start("[breaker.orders]\nfailure_threshold = 2\nopen_duration = \"10m\"\nreset_quiet_period = \"1s\"\n")
        self.post(f"{REPORT}?breaker=orders", body={"ok": False, "reason": "rejected"})
        reported = self.post(f"{REPORT}?breaker=orders", body={"ok": False, "reason": "rejected by the exchange"})
        self.assertEqual(reported, {"status": "success", "action": "report", "breaker": "orders", "state": "OPEN"})
        now = self.breaker("orders")
        self.assertEqual((now["active"], now["can_reset"], now["failure_count"]), (True, False, 2))
        self.assertTrue(now["reset_blocked_reason"])
        self.assertRegex(now["trigger_reason"], "rejected by the exchange")
        self.post(f"{RESET}?breaker=orders", 409)
        wait_until(lambda: self.breaker("orders")["can_reset"], 5, "the quiet period is over")
        done = self.post(RESET, body={"breaker": "orders", "reason": "mended"})
        self.assertEqual((done["breaker"], done["override_used"], done["reason"]), ("orders", False, "mended"))
        self.assertEqual((self.breaker("orders")["state"], self.breaker()["state"]), ("CLOSED", "CLOSED"))

    def test_the_command_line(self):
        self.start()
        ended = self.command("status")
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        self.assertRegex(ended.stdout, "CLOSED")
        self.assertEqual(json.loads(self.command("status", "--json").stdout)["circuit_breaker"]["state"], "CLOSED")
        ended = self.command("reset")
        self.assertEqual(ended.returncode, 1)
        self.assertRegex(ended.stdout + ended.stderr, "not active")
        self.assertNotEqual(self.command("open").returncode, 0, "without a reason")
        self.assertEqual(self.breaker()["state"], "CLOSED")

        ended = self.command("open", "--reason", "maintenance")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertEqual(self.breaker()["state"], "FORCED_OPEN")
        ended = self.command("status")
        self.assertEqual(ended.returncode, 1)
        self.assertRegex(ended.stdout, "FORCED_OPEN")
        self.assertEqual(self.command("status", "--name", "orders").returncode, 0)
        self.assertNotEqual(self.command("reset", "--override").returncode, 0, "without a reason")
        self.assertEqual(self.breaker()["state"], "FORCED_OPEN")
        ended = self.command("reset", "--override", "--reason", "maintenance is over")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertEqual(self.breaker()["state"], "CLOSED")
        ended = self.command("history")
        self.assertEqual(ended.returncode, 0)
        self.assertRegex(ended.stdout, r"(?s)maintenance is over.*maintenance")
        self.assertIn("maintenance", json.loads(self.command("history", "--json").stdout)["history"][0]["reason"])

        self.process.terminate()
        for words in (("status",), ("history",), ("reset",), ("open", "--reason", "x")):
            with self.subTest(words=words):
                ended = self.command(*words)
                self.assertEqual((ended.returncode, ended.stdout), (2, ""))
                self.assertIn(str(self.process.api_port), ended.stderr)


class Memory(Api):
    """What the breakers remember over which death."""

    def trouble(self):
        """Two outages, a result that failed and one that did not."""
        self.redis_goes_and_comes()
        self.redis_goes_and_comes()
        self.post(f"{REPORT}?breaker=orders", body={"ok": True})
        self.post(f"{REPORT}?breaker=orders", body={"ok": False, "reason": "rejected"})

    def nothing_moves(self):
        self.exchanges.stop()

        def kept():
            # Why a reset is blocked is told with the age of the last failure, which grows.
            return [({**self.breaker(name), "reset_blocked_reason": None}, self.moves(name))
                    for name in ("redis", "orders")]

        def still():
            before = kept()
            time.sleep(0.7)
            return before if kept() == before else None
        return wait_until(still, 10, "nothing moves")

    def assert_remembered(self, before, calls_since):
        """All of it; but connecting again and what is told of the silent exchanges make calls, and those count."""
        for (then, moves), name in zip(before, ("redis", "orders")):
            with self.subTest(breaker=name):
                now = self.breaker(name)
                self.assertEqual(self.moves(name), moves)
                if name == "redis":
                    for key in ("allowed_orders", "successes"):
                        added = now["statistics"].pop(key) - then["statistics"].pop(key)
                        self.assertIn(added, range(calls_since + 1), key)
                self.assertEqual(now["statistics"], then["statistics"])
                for key in ("state", "active", "failure_count", "last_failure", "last_failure_reason"):
                    self.assertEqual(now[key], then[key], key)

    def test_of_a_crash_of_the_process(self):
        self.start(feeds=True)
        self.trouble()
        before = self.nothing_moves()
        self.assertEqual(before[0][0]["statistics"]["times_opened"], 2)
        self.assertGreaterEqual(len(before[0][1]), 6)
        self.assertEqual((before[1][0]["statistics"]["failures"], before[1][0]["failure_count"]), (1, 1))
        self.again()
        self.assert_remembered(before, 6)
        self.assertNotIn("event=breaker_forgot", self.process.log())

    def test_of_an_orderly_restart(self):
        self.start(feeds=True)
        self.trouble()
        before = self.nothing_moves()
        self.again(signal.SIGTERM)
        self.assert_remembered(before, 6)

    def test_of_a_crash_of_the_actor(self):
        self.start("[chaos]\nenabled = true\n", feeds=True)
        self.trouble()
        before = self.nothing_moves()
        for name in ("redis", "orders"):
            mark = len(self.process.log())
            self.post(f"/api/actors/breaker/{name}/kill", 202)
            self.process.wait_for_log(f"event=actor_failed actor=breaker/{name}", 5, mark)
            self.process.wait_for_log(f"event=actor_started_again actor=breaker/{name}", 5, mark)
        self.assert_remembered(before, 6)
        actors = {actor["name"]: actor["restarts"] for actor in self.get("/api/actors")["actors"]}
        self.assertEqual((actors["breaker/redis"], actors["breaker/orders"], actors["redis"]), (1, 1, 0))

    def test_that_an_operator_opened_it(self):
        self.start(feeds=True)
        wait_until(lambda: self.redis.cli("XLEN", STREAM) > 20, 10, "records in the stream")
        done = self.post(f"{OPEN}?breaker=redis&reason=moving+Redis", headers={"X-Operator": "bob"})
        self.assertEqual({**done, "timestamp": None}, {"status": "success", "action": "open", "breaker": "redis",
                                                       "reason": "moving Redis", "timestamp": None})
        now = self.breaker()
        self.assertEqual((now["state"], now["active"], now["retry_at"]), ("FORCED_OPEN", True, None))
        self.assertRegex(now["trigger_reason"], "moving Redis")
        time.sleep(0.3)
        length = self.redis.cli("XLEN", STREAM)
        self.process.kill()
        self.process.start()
        mark = self.process.log().rindex("event=process_started")
        self.process.wait_for_log("event=feed_subscribed", 10, mark)
        time.sleep(2)  # four times open_duration
        self.assertEqual(self.breaker()["state"], "FORCED_OPEN")
        self.assertEqual(self.redis.cli("XLEN", STREAM), length, "nothing is written")
        self.assertGreater(self.redis_manager()["spool_depth"], 0)
        self.assertEqual(self.get("/health/ready", 503)["status"], "not_ready")
        move = self.moves()[0]
        self.assertEqual((move["to"], move["by"]), ("FORCED_OPEN", "bob"))
        self.assertIn("moving Redis", move["reason"])
        self.post(f"{RESET}?reason=moved")  # nothing has failed, so it is safe
        self.assertEqual(self.breaker()["state"], "CLOSED")
        wait_until(lambda: self.redis.cli("XLEN", STREAM) > length, 10, "records go into the stream again")


class Refusals(Api):
    def raw(self, request):
        """The status and the JSON of an answer to these bytes."""
        with socket.create_connection(("127.0.0.1", self.process.api_port), timeout=15) as client:
            client.sendall(request)
            answer = b""
            while b"\r\n\r\n" not in answer or len(answer.partition(b"\r\n\r\n")[2]) < self._length(answer):
                piece = client.recv(65536)
                if not piece:
                    break
                answer += piece
        head, _, body = answer.partition(b"\r\n\r\n")
        self.assertRegex(head.decode(), r"(?i)content-type: application/json")
        return int(head.split()[1]), json.loads(body)

    @staticmethod
    def _length(answer):
        return int(re.search(rb"(?i)content-length: (\d+)", answer)[1])

    def headers_of(self, method, path):
        ended = subprocess.run(["curl", "--silent", "--max-time", "5", "--request", method, "--dump-header", "-",
                                "--output", "/dev/null", f"http://127.0.0.1:{self.process.api_port}{path}"],
                               capture_output=True, text=True, timeout=20)
        return dict(line.split(": ", 1) for line in ended.stdout.splitlines()[1:] if ": " in line)

    def test_a_token_is_needed_to_change_something_and_is_told_nobody(self):
        token_file = self.redis.folder / "token"
        token_file.touch(0o600)
        token_file.write_text(TOKEN + "\n")
        self.start(api=f'token_file = "{token_file}"\n', process='instance = "tokened"\n')
        path = f"{RESET}?override=true&reason=Testing"
        self.get(STATUS)
        self.get("/api/audit")
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"},
                        {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": f"Bearer {TOKEN[:-1]}"}):
            with self.subTest(headers=headers):
                self.post(path, 401, headers=headers)
        self.assertEqual(self.headers_of("POST", path)["WWW-Authenticate"], "Bearer")
        self.assertNotIn("breaker_reset", [line["what"] for line in self.process.audit()])
        good = {"Authorization": f"Bearer {TOKEN}"}
        self.post(path, headers=good)
        self.post(f"{RESET}?override=maybe", 400, headers=good)
        self.post(f"{RESET}?override=maybe", 401)
        self.assertEqual(self.command("open", "--reason", "by the command line").returncode, 0)
        wrong = breakwater("breaker", "reset", "--api", f"127.0.0.1:{self.process.api_port}", BREAKWATER_TOKEN="wrong")
        self.assertNotEqual(wrong.returncode, 0)
        self.assertEqual(self.breaker()["state"], "FORCED_OPEN")
        said = self.process.log() + (self.process.data_dir / "audit.jsonl").read_text()
        self.assertIn("by the command line", said)
        self.assertNotIn(TOKEN, said)
        self.assertNotIn(TOKEN, breakwater("check", "--config", self.process.config).stdout)

    def test_other_sites_are_refused(self):
        self.start()
        path = f"{RESET}?override=true&reason=Testing"
        own = f"http://127.0.0.1:{self.process.api_port}"
        for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"},
                        {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
                        {"Origin": "http://evil.example", "Host": "evil.example"}):
            with self.subTest(headers=headers):
                self.post(path, 403, headers=headers)
        self.assertNotIn("breaker_reset", [line["what"] for line in self.process.audit()])
        self.post(path, headers={"Origin": own, "Sec-Fetch-Site": "same-origin"})

    def test_what_is_wrong_with_a_request_is_told(self):
        self.start()
        for path, status in ((f"{RESET}?override=maybe", 400), (f"{RESET}?override=true", 400),
                             (f"{RESET}?override=true&reason=%20", 400), (f"{RESET}?reasn=x", 400),
                             (f"{RESET}?override=true&override=false&reason=x", 400), (f"{RESET}?reason=%zz", 400),
                             (RESET, 409), (f"{RESET}?reason=x", 409), (f"{RESET}?breaker=none", 404), (OPEN, 400),
                             (f"{OPEN}?breaker=none&reason=x", 404), (f"{REPORT}?breaker=redis&ok=false", 400),
                             (f"{REPORT}?breaker=orders", 400), (f"{REPORT}?breaker=orders&ok=perhaps", 400),
                             ("/api/position-monitor/heartbeat?from=me", 400), ("/api/actors/redis/kill", 403),
                             ("/api/actors/redis/hang", 403), ("/nowhere", 404), (STATUS, 405), ("/health", 405)):
            with self.subTest(path=path):
                self.post(path, status)
        for path, status in ((f"{STATUS}?breaker=none", 404), (f"{STATUS}?braker=redis", 400),
                             (f"{HISTORY}?limit=0", 400), (f"{HISTORY}?limit=1001", 400),
                             (f"{HISTORY}?limit=many", 400), (f"{HISTORY}?breaker=no", 404),
                             ("/api/audit?limit=0", 400), ("/api/audit?limit=1001", 400), ("/api", 404), (RESET, 405),
                             ("/api/circuit-breaker/status/", 404)):
            with self.subTest(path=path):
                self.assertIn("error", self.get(path, status))
        for body in ("{", "[]", '"text"', '{"override": {}}', '{"override": true}', '{"unknown": 1}'):
            with self.subTest(body=body):
                self.post(RESET, 400, body=body)
        self.assertRegex(self.headers_of("DELETE", STATUS)["Allow"], r"\bGET\b")
        self.assertEqual(self.headers_of("GET", RESET)["Allow"], "POST")
        self.assertEqual(self.breaker()["state"], "CLOSED")
        self.assertEqual(self.get(f"{HISTORY}?breaker=orders&limit=1000")["history"], [])

    def test_what_is_too_large_or_no_http(self):
        self.start()
        port = self.process.api_port
        post = f"POST {RESET} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n".encode()
        self.post(RESET, 413, body='{"reason": "' + "x" * 65536 + '"}')
        self.assertEqual(self.raw(post + b"Content-Length: 65537\r\n\r\n")[0], 413)
        chunks = (b"2000\r\n" + b" " * 8192 + b"\r\n") * 9
        self.assertEqual(self.raw(post + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)[0], 413)
        self.post(RESET, 409, body='{"reason": "x"}' + " " * 60000)
        self.assertEqual(self.raw(post + b"X-Long: " + b"x" * 8192 + b"\r\n\r\n")[0], 431)
        self.assertEqual(self.raw(f"GET {STATUS}?breaker={'x' * 9000} HTTP/1.1\r\nHost: x\r\n\r\n".encode())[0], 431)
        self.assertEqual(self.raw(post + b"X-Long: " + b"x" * 7000 + b"\r\nContent-Length: 0\r\n\r\n")[0], 409)
        self.assertEqual(self.raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")[0], 400)
        self.get(STATUS)

    def test_a_slow_request_is_ended(self):
        self.start()
        began = time.monotonic()
        self.assertEqual(self.raw(f"GET {STATUS} HTTP/1.1\r\nHost:".encode())[0], 408)
        self.assertLess(time.monotonic() - began, 13)

    @unittest.skipUnless(own_mounts_are_permitted(), "no small data_dir for breakwater: unshare is not permitted")
    def test_an_order_that_cannot_be_written_down_is_not_obeyed(self):
        small = 'd="$(dirname "$4")/data" && mkdir -p "$d" && mount -t tmpfs -o size=1m none "$d"'
        self.start(wrapper=in_own_mounts(small))
        self.post(f"{OPEN}?reason=maintenance")
        data_dir = pathlib.Path(f"/proc/{self.process.process.pid}/root{self.process.data_dir}")
        with open(data_dir / "filler", "wb", buffering=0) as filler:
            try:
                while filler.write(b"x" * 512):
                    pass
            except OSError:
                pass  # full
        # The audit log's last page may have room for some lines yet.
        wait_until(lambda: self.process.api("POST", RESET, {"breaker": "orders"})[0] == 503, 10, "an order is refused")
        refused = self.post(f"{RESET}?override=true&reason={'over' * 100}", 503)  # a longer line than that
        self.assertIn("audit", refused["error"] + refused.get("hint", ""))
        self.assertEqual(self.breaker()["state"], "FORCED_OPEN")
        self.assertIn("event=audit_failed", self.process.log())
        (data_dir / "filler").unlink()
        self.post(f"{RESET}?override=true&reason=over")
        self.assertEqual(self.breaker()["state"], "CLOSED")
        lines = [json.loads(line) for line in (data_dir / "audit.jsonl").read_text().splitlines()]
        self.assertEqual([line["details"]["reason"] for line in lines if line["what"] == "breaker_reset"][-1], "over")
        config = data_dir / "verify.toml"
        config.write_text(f'[process]\ndata_dir = "{data_dir}"\n')
        verified = breakwater("audit", "verify", "--config", config)
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)

    def test_it_can_be_turned_off(self):
        with Breakwater(self.redis.url, {}, CONFIG) as process:
            process.wait_for_log("event=api_listening")
            process.terminate()
            text = process.config.read_text().replace(f'listen = "127.0.0.1:{process.api_port}"', 'listen = ""')
            process.config.write_text(text)
            ran = subprocess.Popen([str(process.process.args[0]), "run", "--config", str(process.config)],
                                   stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            try:
                time.sleep(1)
                with self.assertRaises(ConnectionRefusedError):
                    process.api("GET", "/health")
            finally:
                ran.terminate()
                log = ran.communicate(timeout=10)[1]
        self.assertIn("event=process_started", log)
        self.assertNotIn("event=api_listening", log)

    def test_a_port_that_is_taken_is_told_and_waited_for(self):
        with Breakwater(self.redis.url, {}, CONFIG) as process:
            process.wait_for_log("event=api_listening")
            process.terminate()
            mark = len(process.log())
            with socket.create_server(("127.0.0.1", process.api_port)):
                process.start()
                process.wait_for_log(rf"event=api_failed.*127\.0\.0\.1:{process.api_port}.*(?i:in use)", 5, mark)
                process.wait_for_log("Connected to Redis", 5, mark)  # what it is there for does not wait
            process.wait_for_log("event=api_listening", 10, mark)
            self.assertEqual(process.api("GET", "/health/live"), (200, {"status": "alive"}))

    def test_any_address_but_loopback_needs_a_token(self):
        config = self.redis.folder / "open.toml"
        config.write_text(f'[process]\ndata_dir = "{self.redis.folder / "data"}"\n[api]\nlisten = "0.0.0.0:8000"\n')
        for command in ("check", "run"):
            with self.subTest(command=command):
                ended = breakwater(command, "--config", config)
                self.assertEqual(ended.returncode, 2)
                self.assertRegex(ended.stderr, "token_file")


class UnderLoad(Api):
    def test_it_answers_while_a_thousand_connections_are_held(self):
        self.start(feeds=True)
        alone = latencies_ms(self.process.api_port, 20)
        with Load(self.process.api_port, idle=1000, slow=50) as load:
            loaded = latencies_ms(self.process.api_port, 50)
            opened = load.opened
        self.assertGreaterEqual(opened, 1050)
        told = f"alone {sorted(alone)}, loaded {sorted(loaded)}"
        self.assertLess(statistics.median(loaded), 100, told)
        self.assertLess(max(loaded), 1000, told)
        length = self.redis.cli("XLEN", STREAM)
        wait_until(lambda: self.redis.cli("XLEN", STREAM) > length, 5, "records go on")
        self.assertNotRegex(self.process.log(), "event=actor_(failed|unresponsive|hangs)")


if __name__ == "__main__":
    unittest.main()
