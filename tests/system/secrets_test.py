"""Nothing secret in any output: every secret a process can have, through everything it says, when all is well and when
it is not. What it says is kept, and searched for every secret in each of the forms it could have."""

import base64
import http.client
import json
import pathlib
import re
import socket
import tempfile
import threading
import time
import unittest
import urllib.parse

from support import Breakwater, PrivateRedis, Simulator, Webhook, breakwater, wait_until

# Each is long and unlike any other text; some need quoting wherever they stand.
USER = "keeper-4e1c"
SECRETS = {
    "password in its file": "Fj8/pw+file@one%41",
    "password in redis.url": "Url0-7c/pass:word",
    "password in REDIS_URL": "Env1ronment-2b9%pw",
    "password that is wrong": "Wr0ng/pass+phrase-77",
    "token": "T0ken-aa51c0ffee+/=e77",
    "token that is wrong": "N0token-bb62c0ffee+/=e88",
    "key in the webhook's address": "hookkey-9d3e41aa",
    "key in a feed's address": "feedkey-5c5c77fe",
    "password in a feed's address": "feedpass-1f1f42",
    "token in a place that is none for it": "mispl4ced-0d0d99",
}
WEBHOOK_KEY = "key in the webhook's address"
READS = ("/", "/health", "/health/live", "/health/ready", "/api/circuit-breaker/status", "/api/circuit-breaker/history",
         "/api/circuit-breaker/history?breaker=orders", "/api/actors", "/api/audit?limit=1000", "/api/alerts", "/api/feeds",
         "/api/spool", "/api/prices", "/metrics", "/nothing")
# The rights that the README names.
RIGHTS = ("~quantum:*", "~breakwater:*", "~live_signals", "resetchannels", "-@all", "+@connection", "+@transaction",
          "+@stream", "+get", "+set", "+info", "+time", "+@scripting", "+@list", "+exists", "+type", "+del",
          "+client|list", "+config|get", "+slowlog|get", "+latency|latest")


def forms(secret):
    """The secret as it is, quoted for a URL, escaped for JSON, and in base64 at each place it can begin."""
    raw = secret.encode()
    found = {raw, urllib.parse.quote(secret, safe="").encode(), urllib.parse.quote_plus(secret).encode(),
             json.dumps(secret)[1:-1].encode(), raw.hex().encode()}
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + raw)
        found.add(whole[(0, 2, 3)[shift]:len(whole) - 4])  # without what its neighbours have a part in
    return {form for form in found if len(form) > 8}


class Outputs:
    """Everything that was said, by whom."""

    def __init__(self):
        self.said = []

    def add(self, who, what):
        self.said.append((who, what if isinstance(what, bytes) else str(what).encode(errors="replace")))

    def leaks(self):
        wanted = [(name, form) for name, secret in SECRETS.items() for form in forms(secret)]
        return sorted({f"{name} in {who}: ...{what[max(0, at - 80):at + 20]!r}" for who, what in self.said
                       for name, form in wanted for at in [what.find(form)] if at >= 0})


class Secrets(unittest.TestCase):
    def setUp(self):
        self.outputs = Outputs()
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="breakwater-secrets-")))

    def tearDown(self):
        self.assertEqual(self.outputs.leaks(), [])

    def file(self, name, text, mode=0o600):
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def command(self, *words, **changes):
        ended = breakwater(*words, **changes)
        self.outputs.add(f"breakwater {' '.join(map(str, words[:3]))}: standard output", ended.stdout)
        self.outputs.add(f"breakwater {' '.join(map(str, words[:3]))}: standard error", ended.stderr)
        return ended

    def ask(self, process, method, path, body=None, **headers):
        """One request; the whole answer is kept."""
        connection = http.client.HTTPConnection("127.0.0.1", process.api_port, timeout=20)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            said = b"" if "event-stream" in answer.getheader("Content-Type", "") else answer.read()
            self.outputs.add(f"{method} {path.split('?')[0]}", f"{answer.getheaders()}".encode() + said)
            return answer.status
        finally:
            connection.close()

    def listen_to_events(self, process, events=b""):
        """What the stream of events says within a moment."""
        with socket.create_connection(("127.0.0.1", process.api_port), timeout=0.7) as stream:
            stream.sendall(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            enough = time.monotonic() + 1.5
            try:
                while time.monotonic() < enough and (block := stream.recv(65536)):
                    events += block
            except TimeoutError:
                pass
        self.outputs.add("GET /api/events", events)

    def ask_everything(self, process):
        for path in READS:
            self.ask(process, "GET", path)
            self.ask(process, "HEAD", path)
        self.listen_to_events(process)
        token, wrong, misplaced = (SECRETS[name] for name in ("token", "token that is wrong",
                                                              "token in a place that is none for it"))
        reset = "/api/circuit-breaker/reset"
        statuses = [self.ask(process, "POST", reset), self.ask(process, "POST", reset, Authorization=f"Bearer {wrong}"),
                    self.ask(process, "POST", reset, Authorization=f"Basic {wrong}"),
                    self.ask(process, "POST", reset + "?override=true&reason=test", Authorization=f"Bearer {token}")]
        self.assertEqual(statuses, [401, 401, 401, 200])
        quoted = urllib.parse.quote(misplaced, safe="")
        # Where a client may put a token by mistake: neither the log nor the audit log shows it.
        for path in (f"{reset}?token={quoted}", f"/api/audit?token={quoted}", f"/?access_token={quoted}"):
            self.ask(process, "POST", path, Authorization=f"Bearer {token}")
            self.ask(process, "GET", path)
        self.ask(process, "POST", reset, json.dumps({"token": misplaced}), Authorization=f"Bearer {token}")
        self.ask(process, "POST", reset, f"override={misplaced[:3]}", Authorization=f"Bearer {token}")
        for raw in (f"GET / HTTP/1.1\r\nAuthorization: Bearer {token}\r\n\r\n",
                    f"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization Bearer {token}\r\n\r\n",
                    f"BREW /{wrong} HTCPCP/1.0\r\n\r\n", f"GET / HTTP/1.1\r\nHost: localhost\r\nX: {token * 500}\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", process.api_port), timeout=5) as client:
                client.sendall(raw.encode())
                self.outputs.add("a malformed request", client.recv(65536))

    def commands(self, config):
        """Every command that looks at a process, with the process up or down."""
        for words in (("check",), ("diagnose",), ("diagnose", "--json", "-"), ("spool", "status"), ("spool", "verify"),
                      ("spool", "dead"), ("audit", "verify"), ("breaker", "status"), ("breaker", "history"),
                      ("breaker", "reset"), ("breaker", "open", "--reason", "test")):
            self.command(*words, "--config", config)
        for token in ("token", "token that is wrong"):
            self.command("breaker", "reset", "--config", config, BREAKWATER_TOKEN=SECRETS[token])
        self.command("check", "--config", config, REDIS_URL=f"redis://u:{quoted('password in REDIS_URL')}@localhost:1/0")
        self.command("diagnose", "--config", config, REDIS_URL=f"redis://u:{quoted('password in REDIS_URL')}@localhost:1/0")

    def what_redis_has(self, redis):
        for words in (("CLIENT", "LIST"), ("KEYS", "*"), ("SLOWLOG", "GET", "100")):
            self.outputs.add(f"Redis: {' '.join(words)}", redis.cli(*words))
        for key in redis.cli("KEYS", "*"):
            read = ("XRANGE", key, "-", "+") if redis.cli("TYPE", key) == "stream" else ("GET", key)
            self.outputs.add(f"Redis: {key}", redis.cli(*read))

    def what_it_left(self, process):
        self.outputs.add("the log", process.log())
        for path in (process.data_dir, *process.data_dir.rglob("*")):
            self.assertEqual(path.stat().st_mode & 0o027, 0, f"others can read {path}, or its group can change it")
            if path.is_file():
                self.outputs.add(str(path), re.sub(rb"\0{9,}", b"\0", path.read_bytes()))  # the spool is mostly empty

    def test_a_process_with_every_secret_when_all_is_well_and_when_it_is_not(self):
        password_file = self.file("password", SECRETS["password in its file"] + "\n")
        token_file = self.file("token", SECRETS["token"] + "\n")
        redis = self.enterContext(PrivateRedis())
        redis.cli("CONFIG", "SET", "slowlog-log-slower-than", "0")
        redis.cli("ACL", "SETUSER", USER, "on", ">" + SECRETS["password in its file"], *RIGHTS)
        told = threading.Event()

        def refuses(headers, body):
            """And says to whom it was sent: what it is told is kept."""
            self.outputs.add("the webhook's body", body)
            for name, value in headers.items():
                self.outputs.add("the webhook's headers", f"{name}: {value}")
            told.set()
            return 302, {"Location": "/" + SECRETS[WEBHOOK_KEY]}

        webhook = self.enterContext(Webhook("/" + SECRETS[WEBHOOK_KEY], refuses))
        simulator = self.enterContext(Simulator("--interval", "100ms"))
        urls = {name: url + ("&" if "?" in url else "?") + "key=" + SECRETS["key in a feed's address"]
                for name, url in simulator.urls.items() if name in ("binance", "okx")}
        extra = (f'[alerts]\ninterval = "100ms"\nwebhook_url = "{webhook.url}"\n[health]\ninterval = "200ms"\n'
                 'answer_within = "100ms"\n[chaos]\nenabled = true\n[[bridge]]\n')
        url = f"redis://{USER}:{quoted('password in redis.url')}@127.0.0.1:{redis.port}/0"
        process = self.enterContext(Breakwater(
            url, urls, extra, redis=f'password_file = "{password_file}"\nbackoff_initial = "100ms"\nbackoff_max = "200ms"',
            api=f'token_file = "{token_file}"'))
        process.wait_for_log("event=api_listening")
        wait_until(lambda: process.redis_manager()["connected"], 10, "connected")
        wait_until(lambda: redis.cli("EXISTS", "quantum:stream:exchange.normalized"), 15, "records")
        self.assertNotIn("NOPERM", process.log(), "the rights that the README names are enough")
        self.outputs.add("/proc/PID/cmdline", pathlib.Path(f"/proc/{process.process.pid}/cmdline").read_bytes())
        self.ask_everything(process)
        self.commands(process.config)
        for actor in ("redis", "alerts", "feed/okx", "api"):
            self.ask(process, "POST", f"/api/actors/{actor}/kill", Authorization=f"Bearer {SECRETS['token']}")
        process.wait_for_log('event=actor_failed actor="?api')
        wait_until(lambda: self.answers(process), 10, "the API is back")

        # Somebody made the file everyone's: it is not read any more, and the password of before stands.
        password_file.chmod(0o666)
        mark = len(process.log())
        redis.cli("CLIENT", "KILL", "USER", USER)
        process.wait_for_log("event=redis_password_unread reason=.*can be written by everyone", 15, mark)
        process.wait_for_log("event=redis_connected", 15, mark)
        password_file.chmod(0o600)
        # A right less, then a wrong password.
        redis.cli("ACL", "SETUSER", USER, "-xadd")
        process.wait_for_log("NOPERM", 15)
        redis.cli("ACL", "SETUSER", USER, "+xadd")
        password_file.write_text(SECRETS["password that is wrong"] + "\n")
        redis.cli("CLIENT", "KILL", "USER", USER)
        process.wait_for_log("WRONGPASS", 15)
        self.assertTrue(told.wait(15), "an alert reaches the webhook")
        self.ask_everything(process)
        self.commands(process.config)
        self.what_redis_has(redis)
        self.outputs.add("Redis: ACL LOG", redis.cli("ACL", "LOG"))
        redis.stop()
        self.ask_everything(process)
        self.commands(process.config)
        process.terminate(30)
        self.commands(process.config)
        self.what_it_left(process)

    def answers(self, process):
        try:
            return self.ask(process, "GET", "/health/live") == 200
        except OSError:
            return False

    def test_a_password_in_the_environment(self):
        url = f"redis://{USER}:{quoted('password in REDIS_URL')}@127.0.0.1:1/0"
        with Breakwater("redis://127.0.0.1:2/0", environment={"REDIS_URL": url}) as process:
            process.wait_for_log("event=redis_connect_failed")
            self.outputs.add("/proc/PID/cmdline", pathlib.Path(f"/proc/{process.process.pid}/cmdline").read_bytes())
            for path in READS:
                self.ask(process, "GET", path)
            process.terminate(30)
            self.what_it_left(process)

    def test_configs_that_are_refused_do_not_show_what_stands_there(self):
        url, wrong, hook = (SECRETS[name] for name in (
            "password in redis.url", "password that is wrong", "key in the webhook's address"))
        token, feed = SECRETS["token"], SECRETS["password in a feed's address"]
        texts = [
            f'[redis]\nurl = "redis://u:{url}@host:99999/0"',
            f'[redis]\nurl = "redis://u:{url}@host/0?x=y"',
            f'[redis]\nurl = "rediss://u:{url}@host/0"',
            f'[redis]\nurl = "http://u:{url}@host/0"',
            f'[redis]\nurl = "u:{url}@host"',
            f'[redis]\nurl = ["redis://u:{url}@host"]',
            f'[redis]\nurl = redis://u:{url}@host',
            f'[redis]\nurl = "redis://u:{url}@host',
            f'[redis]\nurl = "redis://u:{url}@host" x',
            f'redis = "redis://u:{url}@host"',
            f'alerts = "https://host/{hook}"',
            f'api = "{token}"',
            f'bridge = "{token}"',
            f'[redis]\npassword = "{wrong}"',
            f'[redis]\npassword_file = "{wrong.replace("/", "-")}"',
            f'[redis]\nusername = {{ password = "{wrong}" }}',
            f'[api]\ntoken = "{token}"',
            f'[api]\ntoken_file = "{token.replace("/", "-")}"',
            f'[api]\ntoken_file = ["{token}"]',
            f'[alerts]\nwebhook_url = "ftp://host/{hook}"',
            f'[alerts]\nwebhook_url = "https://u:{hook}@host/"',
            f'[alerts]\nwebhook_url = "https://host:0/{hook}"',
            f'[alerts]\nwebhook_url = ["https://host/{hook}"]',
            f'[alerts]\nwebhook_url = "https://host/{hook}\n',
            f'[alerts]\nwebhook = "https://host/{hook}"',
            f'[feeds.okx]\nurl = "wss://u:{feed}@host/x"',
            f'[feeds.okx]\nrest_url = "https://u:{feed}@host"',
        ]
        for text in texts:
            with self.subTest(text=text):
                config = self.file("f.toml", text + "\n")
                for command in (("check",), ("run",)):
                    self.assertEqual(self.command(*command, "--config", config).returncode, 2)
        for url in (f"u:{quoted('password in REDIS_URL')}@host", f"http://u:{quoted('password in REDIS_URL')}@host",
                    f"redis://u:{quoted('password in REDIS_URL')}@host:0"):
            self.assertEqual(self.command("check", "--config", self.file("f.toml", ""), REDIS_URL=url).returncode, 2)

    def test_the_key_of_a_certificate_is_not_shown(self):
        key = "\n".join(["-----BEGIN PRIVATE KEY-----", "TUlHSEFnRUFNQk1HQnlxR1NNNDlBZ0VHQ0Nx",
                         "-----END PRIVATE KEY-----", ""])
        SECRETS["private key"] = "TUlHSEFnRUFNQk1HQnlxR1NNNDlBZ0VHQ0Nx"
        self.addCleanup(SECRETS.pop, "private key")
        file = self.file("key.pem", key)
        self.assertNotEqual(self.command("simulate", "--listen", "127.0.0.1:0", "--certificate", file, "--private-key",
                                         file).returncode, 0)


def quoted(name):
    return urllib.parse.quote(SECRETS[name], safe="")


if __name__ == "__main__":
    unittest.main(verbosity=2)
