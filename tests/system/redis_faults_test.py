"""A table of what can go wrong between breakwater and Redis: what /health says of it while it lasts, what is counted
and what is not, how soon it is over when the cause is gone, and in the end that the stream holds every record once and
in order.

Each row has exchanges of its own, which send a script in which each (symbol, minute) comes once from each of three
exchanges, so that each minute makes exactly two records: one when the second exchange has it and one with the third.
When the row is over the exchanges stop, and the stream is compared with the script and with the aggregator's count.

The rows run side by side, for most of the time of each is waiting. One alone:

    python3 tests/system/redis_faults_test.py RedisFaults.test_oom
"""

import collections
import concurrent.futures
import contextlib
import dataclasses
import os
import pathlib
import signal
import sys
import tempfile
import threading
import time
import typing
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from fault_proxy import ANY, FIN, TURNED_AWAY, FaultProxy  # noqa: E402
from redis_outage_test import EXCHANGES, FIRST_MINUTE, SYMBOLS, price_of, write_script  # noqa: E402
from support import (STREAM, Breakwater, PrivateRedis, RespClient, Simulator, id_key, in_own_mounts,  # noqa: E402
                     own_mounts_are_permitted, wait_until)

SIDE_BY_SIDE = 14
SCRIPT_S, STEP_MS = 90, 100
REDIS = """
connect_timeout = "500ms"
command_timeout = "500ms"
health_interval = "300ms"
backoff_initial = "50ms"
backoff_max = "300ms"
"""
CONFIG = """
[breaker.redis]
open_duration = "500ms"
max_open_duration = "1s"
[symbols]
list = ["BTCUSDT", "ETHUSDT"]
[aggregator]
window = "720h"
[health]
interval = "500ms"
answer_within = "400ms"
"""
BUSY = "BUSY Redis is busy running a script."
PASSWORD = "s3cret-of-the-test"
NO_SUCH_HOST = "no-such-host.invalid"
SLOW_RETRY_S = 35  # what only a human can mend is looked at each 30 s

Sample = collections.namedtuple("Sample", "redis breaker publisher attention")


def counters(sample):
    """What is counted, of the connection, the breaker and the publisher."""
    return {**{name: sample.redis[name] for name in ("connection_attempts", "failed_operations", "consecutive_failures",
                                                     "reconnects", "successful_operations")},
            "breaker.failures": sample.breaker["statistics"]["failures"],
            "breaker.times_opened": sample.breaker["statistics"]["times_opened"],
            "publisher.refusals": int(sample.publisher["refusals"])}


def as_expected(fault, sample):
    """Whether /health says of a fault what it should."""
    facts = {**sample.redis, "circuit": sample.breaker["state"], "active": sample.breaker["active"],
             "spool": sample.publisher["level"]}
    expected = {"last_error_class": fault.error_class, **fault.seen}
    return all(wanted(facts[key]) if callable(wanted) else facts[key] in wanted if isinstance(wanted, tuple)
               else facts[key] == wanted for key, wanted in expected.items())


class Row:
    """One fault and the world it happens in. The functions of the table below get it."""

    def __init__(self, name, fault):
        self.name, self.fault = name, fault
        self.redis = self.replica = self.admin = self.proxy = self.exchanges = self.hosts = self.breakwater = None
        self.at = None  # where the stream is in the end, when not where it began
        self.script = None

    def play(self):
        with contextlib.ExitStack() as stack:
            try:
                return self._play(stack)
            except BaseException as failed:
                log = self.breakwater.log() if self.breakwater else ""
                lines = [line for line in log.splitlines() if " [health] " not in line]
                raise AssertionError(f"{self.name}: {failed}\n" + "\n".join(lines[-25:])) from failed

    def _play(self, stack):
        fault = self.fault
        self.redis = stack.enter_context(PrivateRedis("--enable-debug-command", "local", *fault.server,
                                                      persistent=fault.persistent))
        self.proxy = stack.enter_context(FaultProxy(self.redis.socket_path))
        # Opened before anything happens, so that it has its rights and its place whatever happens.
        self.admin = stack.enter_context(RespClient(self.redis.socket_path, timeout=15))
        self.exchanges = stack.enter_context(Simulator("--frames", script))
        self.hosts = Hosts(stack) if fault.own_hosts else None
        if fault.prepare:
            fault.prepare(self, stack)
        url = fault.url(self) if callable(fault.url) else (self.proxy.url if fault.url == "proxy" else self.redis.url)
        urls = {name: self.exchanges.urls[name] for name in EXCHANGES}
        lines = REDIS + (fault.redis(self) if fault.redis else "")
        self.breakwater = stack.enter_context(Breakwater(url, urls, CONFIG, redis=lines,
                                                         wrapper=self.hosts.wrapper if self.hosts else ()))
        self.breakwater.wait_for_log("event=health_reported")
        if not fault.from_start:
            self._await(lambda: self.length() >= 20, 15, "records are in the stream")
            self._await(lambda: self.sample().redis["connected"], 3, "health knows of the connection")
        return self._tell(fault)

    def _tell(self, fault):
        before, during = self.sample(), []
        if fault.begin:
            fault.begin(self)
        began = time.monotonic()
        # The fault stays at least for its time, and as long as what is expected of it was not seen.
        while True:
            if not self.breakwater.running():
                raise AssertionError("breakwater ended")
            during.append(self.sample())
            lasts_s = time.monotonic() - began
            proven = not fault.proof or fault.proof(self)
            seen = proven and as_expected(fault, during[-1]) and self._moved(before, during[-1])
            if lasts_s > fault.lasts_s and (seen or lasts_s > fault.lasts_s + 6):
                break
            time.sleep(0.1)
        lasted = self._next_tick()
        during.append(lasted)
        if not proven:
            raise AssertionError("the fault was not there")
        if fault.lift:
            fault.lift(self)
        lifted = time.monotonic()
        if fault.never_mends:
            return Told(self.name, before, during, lasted, None, None, self.breakwater.log(), [], 0,
                        self.breakwater.terminate(), self.breakwater.audit())
        length = self.length()
        self._await(lambda: self.length() > length, fault.back_within_s + 5, "records go into the stream again")
        back_s = time.monotonic() - lifted
        after = self._await(self._well, fault.back_within_s + 5, "all is well in /health again")
        time.sleep(0.5)
        self.exchanges.stop()
        merged = self._await(self._settled, 10, "the stream has all that was merged")
        code = self.breakwater.terminate()
        return Told(self.name, before, during, lasted, after, back_s, self.breakwater.log(), self.entries(), merged,
                    code, self.breakwater.audit())

    def sample(self):
        """As /health and /api/actors say: of the last tick."""
        _, health = self.breakwater.api("GET", "/health")
        return Sample(health["redis_manager"], health["breakers"]["redis"], health["spool"], health["attention"])

    def _next_tick(self):
        """How it stands now, as the next tick tells it."""
        as_of = lambda: self.breakwater.api("GET", "/health")[1]["as_of"]
        last = as_of()
        self._await(lambda: as_of() != last, 3, "a health tick")
        return self.sample()

    def _moved(self, before, now):
        return all(counters(now)[name] > counters(before)[name] for name in self.fault.moves)

    def _well(self):
        now = self.sample()
        well = (now.redis["connected"], now.redis["healthy"], now.redis["phase"], now.redis["consecutive_failures"],
                now.breaker["state"], now.redis["circuit_open"]) == (True, True, "ready", 0, "CLOSED", False)
        return now if well else None

    def _settled(self):
        facts = {actor["name"]: actor["facts"] for actor in self.breakwater.api("GET", "/api/actors")[1]["actors"]}
        merged = int(facts["aggregator"]["records"])
        return merged if facts["publisher"]["waiting"] == "0" and merged == self.length() else None

    def _await(self, predicate, timeout, what):
        def asked():
            if not self.breakwater.running():
                raise AssertionError("breakwater ended")
            return predicate()
        return wait_until(asked, timeout, what)

    # for the functions of the table

    def length(self):
        return (self.at or self.redis).cli("XLEN", STREAM)

    def entries(self):
        return (self.at or self.redis).entries(STREAM)

    def config(self, name, value):
        self.admin.command("CONFIG", "SET", name, value)

    def kill_connection(self):
        """Ours, as an administrator would."""
        for client in self.admin.command("CLIENT", "LIST").splitlines():
            facts = dict(fact.split("=", 1) for fact in client.split())
            if facts["name"].startswith("breakwater:"):
                self.admin.command("CLIENT", "KILL", "ID", facts["id"])

    def signal(self, number):
        self.redis.process.send_signal(number)


@dataclasses.dataclass
class Fault:
    begin: typing.Callable | None
    lift: typing.Callable | None = lambda row: row.proxy.heal()
    error_class: str = "transport"
    seen: dict = dataclasses.field(default_factory=dict)    # in /health when it has lasted for a while
    always: dict = dataclasses.field(default_factory=dict)  # and from its beginning on
    moves: tuple = ()                                       # counters that grow while it lasts
    stays: tuple = ()                                       # and that do not
    error: str = ""                                         # regex of last_error
    logged: str = ""
    lasts_s: float = 1.5
    back_within_s: float = 5
    url: typing.Any = "proxy"                               # or "server", or what makes it of the row
    redis: typing.Callable | None = None                    # more lines of [redis]
    server: tuple = ()                                      # arguments of redis-server
    persistent: bool = False
    from_start: bool = False                                # it is there before breakwater is
    never_mends: bool = False
    reorders: bool = False                                  # what was refused within a batch can only follow the rest of it
    own_hosts: bool = False                                 # breakwater has an /etc/hosts of its own
    prepare: typing.Callable | None = None
    proof: typing.Callable | None = None                    # that it is there, where health may not notice


Told = collections.namedtuple("Told", "name before during lasted after back_s log entries merged code audit")


class Hosts:
    """An /etc/hosts that only one process sees, in a mount namespace of its own."""

    def __init__(self, stack):
        self._folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="breakwater-hosts-")))
        self._hosts, switch = self._folder / "hosts", self._folder / "nsswitch.conf"
        self.say("")
        switch.write_text("hosts: files\n")
        self.wrapper = in_own_mounts(f"mount --bind {self._hosts} /etc/hosts && "
                                     f"mount --bind {switch} /etc/nsswitch.conf")

    def say(self, lines):
        """In place, for the mount is of this very file."""
        self._hosts.write_text(lines)


def runs_a_script(row):
    row.script = threading.Thread(target=_script_of_4_s, args=(row.redis.socket_path,))
    row.script.start()


def _script_of_4_s(path):
    with RespClient(path, timeout=20) as client:
        client.command("EVAL", "local function ms() local t = redis.call('TIME') return t[1] * 1000 + t[2] / 1000 end "
                               "local ends = ms() + 4000 while ms() < ends do end return 1", 0)


def loading(row):
    """A restart that takes some seconds to load: 4,000 keys, each held up for a millisecond."""
    row.admin.command("DEBUG", "POPULATE", 4000)
    row.admin.command("SAVE")
    row.redis.kill()
    row.redis.arguments += ("--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024")
    row.redis.start(wait=False)


def misconf(row):
    """A folder that is gone cannot be written to, not even by root."""
    folder = row.redis.folder / "gone"
    folder.mkdir()
    row.config("dir", folder)
    folder.rmdir()
    row.config("save", "86400 1")
    row.admin.command("BGSAVE")
    wait_until(lambda: "rdb_last_bgsave_status:err" in row.admin.command("INFO", "persistence"), 5, "BGSAVE fails")


def misconf_is_over(row):
    row.config("dir", row.redis.folder)
    row.admin.command("BGSAVE")


def with_replica(row, stack, host="127.0.0.1", port=None):
    row.replica = stack.enter_context(PrivateRedis(host=host, port=port))
    row.replica.cli("REPLICAOF", row.redis.host, row.redis.port)
    wait_until(lambda: "master_link_status:up" in row.replica.cli("INFO", "replication"), 10, "the replica is in step")


def fails_over(row):
    """The replica becomes the master, as Sentinel does it: what comes before that is in both."""
    row.replica.cli("REPLICAOF", "NO", "ONE")
    row.admin.command("REPLICAOF", row.replica.host, row.replica.port)


def new_master(row):
    row.hosts.say("127.0.0.2 redis.test\n")
    row.at = row.replica


def locks_us_out(row):
    needs_password(row)
    row.kill_connection()


def needs_password(row, _=None):
    row.config("requirepass", PASSWORD)
    row.redis.password = PASSWORD


def needs_no_password(row):
    row.config("requirepass", "")
    row.redis.password = None


def full(row):
    row.config("maxclients", 1)  # the admin's own connection
    row.kill_connection()


def is_killed(row):
    row.redis.kill()


def starts_again(row):
    row.redis.start()


def password_file(row):
    path = row.redis.folder / "password"
    path.touch(0o600)
    path.write_text("not-the-password\n")
    return f'password_file = "{path}"\n'


AWAY = {"connected": False, "healthy": False, "phase": ("connecting", "handshaking", "backing_off"), "active": True}
STANDS = {"connected": True}
OUTAGE = dict(seen=AWAY, moves=("connection_attempts", "consecutive_failures", "breaker.failures",
                                "breaker.times_opened"))
QUIET = ("reconnects", "connection_attempts", "failed_operations", "consecutive_failures", "breaker.failures",
         "breaker.times_opened")
WAITING = dict(error_class="waiting", always=STANDS, stays=QUIET, moves=("publisher.refusals",))
TEMPORARY = dict(error_class="temporary", always=STANDS, seen={"healthy": False, "phase": "degraded", "active": True},
                 stays=("reconnects", "connection_attempts"),
                 moves=("consecutive_failures", "breaker.failures", "breaker.times_opened"))
REFUSES_WRITES = dict(error_class="refusing_writes", always=STANDS, stays=("reconnects", "connection_attempts"),
                      moves=("failed_operations", "breaker.failures", "publisher.refusals"))
# One cut is mended before anybody notices: a reconnect and no open circuit.
CUT = dict(moves=("reconnects", "connection_attempts", "breaker.failures"), stays=("breaker.times_opened",))
MENDED_BY_HAND = dict(back_within_s=SLOW_RETRY_S, error_class="configuration")
NO_RIGHT = dict(always=STANDS, stays=("reconnects", "connection_attempts", "breaker.times_opened"),
                moves=("failed_operations", "breaker.failures", "publisher.refusals"))
NO_ANSWER = "no answer within command_timeout"

FAULTS = {
    # what only a human can mend, first, for these take longest
    "noauth": Fault(locks_us_out, needs_no_password, **MENDED_BY_HAND, url="server",
                    seen={"connected": False, "phase": "backing_off"}, error="^NOAUTH",
                    moves=("consecutive_failures", "breaker.failures"), logged="event=redis_denied"),
    "wrongpass": Fault(None, lambda row: (row.redis.folder / "password").write_text(PASSWORD + "\n"),
                       **MENDED_BY_HAND, url="server", from_start=True,
                       prepare=needs_password, redis=password_file,
                       seen={"connected": False, "phase": "backing_off", "consecutive_failures": 1},
                       always={"connected": False}, error="^WRONGPASS", logged="event=redis_denied"),
    "noperm": Fault(lambda row: row.admin.command("ACL", "SETUSER", "default", "-xadd"),
                    lambda row: row.admin.command("ACL", "SETUSER", "default", "+xadd"), **MENDED_BY_HAND, url="server",
                    **NO_RIGHT, error="^NOPERM.*xadd", logged="event=redis_denied"),
    "noperm_multi": Fault(lambda row: row.admin.command("ACL", "SETUSER", "default", "-multi"),
                          lambda row: row.admin.command("ACL", "SETUSER", "default", "+multi"), **MENDED_BY_HAND,
                          url="server", **NO_RIGHT, error="^NOPERM.*multi"),
    "wrongtype": Fault(None, lambda row: row.admin.command("DEL", STREAM), back_within_s=SLOW_RETRY_S, url="server",
                       from_start=True, prepare=lambda row, _: row.admin.command("SET", STREAM, "not a stream"),
                       error_class=None,
                       seen={"connected": True, "healthy": True, "phase": "ready", "spool": "critical"},
                       stays=("reconnects", "failed_operations", "consecutive_failures", "breaker.failures",
                              "breaker.times_opened"), logged="event=publisher_halted"),
    "no_such_database": Fault(lambda row: (row.proxy.answer("ERR DB index is out of range", "PING"), row.proxy.cut()),
                              **MENDED_BY_HAND, seen={"connected": False, "phase": "backing_off"},
                              moves=("consecutive_failures", "breaker.failures"), error="^ERR DB index"),

    # the connection
    "refused": Fault(lambda row: row.proxy.refuse(), **OUTAGE, error="refused"),
    "reset": Fault(lambda row: row.proxy.cut(), **CUT, lasts_s=0.3, error="reset"),
    "closed": Fault(lambda row: row.proxy.cut(FIN), **CUT, lasts_s=0.3, error="closed by Redis"),
    "accepts_and_resets": Fault(lambda row: (row.proxy.accept_and("reset"), row.proxy.cut()), **OUTAGE),
    "accepts_and_closes": Fault(lambda row: (row.proxy.accept_and(FIN), row.proxy.cut()), **OUTAGE,
                                error="closed by Redis|reset|Broken pipe"),
    "black_hole": Fault(lambda row: row.proxy.blackhole(), **OUTAGE, error=NO_ANSWER,
                        lasts_s=2),
    "black_hole_without_traffic": Fault(
        lambda row: (row.exchanges.process.send_signal(signal.SIGSTOP), time.sleep(0.5), row.proxy.blackhole()),
        lambda row: (row.proxy.heal(), row.exchanges.process.send_signal(signal.SIGCONT)), **OUTAGE,
        error=NO_ANSWER, lasts_s=2),
    "delay_below_the_limit": Fault(lambda row: row.proxy.delay(120, 120), error_class=None, always=STANDS, stays=QUIET,
                                   seen={"last_ping_round_trip_us": lambda us: us >= 240000},
                                   moves=("successful_operations",)),
    "delay_above_the_limit": Fault(lambda row: row.proxy.delay(350, 350), **OUTAGE, error=NO_ANSWER,
                                   lasts_s=2),
    "trickle": Fault(lambda row: row.proxy.trickle(64, 5), error_class=None, always=STANDS, stays=QUIET,
                     moves=("successful_operations",), proof=lambda row: row.proxy.trickled > 10),
    # What has piled up is answered later than command_timeout allows, so a look has to find out what was applied.
    "backlog_over_a_slow_link": Fault(lambda row: row.proxy.refuse(),
                                      lambda row: (row.proxy.heal(), row.proxy.trickle(64, 5)), **OUTAGE, lasts_s=7,
                                      back_within_s=10),
    "reset_in_a_reply": Fault(lambda row: row.proxy.cut_in_reply(4, 3), **CUT, lasts_s=0.5),
    "closed_in_a_reply": Fault(lambda row: row.proxy.cut_in_reply(4, 3, FIN), **CUT, lasts_s=0.5,
                               error="closed by Redis"),
    "reset_after_exec_was_applied": Fault(lambda row: row.proxy.cut_instead_of_reply("EXEC", times=3),
                                          moves=(*CUT["moves"], "failed_operations"), lasts_s=2),
    "closed_after_exec_was_applied": Fault(lambda row: row.proxy.cut_instead_of_reply("EXEC", FIN), **CUT, lasts_s=0.5),
    "garbage": Fault(lambda row: row.proxy.garbage(), **CUT, lasts_s=0.5, error="unreadable reply"),
    "protocol_error": Fault(lambda row: row.proxy.answer("ERR Protocol error: invalid bulk length", "EXEC", times=1,
                                                         then=FIN),
                            moves=("reconnects",), stays=("breaker.times_opened",), lasts_s=0.5),
    "turned_away": Fault(lambda row: (row.proxy.accept_and(TURNED_AWAY), row.proxy.cut()), **OUTAGE,
                         error_class="capacity", error="^ERR max number of clients"),
    "no_such_host": Fault(None, None, url=lambda row: f"redis://{NO_SUCH_HOST}:{row.redis.port}/0", from_start=True,
                          never_mends=True, **OUTAGE, lasts_s=3),
    "no_such_host_at_first": Fault(None, lambda row: row.hosts.say("127.0.0.1 redis.test\n"), own_hosts=True,
                                   url=lambda row: f"redis://redis.test:{row.redis.port}/0", from_start=True, **OUTAGE,
                                   error="cannot resolve redis.test"),

    # the server
    "loading": Fault(lambda row: row.proxy.answer("LOADING Redis is loading the dataset in memory", *ANY), **WAITING,
                     seen={"healthy": False, "phase": "degraded"}, error="^LOADING"),
    "loading_at_connect": Fault(
        lambda row: (row.proxy.answer("LOADING Redis is loading the dataset in memory", *ANY), row.proxy.cut()),
        error_class="waiting",
        seen={"connected": False, "phase": "handshaking", "circuit": "CLOSED", "consecutive_failures": 1},
        stays=("breaker.times_opened", "reconnects"), error="^LOADING"),
    "loading_really": Fault(loading, lambda row: row.redis.wait_for_answer(), error_class="waiting", url="server",
                            seen={"connected": False, "phase": "handshaking"}, error="^LOADING",
                            logged="event=redis_waits"),
    # Redis before 6.2 refuses even MULTI while a script runs. The script may end before the last XADD behind it, and
    # then that one is applied alone, above the refused one. Slow replies make the batches big enough.
    "multi_is_refused": Fault(
        lambda row: (row.proxy.delay(100, 100), time.sleep(0.6), row.proxy.answer(BUSY, "MULTI", times=1),
                     row.proxy.answer(BUSY, "XADD", times=1)), **WAITING, error="^BUSY", reorders=True),
    "busy": Fault(runs_a_script, lambda row: row.script.join(), **WAITING, url="server",
                  seen={"healthy": False, "phase": "degraded"}, server=("--lua-time-limit", "100"), error="^BUSY"),
    "masterdown": Fault(lambda row: row.proxy.answer("MASTERDOWN Link with MASTER is down", *ANY), **TEMPORARY,
                        error="^MASTERDOWN"),
    "clusterdown": Fault(lambda row: row.proxy.answer("CLUSTERDOWN The cluster is down", *ANY), **TEMPORARY,
                         error="^CLUSTERDOWN"),
    "tryagain": Fault(lambda row: row.proxy.answer("TRYAGAIN Multiple keys request during rehashing of slot", *ANY),
                      **TEMPORARY, error="^TRYAGAIN"),
    "readonly": Fault(fails_over, lambda row: row.admin.command("REPLICAOF", "NO", "ONE"), url="server",
                      prepare=with_replica, error_class="failed_over", error="^READONLY",
                      moves=("reconnects", "connection_attempts", "failed_operations", "breaker.failures")),
    "failover_by_name": Fault(fails_over, new_master, own_hosts=True,
                              prepare=lambda row, stack: (row.hosts.say("127.0.0.1 redis.test\n"),
                                                          with_replica(row, stack, "127.0.0.2", row.redis.port)),
                              url=lambda row: f"redis://redis.test:{row.redis.port}/0", error_class="failed_over",
                              error="^READONLY", moves=("reconnects", "failed_operations", "breaker.failures")),
    "oom": Fault(lambda row: row.config("maxmemory", "1mb"), lambda row: row.config("maxmemory", 0), **REFUSES_WRITES,
                 url="server", seen={"healthy": True, "phase": "ready"}, error="^OOM"),
    "misconf": Fault(misconf, misconf_is_over, **REFUSES_WRITES, url="server",
                     seen={"healthy": False, "phase": "degraded"}, server=("--enable-protected-configs", "local"),
                     error="^MISCONF"),
    "noreplicas": Fault(lambda row: row.config("min-replicas-to-write", 1),
                        lambda row: row.config("min-replicas-to-write", 0), **REFUSES_WRITES, url="server",
                        seen={"healthy": True, "phase": "ready"}, error="^NOREPLICAS"),
    "execabort_with_its_cause": Fault(
        lambda row: row.proxy.answer("EXECABORT Transaction discarded because of: OOM command not allowed", "EXEC"),
        **REFUSES_WRITES, error="^EXECABORT.*OOM"),
    "execabort_after_a_refused_command": Fault(
        lambda row: row.proxy.answer("NOREPLICAS Not enough good replicas to write.", "XADD"), **REFUSES_WRITES,
        error="^NOREPLICAS"),
    "max_clients": Fault(full, lambda row: row.config("maxclients", 100), **OUTAGE, error_class="capacity",
                         url="server", error="^ERR max number of clients"),
    "client_pause": Fault(lambda row: row.admin.command("CLIENT", "PAUSE", 6000, "ALL"),
                          lambda row: row.admin.command("PING"), **OUTAGE, url="server", lasts_s=2, error=NO_ANSWER),
    "debug_sleep": Fault(lambda row: row.admin.send(("DEBUG", "SLEEP", 6)), lambda row: row.admin.receive(), **OUTAGE,
                         url="server", lasts_s=2),
    "stopped": Fault(lambda row: row.signal(signal.SIGSTOP), lambda row: row.signal(signal.SIGCONT), **OUTAGE,
                     url="server", lasts_s=2, error=NO_ANSWER),
    "killed": Fault(is_killed, starts_again, **OUTAGE, url="server", persistent=True, error="refused"),
    "killed_and_comes_back_empty": Fault(is_killed, starts_again, **OUTAGE, url="server",
                                         logged="event=publisher_sends_again"),
}
NEEDS_HOSTS = [name for name, fault in FAULTS.items() if fault.own_hosts]


def setUpModule():
    """Starts the rows that will be asked for, side by side."""
    global script, telling
    folder = unittest.enterModuleContext(tempfile.TemporaryDirectory(prefix="breakwater-faults-"))
    script = pathlib.Path(folder) / "script.jsonl"
    write_script(script, SCRIPT_S, STEP_MS)
    wanted = [name for name in FAULTS if not asked_for or f"test_{name}" in asked_for]
    pool = concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE)
    can = own_mounts_are_permitted()
    telling = {name: pool.submit(Row(name, FAULTS[name]).play) for name in wanted
               if can or name not in NEEDS_HOSTS}
    pool.shutdown(wait=False)
    unittest.addModuleCleanup(lambda: [each.cancel() for each in telling.values()])


class RedisFaults(unittest.TestCase):
    maxDiff = None

    def tell(self, name):
        if name not in telling:
            self.skipTest("no mount namespace of its own for breakwater: unshare is not permitted")
        told = telling[name].result()
        self.assert_seen(FAULTS[name], told)
        if FAULTS[name].never_mends:
            details = told.audit[-1]["details"]
            self.assertEqual((told.code, details["drained"]), (0, "yes"))
            self.assertGreater(int(details["waiting"]), 0, "the spool keeps them")
        else:
            self.assertEqual((told.code, told.audit[-1]["details"]), (0, {"drained": "yes", "waiting": "0"}))
            self.assert_mended(FAULTS[name], told)
            self.assert_script_is_in_the_stream(told)
        if os.environ.get("SHOW_ROWS"):
            moved = {key: value - counters(told.before)[key] for key, value in counters(told.lasted).items()}
            back = "never" if told.back_s is None else f"{told.back_s:.1f} s"
            print(f"\n{name}: {told.lasted.redis['last_error_class']} back {back} {moved} {told.lasted.attention}",
                  file=sys.stderr)

    def assert_seen(self, fault, told):
        self.assertTrue(as_expected(fault, told.lasted),
                        f"{fault.error_class} and {fault.seen} while it lasts, not {told.lasted}")
        if fault.error:
            self.assertRegex(told.lasted.redis["last_error"], fault.error)
        for sample in told.during:
            for key, wanted in fault.always.items():
                self.assertEqual(sample.redis[key], wanted, key)
            self.assertEqual(sample.breaker["active"], sample.breaker["state"] != "CLOSED")
            if sample.breaker["state"] in ("OPEN", "CLOSED"):
                self.assertEqual(sample.redis["circuit_open"], sample.breaker["state"] == "OPEN")
        before, after = counters(told.before), counters(told.lasted)
        highest = {key: max(counters(sample)[key] for sample in told.during) for key in before}
        for key in fault.moves:
            self.assertGreater(highest[key], before[key], f"{key} moves")
        for key in fault.stays:
            self.assertEqual(after[key], before[key], f"{key} stays")
            self.assertEqual(highest[key], before[key], f"{key} stays")
        if fault.logged:
            self.assertIn(fault.logged, told.log)

    def assert_mended(self, fault, told):
        self.assertLess(told.back_s, fault.back_within_s)
        self.assertNotIn("event=actor_failed", told.log)
        self.assertNotRegex(told.log, r"publisher_hole|publisher_intruder|drain_gave_up")
        if fault.always == STANDS:
            self.assertEqual(told.after.redis["reconnects"], told.before.redis["reconnects"], "the connection stood")

    def assert_script_is_in_the_stream(self, told):
        """Each minute of the script, as it was written, once and in order; and as many as were merged."""
        ids = [id_key(entry) for entry, _ in told.entries]
        self.assertTrue(all(a < b for a, b in zip(ids, ids[1:])), "ids grow strictly")
        self.assertEqual(len(told.entries), told.merged, "merged and in the stream")
        found, order = collections.defaultdict(list), collections.defaultdict(list)
        for _, fields in told.entries:
            minute = (int(fields["timestamp"]) - FIRST_MINUTE) // 60
            found[fields["symbol"], minute].append(fields)
            order[fields["symbol"], fields["num_exchanges"]].append(minute)
        if FAULTS[told.name].reorders:
            for records in found.values():
                records.sort(key=lambda fields: fields["num_exchanges"])
            order.clear()
        for (symbol, count), minutes in order.items():
            self.assertEqual(minutes, sorted(minutes), f"the records of {symbol} with {count} exchanges")
        for symbol in SYMBOLS:
            minutes = [minute for of, minute in found if of == symbol]
            # The first minutes may have come before each feed was there; the last one may have been cut off.
            first = min(m for m in minutes if found[symbol, m][-1]["num_exchanges"] == "3")
            last = max(minutes)
            self.assertLess(first, 20)
            for minute in range(first, last + 1):
                records = found[symbol, minute]
                counts = [fields["num_exchanges"] for fields in records]
                self.assertIn(counts, [["2", "3"]] + [["2"]] * (minute == last), f"{symbol}, minute {minute}")
                for exchange in EXCHANGES if counts == ["2", "3"] else ():
                    self.assertAlmostEqual(float(records[-1][exchange + "_price"]), price_of(symbol, minute, exchange),
                                           delta=1e-6)


def add_test(name):
    setattr(RedisFaults, f"test_{name}", lambda self: self.tell(name))


for each in FAULTS:
    add_test(each)
asked_for = {word.rpartition(".")[2] for word in sys.argv[1:] if word.rpartition(".")[2].startswith("test_")}

if __name__ == "__main__":
    unittest.main()
