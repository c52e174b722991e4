"""Numbered input through breakwater while everything around it, and it itself, fails: killed, stopped, paused, cut
off, flushed, older than it was, out of memory, out of disk, written to by others; one fault at a time and several at
once. Then the faults end, and the stream holds every number exactly once and in order.

    python3 tests/system/crash_matrix.py --faults 200 --seed 1
    python3 tests/system/crash_matrix.py --minutes 60 --seed 7 --verbose
    python3 tests/system/crash_matrix.py --self-test

The seed decides which faults come, with what around them; how far breakwater is with its work when one comes is up to
the machine. On failure the seed, the first difference and the end of the log are printed and the folders are kept.
"""

import argparse
import collections
import contextlib
import dataclasses
import functools
import itertools
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time
import typing
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from disk_faults import PLACES, DiskFaults  # noqa: E402
from fault_proxy import FIN, RESET, FaultProxy  # noqa: E402
from numbered_input import FOREIGN, RAW, NumberedInput  # noqa: E402
from support import (STREAM, Breakwater, PrivateRedis, RedisError, RespClient, breakwater, id_key,  # noqa: E402
                     wait_until)

# A number is never late before it is merged: a symbol's minutes in four hours are 15,360 numbers.
INPUT = NumberedInput(symbols=64, window="4h")
OWNER = f"breakwater:{{{STREAM}}}:owner"
COMMAND_TIMEOUT_MS = 250
REDIS = f"""
connect_timeout = "250ms"
command_timeout = "{COMMAND_TIMEOUT_MS}ms"
health_interval = "100ms"
backoff_initial = "10ms"
backoff_max = "100ms"
"""
CONFIG = INPUT.config + """
[spool]
max_bytes = "256MiB"
retain = "2h"
retain_bytes = "256MiB"
[breaker.redis]
open_duration = "50ms"
max_open_duration = "100ms"
[supervisor]
restart_initial = "10ms"
restart_max = "100ms"
max_restarts = 1000
[health]
interval = "500ms"
answer_within = "400ms"
"""
SOCKET, PROXY = "socket", "proxy"  # how breakwater reaches Redis
PATIENCE_S = 30                    # longest time from the end of a fault until the stream is complete
CHECK_EVERY = 25                   # faults between two comparisons of the whole stream
KEPT_COPIES = 4
RAW_KEPT, AOF_BYTES = 20_000, 64 << 20  # beyond these Redis is tidied up, when a comparison was made


class World:
    """All processes, the input added so far, and what was seen of the output."""

    def __init__(self, stack):
        # What was answered survives kill -9, for it was handed to the kernel; there is no power cut here.
        self.redis = stack.enter_context(PrivateRedis("--appendfsync", "no", "--auto-aof-rewrite-percentage", 0,
                                                      persistent=True))
        self.proxy = stack.enter_context(FaultProxy(self.redis.socket_path))
        self.faults = {}      # of the disk, by route
        self.fail_disk = DiskFaults.heal  # what is wrong with it now, also for a breakwater that is started now
        self.log_mark = self.lives = 0
        self.breakwater = Breakwater(None, extra=CONFIG, redis=REDIS, process='shutdown_timeout = "1s"')
        self.breakwater.start = functools.partial(self.start_breakwater, SOCKET)
        stack.enter_context(self.breakwater)
        self.added = 0        # numbers
        self.merged = 0       # numbers that were seen in the output, so breakwater has all of them
        self.last_raw = "0-0"
        self.behind = False   # whether Redis lost records since the stream was last seen complete
        self.gap = False      # whether it lost input that was not added again so far
        self.deaf = False     # whether it refuses input
        self.silent = False   # whether it does not answer
        self.bitten = collections.Counter()  # how often something failed because of a fault that may miss
        self.copies = collections.deque(maxlen=KEPT_COPIES)
        self.copied = 0
        self.copy()

    # breakwater

    def start_breakwater(self, route):
        if not self.faults:
            for each, redis in ((SOCKET, self.redis.socket_path), (PROXY, ("127.0.0.1", self.proxy.port))):
                self.faults[each] = DiskFaults(self.breakwater.folder / f"faults-{each}", redis)
        if self.lives:
            self.note_bites()
        self.disk = self.faults[route]
        self.disk.reset()
        self.fail_disk(self.disk)
        self.breakwater._environment = self.disk.environment
        self.breakwater._redis_url = self.redis.unix_url if route == SOCKET else self.proxy.url
        self.log_mark = (self.breakwater.folder / "output").stat().st_size if self.breakwater.process else 0
        self.lives += 1
        Breakwater.start(self.breakwater)

    def note_bites(self):
        """Before what was counted of this life is forgotten."""
        self.bitten["kill at a call"] += self.disk.killed_at != ""
        self.bitten["disk"] += self.disk.failed

    def expect_life(self):
        if not self.breakwater.running():
            raise AssertionError(f"breakwater ended with {self.breakwater.process.returncode}")

    # input and output

    def admin(self):
        return RespClient(self.redis.socket_path, timeout=15)

    def feed(self, count):
        """New numbers, unless that would put them before older ones or Redis would not take them."""
        if not self.gap and not self.deaf and not self.silent:
            self.add(range(self.added, self.added + count))

    def add(self, numbers):
        commands = [command for number in numbers for command in INPUT.commands(number)]
        if not commands:
            return
        with self.admin() as client:
            replies = client.pipeline(*commands)
        if refused := [reply for reply in replies if isinstance(reply, RedisError)]:
            raise AssertionError(f"the input was refused: {refused[0]}")
        self.last_raw = replies[-1]
        self.added = max(self.added, numbers[-1] + 1)

    def newest(self):
        """The number of the last record in the output; -1: there is none."""
        with self.admin() as client:
            for count in (8, 64, 512, 4096):  # another writer's may be behind it
                page = client.command("XREVRANGE", STREAM, "+", "-", "COUNT", count)
                for entry, flat in page:
                    fields = dict(zip(flat[::2], flat[1::2]))
                    if FOREIGN in fields:
                        continue
                    number = INPUT.number_of(fields)
                    if number is None:
                        raise AssertionError(f"{entry} is of no number: {fields}")
                    self.merged = max(self.merged, number + 1)
                    return number
                if len(page) < count:
                    break
        return -1

    def lose(self):
        self.behind = self.gap = True

    def mend(self):
        """What Redis lost of the input before it was merged is added again, in its place: before anything new."""
        self.newest()
        if id_key(self.last_id(RAW)) < id_key(self.last_raw):
            self.lose()
        if self.gap:
            # Ids are milliseconds: none that is added now is below one that breakwater has read.
            wait_until(lambda: self.redis_ms() > id_key(self.last_raw)[0], 5, "the clock is past the ids of the input")
            self.add(range(self.merged, self.added))
            self.gap = False

    def redis_ms(self):
        seconds, micros = map(int, self.redis.cli("TIME"))
        return seconds * 1000 + micros // 1000

    def last_id(self, stream):
        try:
            flat = self.redis.cli("XINFO", "STREAM", stream)
        except RedisError:
            return "0-0"
        return dict(zip(flat[::2], flat[1::2]))["last-generated-id"]

    def await_completeness(self, timeout=PATIENCE_S):
        def is_complete():
            self.expect_life()
            return self.newest() == self.added - 1
        try:
            wait_until(is_complete, timeout, f"the stream reaches number {self.added - 1}")
        except AssertionError as failed:
            raise AssertionError(f"{failed}; {self.difference() or 'now it has'}") from failed
        self.behind = False

    def difference(self):
        return INPUT.first_difference(self.redis.entries(STREAM), self.added)

    def check(self):
        self.await_completeness()
        if difference := self.difference():
            raise AssertionError(difference)

    def check_the_end(self):
        """Of a breakwater that has ended: what it did last, and what it leaves."""
        if difference := self.difference():
            raise AssertionError(difference)
        verified = breakwater("spool", "verify", "--config", self.breakwater.config)
        if verified.returncode != 0:
            raise AssertionError(f"spool verify ended with {verified.returncode}: {verified.stdout}{verified.stderr}")

    # Redis's disk

    @property
    def _aof(self):
        return self.redis.folder / "appendonlydir"

    def copy(self):
        self.copied += 1
        made = self.redis.folder / f"copy-{self.copied}"
        if len(self.copies) == self.copies.maxlen:
            shutil.rmtree(self.copies[0])
        shutil.copytree(self._aof, made)
        self.copies.append(made)

    def put_back(self, age):
        """Age 0 is the newest copy."""
        shutil.rmtree(self._aof)
        shutil.copytree(self.copies[-1 - min(age, len(self.copies) - 1)], self._aof)
        self.lose()

    def tidy_up(self):
        with self.admin() as client:
            client.command("XTRIM", RAW, "MAXLEN", "~", RAW_KEPT)
            if sum(file.stat().st_size for file in self._aof.iterdir()) > AOF_BYTES:
                client.command("BGREWRITEAOF")
                wait_until(lambda: {"aof_rewrite_in_progress:0", "aof_rewrite_scheduled:0"} <= set(
                    client.command("INFO", "persistence").split()), 60, "AOF is rewritten")


# Faults. Each is a generator: what begins it, yield, what ends it. Its arguments are drawn with the plan.

@dataclasses.dataclass(frozen=True)
class Fault:
    name: str
    part: str        # faults of different parts come together; see PARTS
    weight: int
    act: typing.Callable
    draw: typing.Callable
    orderly: bool    # it changes ids, so it waits until a Redis that lost records has them all again


FAULTS = []
# In this order those that come together begin, and in the reverse order they end.
PARTS = ("data", "network", "disk", "process", "server")


def fault(part, weight=2, draw=lambda rng: {}, orderly=False):
    def take(function):
        FAULTS.append(Fault(function.__name__, part, weight, contextlib.contextmanager(function), draw, orderly))
        return function
    return take


@fault("process", 6, lambda rng: {"route": rng.choice((SOCKET, PROXY))})
def breakwater_killed(world, route):
    world.breakwater.kill()
    yield
    world.start_breakwater(route)


@fault("process", 6, lambda rng: {"route": rng.choice((SOCKET, PROXY)), "call": rng.randrange(1, 60),
                                  "where": rng.choice(list(PLACES)), "burst": rng.randrange(1, 40)})
def breakwater_killed_at_a_call(world, route, call, where, burst):
    world.disk.kill_at(world.disk.calls + call, where)
    world.feed(burst)
    deadline = time.monotonic() + 0.3
    while world.breakwater.running() and time.monotonic() < deadline:
        time.sleep(0.005)
    world.breakwater.kill()
    yield
    world.start_breakwater(route)


@fault("process", 2, lambda rng: {"route": rng.choice((SOCKET, PROXY))})
def breakwater_stopped(world, route):
    world.breakwater.wait_for_log("event=process_started", after=world.log_mark)  # from then on it knows SIGTERM
    if (code := world.breakwater.terminate()) != 0:
        raise AssertionError(f"stopped, breakwater ended with {code}")
    yield
    world.start_breakwater(route)


@fault("process", 2)
def breakwater_paused(world):
    world.breakwater.process.send_signal(signal.SIGSTOP)
    yield
    world.breakwater.process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def silence(world):
    world.silent = True
    yield
    world.silent = False


@fault("server", 4)
def redis_killed(world):
    world.redis.kill()
    with silence(world):
        yield
        world.redis.start()


@fault("server", 2)
def redis_stopped(world):
    world.redis.stop()
    with silence(world):
        yield
        world.redis.start()


@fault("server", 4)
def redis_paused(world):
    world.redis.process.send_signal(signal.SIGSTOP)
    time.sleep(1.5 * COMMAND_TIMEOUT_MS / 1000)
    with silence(world):
        yield
        world.redis.process.send_signal(signal.SIGCONT)


@fault("server", 4, lambda rng: {"age": rng.randrange(KEPT_COPIES)})
def redis_older(world, age):
    world.redis.kill()
    world.put_back(age)
    with silence(world):
        yield
        world.redis.start()


@fault("data", 4)
def redis_flushed(world):
    world.redis.cli("FLUSHALL")
    world.lose()
    yield


@contextlib.contextmanager
def refusing(world, parameter):
    world.redis.cli("CONFIG", "SET", parameter, 1)
    world.deaf = True
    yield
    world.redis.cli("CONFIG", "SET", parameter, 0)
    world.deaf = False


@fault("data", 3)
def out_of_memory(world):
    with refusing(world, "maxmemory"):
        yield


@fault("data", 3)
def no_replicas(world):
    with refusing(world, "min-replicas-to-write"):
        yield


@fault("data", 4, lambda rng: {"count": rng.randrange(1, 4)}, orderly=True)
def another_writer(world, count):
    with world.admin() as client:
        client.pipeline(*[("XADD", STREAM, "*", FOREIGN, "another writer")] * count)
    yield


@fault("data", 3, lambda rng: {"ms": rng.randrange(1, 2000), "kills": rng.random() < 0.5}, orderly=True)
def ids_set_forward(world, ms, kills):
    # WATCH does not see XSETID (Redis 7.0), so a batch that is just being sent would be stored in part. Something
    # comes with it that ends the batch, as the README tells operators.
    at, _ = id_key(world.last_id(STREAM))
    also = ("CLIENT", "KILL", "TYPE", "normal") if kills else ("XADD", STREAM, "*", FOREIGN, "set forward")
    with world.admin() as client:
        client.pipeline(("MULTI",), ("XSETID", STREAM, f"{at + ms}-0"), also, ("EXEC",))
    yield


@fault("data", 2)
def owner_deleted(world):
    world.redis.cli("DEL", OWNER)
    yield


@fault("data", 2)
def owned_by_another(world):
    world.redis.cli("SET", OWNER, "00000000-0000-4000-8000-000000000000 another")
    yield
    world.redis.cli("DEL", OWNER)


@fault("data", 3)
def clients_killed(world):
    world.redis.cli("CLIENT", "KILL", "TYPE", "normal")
    yield


@contextlib.contextmanager
def broken_disk(world, how):
    world.fail_disk = how
    how(world.disk)
    lives = world.lives
    yield
    if world.lives > lives:
        time.sleep(0.1)  # what was started meanwhile meets it too
    world.fail_disk = DiskFaults.heal
    world.disk.heal()


@fault("disk", 5)
def disk_full(world):
    with broken_disk(world, DiskFaults.disk_is_full):
        yield


@fault("disk", 2)
def sync_fails(world):
    with broken_disk(world, DiskFaults.sync_fails):
        yield


def network(weight=2, draw=lambda rng: {}):
    """Between breakwater and Redis; `act` gets the proxy."""
    def take(function):
        def act(world, **arguments):
            function(world.proxy, **arguments)
            yield
            world.proxy.heal()
        act.__name__ = function.__name__
        return fault("network", weight, draw)(act)
    return take


HOW = (RESET, FIN)


@network(2, lambda rng: {"how": rng.choice(HOW)})
def connections_cut(proxy, how):
    proxy.cut(how)


@network(4, lambda rng: {"number": rng.randrange(1, 40), "how": rng.choice(HOW)})
def cut_inside_a_batch(proxy, number, how):
    proxy.cut_at_command("XADD", number, how)


@network(3, lambda rng: {"name": rng.choice(("MULTI", "EXEC", "WATCH", "XREAD", "XINFO")), "how": rng.choice(HOW)})
def cut_before_a_command(proxy, name, how):
    proxy.cut_at_command(name, 1, how)


@network(4, lambda rng: {"how": rng.choice(HOW)})
def cut_instead_of_the_answer_to_exec(proxy, how):
    proxy.cut_instead_of_reply("EXEC", how)


@network(3, lambda rng: {"number": rng.randrange(1, 60), "after_bytes": rng.randrange(20), "how": rng.choice(HOW)})
def cut_inside_an_answer(proxy, number, after_bytes, how):
    proxy.cut_in_reply(number, after_bytes, how)


@network()
def garbage_instead_of_an_answer(proxy):
    proxy.garbage()


@network()
def connections_refused(proxy):
    proxy.refuse()


@network(3)
def nothing_gets_through(proxy):
    proxy.blackhole()
    time.sleep(1.5 * COMMAND_TIMEOUT_MS / 1000)


@network(1, lambda rng: {"to_server_ms": rng.randrange(100), "to_client_ms": rng.randrange(100)})
def slow(proxy, to_server_ms, to_client_ms):
    proxy.delay(to_server_ms, to_client_ms)


# The plan

@dataclasses.dataclass(frozen=True)
class Step:
    """Some numbers, and while they are on their way the faults; some more while they last and behind them."""
    faults: tuple       # (fault, arguments)
    copies: bool        # whether a copy of Redis is put aside before it
    before: int         # numbers
    wait_ms: int        # from them to the faults
    hold_ms: int        # how long the faults last
    during: int
    behind: int
    settles: bool       # whether the next step waits until the stream is complete

    def __str__(self):
        told = " + ".join(each.name + "".join(f" {key}={value}" for key, value in arguments.items())
                          for each, arguments in self.faults)
        return f"{told} ({self.before}, {self.during}, {self.behind} numbers, {self.hold_ms} ms)"


def plan(seed, known=FAULTS):
    """Steps without end, of the faults that are known."""
    rng = random.Random(seed)
    route = SOCKET
    while True:
        weights = {part: sum(each.weight for each in known if each.part == part)
                   for part in PARTS if part != "network" or route == PROXY}
        count = min(rng.choices((1, 2, 3), (70, 20, 10))[0], sum(weight > 0 for weight in weights.values()))
        together = set()
        while len(together) < count:
            together.add(rng.choices(list(weights), list(weights.values()))[0])
        chosen = []
        for part in sorted(together, key=PARTS.index):
            # Ids are not changed in the very moment in which Redis loses records: what was lost, and what another
            # writer put in its place, can then not be told apart.
            fit = [each for each in known if each.part == part
                   and not (each.name == "redis_older" and any(other.orderly for other, _ in chosen))]
            each = rng.choices(fit, [each.weight for each in fit])[0]
            chosen.append((each, each.draw(rng)))
        burst = rng.randrange(300, 1500) if rng.random() < 0.015 else rng.randrange(1, 25)
        yield Step(tuple(chosen), rng.random() < 0.25, burst, rng.randrange(30), rng.randrange(50, 350),
                   rng.randrange(10), rng.randrange(1, 8), rng.random() < 0.7)
        for _, arguments in chosen:
            route = arguments.get("route", route)


def play(world, step):
    world.expect_life()
    if world.behind and any(each.orderly for each, _ in step.faults):
        world.await_completeness()
    if step.copies:
        world.copy()
        world.newest()
    world.feed(step.before)
    time.sleep(step.wait_ms / 1000)
    world.newest()
    with contextlib.ExitStack() as stack:
        for each, arguments in step.faults:
            stack.enter_context(each.act(world, **arguments))
        until = time.monotonic() + step.hold_ms / 1000
        world.feed(step.during)
        time.sleep(max(0.0, until - time.monotonic()))
    world.mend()
    world.feed(step.behind)
    if step.settles:
        world.await_completeness()


# The programme

class Journal:
    """What was done, for those who want to see it, and for all when it fails."""

    def __init__(self, verbose):
        self.lines, self._verbose, self._began = [], verbose, time.monotonic()

    def __call__(self, line):
        self.lines.append(f"{time.monotonic() - self._began:7.2f} s  {line}")
        if self._verbose:
            print(self.lines[-1], flush=True)


def crash_matrix(faults, seed, minutes, verbose, known):
    began, told, checked = time.monotonic(), 0, 0
    journal = Journal(verbose)
    with contextlib.ExitStack() as stack:
        world = World(stack)
        try:
            for step in plan(seed, known):
                if told == faults or (minutes and time.monotonic() - began > minutes * 60):
                    break
                if faults:
                    step = dataclasses.replace(step, faults=step.faults[:faults - told])
                journal(f"#{told + 1} {step}")
                play(world, step)
                told += len(step.faults)
                if told - checked >= CHECK_EVERY:
                    world.check()
                    world.tidy_up()
                    checked = told
                    journal(f"{world.added} numbers, each exactly once and in order")
            world.feed(20)
            world.check()
            if (code := world.breakwater.terminate()) != 0:
                raise AssertionError(f"stopped, breakwater ended with {code}")
            world.check_the_end()
            world.note_bites()
            bitten = dict(world.bitten, proxy=world.proxy.cuts)
            journal("bitten: " + ", ".join(f"{name} {count}" for name, count in bitten.items()))
            if told >= 200 and known == FAULTS and not all(bitten.values()):
                raise AssertionError(f"not every kind of fault came through: {bitten}")
        except (AssertionError, OSError, RedisError) as failed:
            return tell_failure(world, journal, seed, failed)
    print(f"{told} faults, seed {seed}: {world.added} numbers, each exactly once and in order")
    return 0


def tell_failure(world, journal, seed, failed):
    log = [line for line in world.breakwater.log().splitlines() if "event=health_reported" not in line]
    world.breakwater.kill()
    world.redis.kill()
    kept = pathlib.Path(tempfile.mkdtemp(prefix="breakwater-crash-matrix-"))
    for process in (world.breakwater, world.redis):
        # Not the socket, which cannot be copied.
        shutil.copytree(process.folder, kept / type(process).__name__, ignore=shutil.ignore_patterns("*.sock"))
    (kept / "faults.txt").write_text("\n".join(journal.lines) + "\n")
    print("\n".join(["--- the last faults ---", *journal.lines[-12:], "--- the end of the log ---", *log[-40:], "---",
                     f"seed {seed}: {type(failed).__name__}: {failed}", f"kept: {kept}"]))
    return 1


class SelfTest(unittest.TestCase):
    """That the comparison goes red."""

    COUNT = 200

    @classmethod
    def setUpClass(cls):
        cls.redis = cls.enterClassContext(PrivateRedis())

    def difference(self, numbers, count=COUNT, **changes):
        """Of a stream with the records of `numbers`, None is an entry of another writer; `changes` of its number 7."""
        records = [{**INPUT.record(number), **(changes if number == 7 else {}), "lead_lag": "0.1"}
                   if number is not None else {FOREIGN: "x"} for number in numbers]
        with RespClient(self.redis.socket_path) as client:
            client.pipeline(("DEL", STREAM), *[("XADD", STREAM, "*", *sum(record.items(), ())) for record in records])
        return INPUT.first_difference(self.redis.entries(STREAM), count)

    def test_all_once_and_in_order(self):
        self.assertIsNone(self.difference(range(self.COUNT)))
        self.assertIsNone(self.difference([], 0))

    def test_another_writer_is_ignored_wherever_it_writes(self):
        self.assertIsNone(self.difference([None, *range(100), None, None, *range(100, self.COUNT), None]))

    def test_lost(self):
        for lost in (0, 1, 63, 64, 100):
            others = [each for each in range(self.COUNT) if each != lost]
            self.assertIn(f"number {lost} is lost", self.difference(others))
        self.assertIn("numbers 199 .. 199 are lost", self.difference(range(self.COUNT - 1)))
        self.assertIn("numbers 0 .. 199 are lost", self.difference([]))

    def test_doubled(self):
        for doubled in (0, 64, 199):
            for at in (doubled + 1, self.COUNT):
                numbers = [*range(at), doubled, *range(at, self.COUNT)]
                self.assertIn(f"number {doubled} is there twice", self.difference(numbers))

    def test_swapped(self):
        for first, second in ((0, 1), (10, 74), (198, 199)):
            numbers = list(range(self.COUNT))
            numbers[first], numbers[second] = numbers[second], numbers[first]
            self.assertIn(f"number {first} comes late", self.difference(numbers))

    def test_changed(self):
        for changes in ({"binance_price": "1"}, {"bybit_price": "null"}, {"num_exchanges": "3"}, {"volume": "17"}):
            self.assertIn("number 7, is not as it should", self.difference(range(self.COUNT), **changes))
        self.assertIn("is of no number", self.difference(range(self.COUNT), symbol="BTCUSDT"))

    def test_more_than_was_added(self):
        self.assertIn("only 199 were added", self.difference(range(self.COUNT), self.COUNT - 1))

    def test_a_number_is_two_entries_and_known_by_its_record(self):
        for number in (0, 1, 63, 64, 15_359, 1_000_000):
            self.assertEqual(len(list(INPUT.commands(number))), 2)
            self.assertEqual(INPUT.number_of(INPUT.record(number)), number)

    def test_a_seed_is_a_plan(self):
        steps = lambda seed, count: [str(step) for step in itertools.islice(plan(seed), count)]
        self.assertEqual(steps(1, 200), steps(1, 200))
        self.assertNotEqual(steps(1, 200), steps(2, 200))

    def test_the_plan_of_ci_has_every_fault(self):
        seen = collections.Counter(each.name for step in itertools.islice(plan(1), 150) for each, _ in step.faults)
        self.assertEqual({each.name for each in FAULTS} - set(seen), set())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--faults", type=int, help="how many; 200 unless --minutes is given")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, help="end after that time")
    parser.add_argument("--only", nargs="+", metavar="FAULT", default=(), choices=[each.name for each in FAULTS])
    parser.add_argument("--without", nargs="+", metavar="FAULT", default=(), choices=[each.name for each in FAULTS])
    parser.add_argument("--verbose", action="store_true", help="print each fault when it comes")
    parser.add_argument("--self-test", action="store_true", help="show that the comparison finds what is wrong")
    options = parser.parse_args()
    if options.self_test:
        return unittest.main(argv=[sys.argv[0]])
    faults = options.faults if options.faults or options.minutes else 200
    return crash_matrix(faults, options.seed, options.minutes, options.verbose,
                        [each for each in FAULTS if each.name not in options.without
                         and (not options.only or each.name in options.only)])


if __name__ == "__main__":
    sys.exit(main())
