"""Helpers of the system tests: a redis-server, the simulated exchanges and breakwater itself as real processes.

Each is a context manager; what it started and wrote is gone when the block ends, also after a failure. Standard
library only. BREAKWATER_BINARY names the binary; without it, build/release/breakwater of this repository.

A test file is run by itself: python3 tests/system/replay_test.py [Class.test] [-v]
"""

import http.client
import http.server
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("BREAKWATER_BINARY", REPOSITORY / "build/release/breakwater"))
EXCHANGES = ("binance", "bybit", "coinbase", "okx", "kraken")
STREAM = "quantum:stream:exchange.normalized"


def wait_until(predicate, timeout, what):
    """Returns the first true value of predicate(); fails with `what` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"within {timeout} s did not happen: {what}")
        time.sleep(0.02)


def free_port(host="127.0.0.1"):
    """A TCP port that was free a moment ago, and below those that outgoing connections take."""
    while True:
        port = random.randrange(10000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind((host, port))
                return port
            except OSError:
                pass


def environment(**changes):
    """Ours without what would change what breakwater does, and with `changes`."""
    kept = {key: value for key, value in os.environ.items() if key not in ("REDIS_URL", "SSL_CERT_FILE")}
    return {**kept, **{key: str(value) for key, value in changes.items()}}


def breakwater(*words, timeout=30, **changes):
    """Runs one command to its end: its returncode, stdout and stderr. `changes` go into its environment."""
    return subprocess.run([str(BINARY), *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=timeout, env=environment(**changes))


def in_own_mounts(script):
    """A wrapper (see Breakwater) in a mount namespace of its own, after the mounts of `script`; $@ is what it runs."""
    return ("unshare", "--mount", "--propagation", "private", "sh", "-c", f'{script} && exec "$@"', "sh")


def own_mounts_are_permitted():
    if not shutil.which("unshare"):
        return False
    mount = 'mount --bind /etc/hosts /etc/hosts'
    return subprocess.run([*in_own_mounts(mount), "true"], capture_output=True).returncode == 0


def id_key(entry_id):
    """A stream entry's id as something to compare: ids are numbers, not texts."""
    return tuple(map(int, entry_id.split("-")))


def fields_of(line):
    """The key=value part of a log line."""
    return {key: quoted or bare for key, quoted, bare in re.findall(r'(\S+?)=(?:"([^"]*)"|(\S+))', line)}


class RedisError(Exception):
    """An error reply."""


class RespClient:
    """The little of the Redis protocol that tests need: one command out, one reply in, as text. `where` is the path
    of a Unix socket or (host, port)."""

    def __init__(self, where, timeout=5):
        is_tcp = isinstance(where, tuple)
        self._socket = socket.socket(socket.AF_INET if is_tcp else socket.AF_UNIX)
        self._socket.settimeout(timeout)
        try:
            self._socket.connect(where if is_tcp else str(where))
        except OSError:
            self._socket.close()
            raise
        self._input = self._socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._input.close()
        self._socket.close()

    def command(self, *words):
        reply = self.pipeline(words)[0]
        if isinstance(reply, RedisError):
            raise reply
        return reply

    def pipeline(self, *commands):
        """All commands at once, then all replies; errors are among them."""
        self.send(*commands)
        return [self.receive() for _ in commands]

    def send(self, *commands):
        wire = b""
        for words in commands:
            words = [str(word).encode() for word in words]
            wire += b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words)
        self._socket.sendall(wire)

    def receive(self):
        line = self._input.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("redis-server closed the connection")
        kind, text = line[:1], line[1:-2].decode()
        if kind == b"+":
            return text
        if kind == b"-":
            return RedisError(text)  # inside an array it is a value; command() raises the outermost one
        if kind == b":":
            return int(text)
        length = int(text)
        if length < 0:
            return None
        if kind == b"$":
            return self._input.read(length + 2)[:-2].decode()
        if kind == b"*":
            return [self.receive() for _ in range(length)]
        raise ConnectionError(f"not a Redis reply: {line!r}")


class Process:
    """A child process with its output in files, ended at the latest when the block ends."""

    def __init__(self):
        self.folder = None
        self.process = None

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"breakwater-{type(self).__name__.lower()}-"))
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        raise NotImplementedError

    def running(self):
        return self.process is not None and self.process.poll() is None

    def terminate(self, timeout=20):
        """SIGTERM; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def kill(self):
        """SIGKILL, as a crash; harmless when it has ended."""
        if self.process is not None:
            if self.running():
                self.process.kill()
            self.process.wait()

    def output(self):
        """Everything it has printed, of all its runs."""
        return (self.folder / "output").read_text(errors="replace")

    def _spawn(self, *command, **options):
        with open(self.folder / "output", "ab") as output:
            self.process = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output, stderr=output, **options)

    def wait_for(self, predicate, timeout, what):
        """wait_until for something this process does: fails at once when it ends, and shows its last output."""
        deadline = time.monotonic() + timeout
        while True:
            running = self.running()  # asked first, so that the last words of a process that ends just now count
            value = predicate()
            if value:
                return value
            if not running:
                self._fail(f"it ended with {self.process.returncode} before: {what}")
            if time.monotonic() > deadline:
                self._fail(f"within {timeout} s did not happen: {what}")
            time.sleep(0.02)

    def _fail(self, what):
        tail = "\n".join(self.output().splitlines()[-30:])
        raise AssertionError(f"{what}\n--- last output of {type(self).__name__} ---\n{tail}")


class PrivateRedis(Process):
    """A redis-server on a Unix socket and a TCP port of its own. stop() and kill() end it, start() brings it back on
    the same addresses. It keeps nothing over a restart unless `persistent`: then all that was acknowledged."""

    def __init__(self, *arguments, persistent=False, host="127.0.0.1", port=None, wrapper=()):
        super().__init__()
        self.arguments = arguments
        self.wrapper = wrapper  # a command that ends in running its arguments
        self._persistent = persistent
        self.host = host
        self.port = port or free_port(host)
        self.password = None  # what cli() has to say first

    @property
    def socket_path(self):
        return self.folder / "redis.sock"

    @property
    def url(self):
        return f"redis://{self.host}:{self.port}/0"

    @property
    def unix_url(self):
        return f"unix://{self.socket_path}"

    def start(self, wait=True):
        keep = ("--appendonly", "yes", "--appendfsync", "always") if self._persistent else ("--appendonly", "no")
        self._spawn(*self.wrapper, "redis-server", "--bind", self.host, "--port", self.port, "--unixsocket", self.socket_path,
                    "--dir", self.folder, "--save", "", "--daemonize", "no", *keep, *self.arguments)
        if wait:
            self.wait_for_answer()

    def wait_for_answer(self):
        self.wait_for(self._answers, 10, "redis-server answers PING")

    def stop(self):
        """An orderly end, as `systemctl stop` does it."""
        self.terminate()

    def cli(self, *words):
        """One command as redis-cli would send it: redis.cli("XLEN", "key")."""
        with RespClient(self.socket_path) as client:
            if self.password:
                client.command("AUTH", self.password)
            return client.command(*words)

    def entries(self, stream):
        """The whole stream: a list of (id, {field: value})."""
        return [(entry, dict(zip(flat[::2], flat[1::2]))) for entry, flat in self.cli("XRANGE", stream, "-", "+")]

    def _answers(self):
        try:
            return self.cli("PING") == "PONG"
        except (OSError, RedisError):
            return False


class Simulator(Process):
    """`breakwater simulate`: the exchanges, with invented prices or frames from a file."""

    def __init__(self, *arguments):
        super().__init__()
        self._arguments = arguments
        self._listen = "127.0.0.1:0"
        self.urls = {}

    def start(self):
        before = len(self.output()) if self.process else 0
        self._spawn(BINARY, "simulate", "--listen", self._listen, *self._arguments)
        printed = lambda: re.search(r"listen on port (\d+);(?s:.*?)\n\n", self.output()[before:])
        found = self.wait_for(printed, 10, "the simulator prints its addresses")
        self._listen = f"127.0.0.1:{found[1]}"  # so that start() after stop() is the same exchange coming back
        self.urls = dict(re.findall(r'^\[feeds\.(\w+)\]\nurl = "(.+)"$', found[0], re.MULTILINE))

    def stop(self):
        return self.terminate()


class Breakwater(Process):
    """`breakwater run` with a config made of `redis_url`, a data_dir of its own and `urls`, the feeds' addresses by
    exchange; an exchange without one is disabled, and past candles are asked for at the same host and port. Its API has a port of its own. `process`, `redis` and `api` are more
    lines of those tables, `extra` is TOML behind all that; `environment` changes the environment it runs in, and
    `wrapper` is a command that ends in running its arguments, as `env` does."""

    def __init__(self, redis_url, urls=None, extra="", process="", environment=None, *, redis="", api="", wrapper=()):
        super().__init__()
        self._redis_url = redis_url
        self._urls = urls or {}
        self._extra = extra
        self._tables = {"process": process, "redis": redis, "api": api}
        self._environment = environment or {}
        self._wrapper = wrapper
        self.api_port = free_port()

    @property
    def config(self):
        return self.folder / "breakwater.toml"

    @property
    def data_dir(self):
        return self.folder / "data"

    def start(self):
        feeds = "\n".join(f"[feeds.{name}]\n{self._feed(name)}" for name in EXCHANGES)
        # The whole of max_bytes is taken from the disk at once.
        spool = "" if "[spool]" in self._extra else '[spool]\nmax_bytes = "64MiB"\n'
        self.config.touch(mode=0o600) # it may hold secrets, and would be warned of
        self.config.write_text(
            f'[process]\ndata_dir = "{self.data_dir}"\n{self._tables["process"]}\n'
            f'[redis]\nurl = "{self._redis_url}"\n{self._tables["redis"]}\n'
            f'[api]\nlisten = "127.0.0.1:{self.api_port}"\n{self._tables["api"]}\n'
            f'{spool}{feeds}\n{self._extra}\n')
        self._spawn(*self._wrapper, BINARY, "run", "--config", self.config, env=environment(**self._environment))

    def _feed(self, name):
        if name not in self._urls:
            return "enabled = false\n"
        url = self._urls[name]
        rest_url = re.sub(r"^ws(s?)://([^/]+).*", r"http\1://\2", url)
        return f'url = "{url}"\nrest_url = "{rest_url}"\n'

    def api(self, method, path, body=None, headers=None):
        """One request: (status, the answer's JSON). `body` is an object, or text as it is."""
        connection = http.client.HTTPConnection("127.0.0.1", self.api_port, timeout=5)
        try:
            text = json.dumps(body) if isinstance(body, (dict, list)) else body
            connection.request(method, path, text, headers or {})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def redis_manager(self):
        """What /health says of the Redis connection."""
        return self.api("GET", "/health")[1]["redis_manager"]

    def log(self):
        return self.output()

    def audit(self):
        """What the audit log says: a list of objects."""
        return [json.loads(line) for line in (self.data_dir / "audit.jsonl").read_text().splitlines()]

    def wait_for_log(self, regex, timeout=10, after=0):
        """The match of `regex` in the log, from character `after` on; fails when the process ends without it."""
        pattern = re.compile(regex, re.MULTILINE)
        return self.wait_for(lambda: pattern.search(self.output(), after), timeout, f"the log says {regex!r}")

    def events(self, name):
        """What the log says of this event: a list of {key: text}."""
        return [fields_of(line) for line in self.log().splitlines() if re.search(rf" event={name}( |$)", line)]

    def health(self):
        """The newest health line as {key: text}; empty before the first."""
        lines = [line for line in self.log().splitlines() if " event=health_reported " in line]
        if not lines:
            return {}
        return fields_of(lines[-1])


class Webhook:
    """Takes POSTs at `url`, which ends with `path`. `takes(headers, body)` returns status and headers of the answer."""

    def __init__(self, path, takes):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                status, headers = takes(self.headers, self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}{path}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
