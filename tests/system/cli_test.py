"""The command line: what each command says, its exit codes, and what it leaves behind."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

import support
from support import Breakwater, PrivateRedis, Simulator, breakwater

COMMANDS = ("run", "check", "replay", "breaker", "spool", "audit", "simulate", "demo")

FAULTS = ("slow", "cut", "silent", "duplicate", "reordered", "malformed", "snapshot", "wrong_acknowledgement", "day_end",
          "rate_limit")


class CommandLine(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="breakwater-cli-")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def config(self, text):
        path = self.folder / "breakwater.toml"
        path.write_text(text)
        return path

    def test_version(self):
        ended = breakwater("--version")
        self.assertEqual(ended.returncode, 0)
        self.assertRegex(ended.stdout, r"^breakwater \d+\.\d+\.\d+\n$")

    def test_version_with_the_libraries_that_are_built_in_and_loaded(self):
        for words in (("--version", "--verbose"), ("--verbose", "--version")):
            ended = breakwater(*words)
            self.assertEqual((ended.returncode, ended.stderr), (0, ""))
            first, built_by, _, *rows = ended.stdout.splitlines()
            self.assertRegex(first, r"^breakwater \d+\.\d+\.\d+$")
            self.assertRegex(built_by, r"^built by (g\+\+|clang) \d+.*, (Release|Debug|RelWithDebInfo)$")
            self.assertRegex(rows[0], r"^library +built with +loaded$")
            names = [row.split()[0] for row in rows[1:]]
            self.assertEqual(names, ["CAF", "hiredis", "Boost", "OpenSSL", "LMDB", "simdjson", "nlohmann_json", "valijson",
                                     "spdlog", "fmt", "toml++", "CLI11", "prometheus-cpp", "libsystemd", "glibc"])
            for row in rows[1:]:
                self.assertRegex(row, r"^\S+ +\d+[.\d+\w-]* +(headers only|not loaded|lib\S+\.so\S*|[\d.]+ \(lib\S+\.so\S*\))$")
            self.assertRegex(ended.stdout, r"(?m)^CAF +0\.17\.6 +libcaf_core\.so")
        self.assertNotEqual(breakwater("--verbose").returncode, 0)

    def test_help_names_every_command_and_each_has_its_own(self):
        ended = breakwater("--help")
        self.assertEqual(ended.returncode, 0)
        for command in COMMANDS:
            with self.subTest(command=command):
                self.assertRegex(ended.stdout, rf"(?m)^ +{command} ")
                own = breakwater(command, "--help")
                self.assertEqual((own.returncode, own.stderr), (0, ""))
                self.assertIn("--help", own.stdout)

    def test_a_command_that_does_not_exist_is_refused(self):
        for words in (["dance"], [], ["run"], ["run", "--conifg", "x"], ["demo", "--for", "long"]):
            with self.subTest(words=words):
                ended = breakwater(*words)
                self.assertNotEqual(ended.returncode, 0)
                self.assertEqual(ended.stdout, "")
                self.assertRegex(ended.stderr, r"(?i)--help|duration")

    def test_check_prints_what_is_in_force(self):
        ended = breakwater("check", "--config", self.config('[process]\ninstance = "b"\n[redis]\nbackoff_max = "1m"\n'))
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        self.assertRegex(ended.stdout, r'(?m)^instance = "b"$')
        self.assertRegex(ended.stdout, r'(?m)^backoff_max = "(1m|60s)"$')
        self.assertRegex(ended.stdout, r'(?m)^command_timeout = "5s"$')
        again = breakwater("check", "--config", self.config(ended.stdout))
        self.assertEqual(again.stdout, ended.stdout, "what it prints is itself a config that means the same")

    def test_check_accepts_the_config_that_is_shipped(self):
        ended = breakwater("check", "--config", support.REPOSITORY / "config/breakwater.toml")
        self.assertEqual(ended.returncode, 0, ended.stderr)

    def test_check_names_file_line_and_column_of_every_problem(self):
        path = self.config('[breaker.redis]\nfailure_threshold = 0\nopen_durration = "60s"\n\n[redis]\n  url = 7\n')
        ended = breakwater("check", "--config", path)
        self.assertEqual((ended.returncode, ended.stdout), (2, ""))
        self.assertRegex(ended.stderr, rf"(?m)^{path}:2:21: .*failure_threshold.* 0 .*1\.\.")
        self.assertRegex(ended.stderr, rf"(?m)^{path}:3:1: .*open_durration.*open_duration")
        self.assertRegex(ended.stderr, rf"(?m)^{path}:6:9: .*redis\.url")

    def test_check_refuses_what_is_no_toml_and_what_is_not_there(self):
        path = self.config("[redis\n")
        self.assertRegex(breakwater("check", "--config", path).stderr, rf"^{path}:1:\d+: ")
        for missing in (self.folder / "no-such.toml", self.folder):
            ended = breakwater("check", "--config", missing)
            self.assertEqual(ended.returncode, 2, missing)
            self.assertIn(str(missing), ended.stderr)

    def test_run_does_not_start_with_a_config_it_refuses(self):
        data = self.folder / "data"
        path = self.config(f'[process]\ndata_dir = "{data}"\n[redis]\nurl = "http://nowhere"\n')
        ended = breakwater("run", "--config", path)
        self.assertEqual(ended.returncode, 2)
        self.assertRegex(ended.stderr, rf"^{path}:4:7: ")
        self.assertNotIn("process_started", ended.stderr)
        self.assertFalse(data.exists())

    def test_a_config_that_everybody_can_change_is_not_run_and_one_that_everybody_can_read_is(self):
        data = self.folder / "data"
        path = self.config(f'[process]\ndata_dir = "{data}"\n[alerts]\nwebhook_url = "https://127.0.0.1:1/"\n')
        path.chmod(0o666)
        for command in ("check", "run", "diagnose"):
            ended = breakwater(command, "--config", path)
            self.assertEqual((ended.returncode, ended.stdout), (2, ""))
            self.assertIn(f"{path}: can be written by everyone on this machine: chmod go-w {path}", ended.stderr)
        self.assertFalse(data.exists())
        path.chmod(0o644)
        ended = breakwater("check", "--config", path)
        self.assertEqual(ended.returncode, 0)
        self.assertRegex(ended.stderr, rf"^warning: {path}: can be read by everyone .*: chmod o-r {path}\n$")
        self.assertIn(f"     $ chmod o-r {path}\n", breakwater("diagnose", "--config", path).stdout)

    def test_run_says_when_its_data_dir_cannot_be_used(self):
        path = self.config('[process]\ndata_dir = "/proc/breakwater"\n')
        ended = breakwater("run", "--config", path)
        self.assertEqual(ended.returncode, 2)
        self.assertIn("data_dir /proc/breakwater", ended.stderr)

    def test_simulate_says_when_its_port_is_taken(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            ended = breakwater("simulate", "--listen", f"127.0.0.1:{port}")
        self.assertEqual(ended.returncode, 2)
        self.assertIn(f"127.0.0.1:{port}", ended.stderr)
        self.assertRegex(ended.stderr, "(?i)in use")


    def test_simulate_explains_each_fault_and_refuses_what_is_none(self):
        shown = breakwater("simulate", "--help").stdout
        for kind in FAULTS:
            with self.subTest(kind=kind):
                self.assertRegex(shown, rf"(?m)^ +{kind}: \w.{{10,}}$")
        for words, said in ((("--fault", "nope"), ", ".join(FAULTS)), (("--fault", "cut,every=never"), "every=never"),
                            (("--fault", "cut,exchange=mtgox"), "coinbase"), (("--faults", "some"), "all")):
            with self.subTest(words=words):
                ended = breakwater("simulate", "--listen", "127.0.0.1:0", *words)
                self.assertEqual((ended.returncode, ended.stdout), (2, ""))
                self.assertIn(said, ended.stderr)

    def test_simulate_prints_a_config_of_five_exchanges_and_what_went_wrong(self):
        with Simulator("--faults", "all,every=1m", "--fault", "rate_limit,exchange=binance,every=1h,for=1h") as exchanges:
            self.assertEqual(sorted(exchanges.urls), ["binance", "bybit", "coinbase", "kraken", "okx"])
            printed = exchanges.output()
            rest_urls = set(re.findall(r'(?m)^rest_url = "(.+)"$', printed))
            self.assertEqual(len(rest_urls), 1)
            spot = printed.split("\n# for symbols.market")[0]
            ended = breakwater("check", "--config", self.config(spot))
            self.assertEqual((ended.returncode, ended.stderr), (0, ""))
            # What the faults do not touch is answered, what they do is refused.
            with self.assertRaises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(f"{rest_urls.copy().pop()}/api/v3/klines?symbol=BTCUSDT&interval=1m")
            self.assertEqual(refused.exception.code, 429)
            self.assertEqual(refused.exception.headers["Retry-After"], "5")
            refused.exception.close()
            exchanges.terminate()
            self.assertRegex(exchanges.output(), r"(?m); 1 requests for past candles\.$")
            self.assertRegex(exchanges.output(), r"(?m)^Went wrong on purpose: rate_limit 1\.$")


class Demo(unittest.TestCase):
    def test_shows_records_and_leaves_nothing_behind(self):
        with tempfile.TemporaryDirectory(prefix="bw-") as temporary:
            process = subprocess.Popen([str(support.BINARY), "demo", "--for", "5s"], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                       start_new_session=True, env=support.environment(TMPDIR=temporary))
            support.wait_until(lambda: os.listdir(temporary), 15, "its files are where we look for what is left")
            support.wait_until(lambda: len(of_session(process.pid)) > 1, 15, "its redis-server is where we look")
            out, err = process.communicate(timeout=20)
            self.assertEqual(process.returncode, 0, err)
            self.assertEqual(os.listdir(temporary), [])
        self.assertEqual(of_session(process.pid), [])
        seconds = re.findall(r"(?m)^ *(\d+)s +(\d+) records \(\+\d+/s\)", out)
        self.assertEqual([int(second) for second, _ in seconds], [1, 2, 3, 4, 5])
        self.assertGreater(int(seconds[-1][1]), 0)
        self.assertRegex(out, r"BTCUSDT \d+\.\d+ \+-\d+\.\d+ from 5")
        self.assertRegex(out.splitlines()[-1], r"^[1-9]\d* merged records arrived in Redis")

    def test_redis_is_stopped_and_started_by_typing(self):
        with tempfile.TemporaryDirectory(prefix="bw-") as temporary:
            process = subprocess.Popen([str(support.BINARY), "demo"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True, start_new_session=True,
                                       env=support.environment(TMPDIR=temporary))
            try:
                said = []
                def until(pattern):
                    for line in process.stdout:
                        said.append(line)
                        if re.search(pattern, line):
                            return line
                    self.fail(f"the demo ended without a line like {pattern}: {''.join(said)}")
                def type_in(word):
                    process.stdin.write(word + "\n")
                    process.stdin.flush()
                config = until("^config ").split()[1]
                until(r"BTCUSDT \d")
                checked = breakwater("check", "--config", config)
                self.assertEqual((checked.returncode, checked.stderr), (0, ""))
                self.assertIn("CLOSED", breakwater("breaker", "status", "--config", config).stdout)
                type_in("dance")
                until("type stop, start")
                type_in("stop")
                until("Redis is stopped; circuit OPEN; [1-9][0-9]* records wait in the spool")
                type_in("start")
                until(r"BTCUSDT \d")
                os.killpg(process.pid, signal.SIGINT)
                out, err = process.communicate(timeout=20)
                self.assertEqual(process.returncode, 0, out + err)
                self.assertRegex(out, r"(\d+) records were accepted on disk, \1 came through Redis: none is missing")
                self.assertEqual(os.listdir(temporary), [])
            finally:
                process.kill()

    def test_leaves_nothing_behind_after_ctrl_c(self):
        with tempfile.TemporaryDirectory(prefix="bw-") as temporary:
            process = subprocess.Popen([str(support.BINARY), "demo"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True, start_new_session=True,
                                       env=support.environment(TMPDIR=temporary))
            for line in process.stdout:
                if "BTCUSDT" in line:
                    break
            os.killpg(process.pid, signal.SIGINT)
            out, err = process.communicate(timeout=20)
            self.assertEqual(process.returncode, 0, err)
            self.assertEqual(os.listdir(temporary), [])
        self.assertEqual(of_session(process.pid), [])
        self.assertIn("merged records arrived in Redis", out)


def of_session(session):
    """The processes of a session."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.getsid(int(entry.name)) == session:
                found.append(int(entry.name))
        except ProcessLookupError:
            pass
    return found


class Run(unittest.TestCase):
    def test_a_data_dir_serves_one_process(self):
        with PrivateRedis() as redis, Breakwater(redis.unix_url) as first:
            first.wait_for_log("Connected to Redis")
            second = breakwater("run", "--config", first.config)
            self.assertEqual(second.returncode, 2)
            self.assertIn(f"another breakwater runs on process.data_dir {first.data_dir}", second.stderr)
            self.assertTrue(first.running())
            self.assertEqual(first.terminate(), 0, "without any feed, too, it is a valid process")
            first.start()  # the lock is gone with its holder
            first.wait_for_log("event=process_started(?s:.*)event=process_started")

    def test_the_data_dir_of_a_process_that_crashed_is_free(self):
        with PrivateRedis() as redis, Breakwater(redis.unix_url) as process:
            process.wait_for_log("Connected to Redis")
            process.kill()
            process.start()
            process.wait_for_log("Connected to Redis(?s:.*)Connected to Redis")
            self.assertEqual(process.terminate(), 0)

    def test_stopping_while_redis_is_away_keeps_what_waits(self):
        with PrivateRedis() as redis, Simulator("--interval", "100ms") as exchanges:
            limits = 'shutdown_timeout = "2s"'
            often = '[health]\ninterval = "500ms"\nanswer_within = "250ms"'
            with Breakwater(redis.unix_url, exchanges.urls, often, limits) as process:
                support.wait_until(lambda: redis.cli("XLEN", support.STREAM) > 20, 15, "records in the stream")
                stored = redis.cli("XLEN", support.STREAM)
                redis.kill()
                process.wait_for_log("Connection lost")
                support.wait_until(lambda: int(process.health().get("publisher.waiting", 0)) > 20, 15, "records wait")
                waiting = int(process.health()["publisher.waiting"])
                began = time.monotonic()
                self.assertEqual(process.terminate(), 0)
                self.assertLess(time.monotonic() - began, 3.5)
                self.assertGreater(stored, 20)
                said = re.search(r"WARN  \[process\] .* event=spool_keeps stream=\S+ count=(\d+)", process.log())
                self.assertIsNotNone(said, process.log()[-2000:])
                self.assertGreaterEqual(int(said[1]), waiting)
                self.assertIn("event=process_stopped code=0", process.log())
                self.assertEqual(process.audit()[-1]["what"], "process_stopped")
                self.assertEqual(process.audit()[-1]["details"], {"drained": "yes", "waiting": said[1]})
                redis.start()  # it has forgotten everything
                before = process.log()
                process.start()
                process.wait_for_log("event=publisher_synced", after=len(before))
                self.assertEqual(process.terminate(), 0)
                self.assertGreaterEqual(redis.cli("XLEN", support.STREAM), stored + int(said[1]))

    def test_the_environment_names_another_redis(self):
        with PrivateRedis() as redis:
            with Breakwater("redis://127.0.0.1:1/0", environment={"REDIS_URL": redis.unix_url}) as process:
                process.wait_for_log("Connected to Redis.*redis.sock")


if __name__ == "__main__":
    unittest.main()
