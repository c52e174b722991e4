"""Nothing lost, nothing twice: one story for each way in which records can be lost or doubled.

The input is the raw stream, with numbers of which each makes exactly one record (numbered_input). So what the output
must hold is known, number by number, whatever dies in between.

    python3 tests/system/delivery_test.py Failover [-v]
"""

import contextlib
import json
import pathlib
import re
import shutil
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from fault_proxy import RESET, FaultProxy  # noqa: E402
from numbered_input import RAW, NumberedInput  # noqa: E402
from redis_outage_test import write_script  # noqa: E402
from support import (STREAM, Breakwater, PrivateRedis, RedisError, RespClient, Simulator, breakwater,  # noqa: E402
                     id_key, wait_until)

OWNER = f"breakwater:{{{STREAM}}}:owner"
NOISE = " event=(health_reported|redis_connect_failed|redis_reconnect_waits|breaker_)"
OOM = "OOM command not allowed when used memory > 'maxmemory'."
REDIS = """
connect_timeout = "500ms"
command_timeout = "2s"
health_interval = "500ms"
backoff_initial = "50ms"
backoff_max = "200ms"
"""
CONFIG = """
[breaker.redis]
open_duration = "500ms"
max_open_duration = "500ms"
[health]
interval = "500ms"
answer_within = "400ms"
"""
FEEDS = CONFIG + """
[symbols]
list = ["BTCUSDT", "ETHUSDT"]
[aggregator]
window = "720h"
"""


class Told:
    """What a process of ours says of its publisher, and what the log says; for Story, and for a second process."""

    def __init__(self, process):
        self.process = process

    def publisher(self):
        """What /health says of it: level, why and the facts."""
        return self.process.api("GET", "/health")[1]["spool"] or {}

    def waits_with(self, count):
        """Until so many records are spooled, neither more nor less."""
        self.process.wait_for(lambda: self._fact("waiting") == count, 20, f"{count} records wait in the spool")

    def critical(self, why):
        """Until /health is, and says of the publisher why."""
        def is_critical():
            try:
                status, health = self.process.api("GET", "/health")
            except OSError:  # it does not listen yet
                return False
            return status == 503 and health["spool"]["level"] == "critical" and re.search(why, health["spool"]["why"])
        self.process.wait_for(is_critical, 10, f"/health is critical and says {why!r}")

    def well(self):
        self.process.wait_for(lambda: self.process.api("GET", "/health")[1]["status"] == "ok", 15, "/health is ok")

    def spool(self, *words):
        return breakwater("spool", *words, "--config", self.process.config)

    def status(self):
        """What `spool status` says."""
        ended = self.spool("status", "--json")
        if ended.returncode != 0:
            raise AssertionError(f"spool status: {ended}")
        return json.loads(ended.stdout)

    def stream(self):
        """What `spool status` says of the output stream. Acknowledgements are written down within a second."""
        return next(each for each in self.status()["streams"] if each["stream"] == STREAM)

    def _fact(self, name):
        try:
            return int(self.publisher().get(name, -1))
        except OSError:  # it does not listen yet
            return None


class Numbers(NumberedInput):
    """Numbers of one symbol, written to the raw stream of a redis-server."""

    def __init__(self, redis, **how):
        super().__init__(symbols=1, window="120s", **how)
        self.redis = redis
        self.count = 0  # written so far

    def feed(self, count):
        """Writes the next `count`."""
        with RespClient(self.redis.socket_path, timeout=30) as client:
            while count > 0:
                some = range(self.count, self.count + min(count, 500))
                refused = [reply for reply in client.pipeline(*(words for n in some for words in self.commands(n)))
                           if isinstance(reply, RedisError)]
                if refused:
                    raise refused[0]
                self.count += len(some)
                count -= len(some)

    def found(self, entries):
        """The numbers of our records among a stream's entries, in their order; each must be what its number makes."""
        found = []
        for entry, fields in entries:
            number = self.number_of(fields)
            if number is None:
                continue
            if wrong := self.wrong_fields(fields, number):
                raise AssertionError(f"{entry}, number {number}, is not as it should: {wrong}")
            found.append(number)
        return found


class Story:
    """Redis, a proxy in front of it, and breakwater, which merges numbers."""

    def __init__(self, *server, persistent=False, maxlen=1_000_000_000, spool="", wrapper=(), begins=True):
        self.redis = PrivateRedis(*server, persistent=persistent)
        self.numbers = Numbers(self.redis, maxlen=maxlen)
        self._spool, self._wrapper, self._begins = spool, wrapper, begins
        self.proxy = self.process = self.told = None
        self._stack = None

    def __enter__(self):
        with contextlib.ExitStack() as self._stack:
            self._stack.enter_context(self.redis)
            self.proxy = self._stack.enter_context(FaultProxy(self.redis.socket_path))
            self.process = self.make_process()
            self.told = Told(self.process)
            if self._begins:
                self.begin()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, _, failed, __):
        if failed and self.process.folder:
            lines = [line for line in self.process.log().splitlines() if not re.search(NOISE, line)]
            failed.add_note("--- log of breakwater ---\n" + "\n".join(lines[-40:]))
        self._stack.close()

    def begin(self):
        """Of a story that did not begin with breakwater running."""
        self._stack.enter_context(self.process)
        self.process.wait_for_log("Connected to Redis")

    def make_process(self, instance="a", numbers=None):
        room = "" if "max_bytes" in self._spool else 'max_bytes = "64MiB"'  # all of it is taken from the disk at once
        extra = f"{CONFIG}\n{(numbers or self.numbers).config}\n[spool]\n{room}\n{self._spool}\n"
        return Breakwater(self.proxy.url, process=f'instance = "{instance}"\nshutdown_timeout = "2s"', redis=REDIS,
                          extra=extra, wrapper=self._wrapper)

    def feed(self, count):
        """The next `count` numbers, and waits until their records are in the stream."""
        self.numbers.feed(count)
        self.arrived()

    def arrived(self, timeout=20):
        """Until everything that was fed is in the stream: its last record is of the last number."""
        self.process.wait_for(lambda: self._newest() == [self.numbers.count - 1], timeout,
                              f"number {self.numbers.count - 1} is in the stream")

    def spool_up(self, count, waiting=None):
        """The next `count` numbers, of which Redis takes no record until the proxy is healed; then so many wait."""
        self.proxy.answer(OOM, "XADD")
        self.numbers.feed(count)
        self.told.waits_with(waiting or count)

    def entries(self):
        return self.numbers.redis.entries(STREAM)

    def length(self):
        return self.numbers.redis.cli("XLEN", STREAM)

    def _newest(self):
        try:
            newest = self.numbers.redis.cli("XREVRANGE", STREAM, "+", "-", "COUNT", 1)
        except (OSError, RedisError):
            return None
        return self.numbers.found([(entry, dict(zip(flat[::2], flat[1::2]))) for entry, flat in newest])

    def restarts(self):
        """breakwater, after it ended; returns where the log of this run begins."""
        mark = len(self.process.log())
        self.process.start()
        return mark


class Delivery(unittest.TestCase):
    def assert_each_once(self, story, numbers=None):
        """`numbers`, all that were fed unless given, are in the stream, each once and in order."""
        entries = story.entries()
        ids = [id_key(entry) for entry, _ in entries]
        self.assertEqual(ids, sorted(set(ids)), "ids grow strictly")
        found = story.numbers.found(entries)
        expected = list(range(story.numbers.count) if numbers is None else numbers)
        if found != expected:
            at = next((i for i, (a, b) in enumerate(zip(found, expected)) if a != b), min(len(found), len(expected)))
            self.fail(f"{len(found)} records for {len(expected)} numbers; from place {at} on {found[at:at + 10]} "
                      f"instead of {expected[at:at + 10]}")

    def assert_nothing_said(self, story, *names):
        for name in names:
            self.assertEqual(story.process.events(name), [], name)


class Crashes(Delivery):
    def test_killed_with_thousands_spooled_while_redis_is_down(self):
        with Story(persistent=True) as story:
            story.feed(500)
            story.spool_up(4000)
            story.redis.kill()
            story.process.kill()

            story.restarts()  # Redis is still away
            story.told.waits_with(4000)
            story.process.kill()

            story.proxy.heal()
            story.redis.start()
            story.restarts()
            story.feed(500)
            self.assert_each_once(story)
            self.assertEqual(story.process.terminate(), 0)
            self.assertEqual(len(story.entries()), 5000)

    def test_killed_while_redis_is_down_and_the_exchanges_go_on(self):
        """Here input is lost while the process is dead, so what counts is what was accepted: what the spool holds."""
        script = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="breakwater-script-"))) / "frames"
        write_script(script, 20, 4)
        with PrivateRedis(persistent=True) as redis, Simulator("--frames", script) as exchanges, \
                Breakwater(redis.url, exchanges.urls, FEEDS + '[spool]\nmax_bytes = "64MiB"\n', redis=REDIS) as process:
            told = Told(process)
            wait_until(lambda: redis.cli("XLEN", STREAM) > 200, 15, "records are in the stream")
            redis.kill()
            process.wait_for(lambda: int(told.publisher()["waiting"]) > 2000, 20, "thousands of records wait")
            process.kill()
            exchanges.stop()
            spooled = told.stream()
            redis.start()
            before = redis.entries(STREAM)
            process.start()
            wait_until(lambda: redis.cli("XREVRANGE", STREAM, "+", "-", "COUNT", 1)[0][0] == spooled["last_id"], 15,
                       "the last record of the spool is the last of the stream")
            told.waits_with(0)
            entries = redis.entries(STREAM)

        self.assertEqual(entries[:len(before)], before)
        ids = [id_key(entry) for entry, _ in entries]
        self.assertEqual(ids, sorted(set(ids)), "ids grow strictly")
        acknowledged = sum(entry <= id_key(spooled["acknowledged_id"]) for entry in ids)
        self.assertEqual(len(entries), acknowledged + spooled["waiting"])
        self.assertEqual(len({str(fields) for _, fields in entries}), len(entries), "no record is there twice")

    def test_killed_again_and_again_in_the_middle_of_a_catch_up(self):
        with Story() as story:
            story.spool_up(12000)
            story.proxy.heal()
            story.proxy.delay(0, 40)  # so that mostly a transaction is applied whose reply has not come
            for stored in (1, 2000, 4000, 6000, 8000):
                wait_until(lambda: story.length() >= stored, 20, f"{stored} records are in the stream")
                self.assertLess(story.length(), 12000)
                story.process.kill()
                story.restarts()
            story.arrived()
            self.assert_each_once(story)
            self.assert_nothing_said(story, "publisher_intruder", "publisher_restamped", "publisher_sends_again")

    def test_redis_refuses_in_the_middle_of_a_catch_up(self):
        """OOM and NOREPLICAS as Redis itself says them, the one after the other."""
        refusals = {"OOM": (("maxmemory", "1mb"), ("maxmemory", 0)),
                    "NOREPLICAS": (("min-replicas-to-write", 1), ("min-replicas-to-write", 0))}
        with Story() as story:
            story.spool_up(12000)
            story.proxy.heal()
            story.proxy.delay(0, 40)
            for reply, (refuse, take) in refusals.items():
                stored = story.length()
                wait_until(lambda: story.length() > stored, 20, "records go into the stream")
                story.redis.cli("CONFIG", "SET", *refuse)
                self.assertLess(story.length(), 12000)
                story.process.wait_for(lambda: reply in (story.told.publisher()["why"] or ""), 10,
                                       f"/health names {reply}")
                story.redis.cli("CONFIG", "SET", *take)
            story.arrived()
            self.assert_each_once(story)
            self.assert_nothing_said(story, "publisher_intruder", "publisher_restamped", "publisher_sends_again")


class OlderRedis(Delivery):
    def snapshot_with_less(self, story, *, kill_both=False, forgets=False, before_we_see_it=lambda: None):
        """Redis is killed and comes back from a snapshot; returns what was in the stream before. `forgets`: what is
        missing then is, but for the very last, no more in the spool."""
        story.feed(500)
        story.redis.cli("SAVE")
        story.feed(700)

        def forgotten():
            story.feed(1)
            return int(story.told.publisher()["retained"]) < 100
        if forgets:
            story.process.wait_for(forgotten, 10, "the spool has forgotten what Redis has")
        before = story.entries()
        last = before[-1][0]
        wait_until(lambda: story.told.stream()["acknowledged_id"] == last, 5, "the spool knows that Redis has it all")
        story.proxy.refuse()
        story.redis.kill()
        if kill_both:
            story.process.kill()
        story.redis.start()
        self.assertEqual(story.length(), 500, "the snapshot")
        before_we_see_it()
        story.proxy.heal()
        if kill_both:
            story.restarts()
        return before

    def test_comes_back_from_a_snapshot(self):
        with Story() as story:
            before = self.snapshot_with_less(story)
            story.process.wait_for_log("event=publisher_sends_again")
            story.feed(300)
            self.assert_each_once(story)
            self.assertEqual(story.entries()[:1200], before, "the same records under the same ids")
            self.assertEqual([told["count"] for told in story.process.events("publisher_sends_again")], ["700"])
            self.assertEqual(story.told.publisher()["sent_again"], "700")
            self.assert_nothing_said(story, "publisher_intruder", "publisher_restamped", "publisher_hole")

    def test_comes_back_from_a_snapshot_and_so_do_we(self):
        with Story() as story:
            before = self.snapshot_with_less(story, kill_both=True)
            story.process.wait_for_log("event=publisher_sends_again")
            story.feed(300)
            self.assert_each_once(story)
            self.assertEqual(story.entries()[:1200], before, "the same records under the same ids")
            self.assert_nothing_said(story, "publisher_intruder", "publisher_restamped", "publisher_hole")

    def test_comes_back_older_than_what_is_retained(self):
        with Story(spool='retain = "10ms"\nretain_bytes = "0B"') as story:
            before = self.snapshot_with_less(story, forgets=True)
            story.process.wait_for_log("event=publisher_hole")
            hole, = story.process.events("publisher_hole")
            story.told.critical(hole["after"])
            story.feed(300)
            self.assertEqual(hole["after"], before[499][0], "the newest that Redis has")
            lost = [number for number, (entry, _) in enumerate(before)
                    if id_key(hole["after"]) < id_key(entry) <= id_key(hole["upto"])]
            self.assertGreater(len(lost), 600)
            self.assert_each_once(story, [number for number in range(story.numbers.count) if number not in lost])
            self.assertEqual(story.process.terminate(), 0)

    def test_comes_back_older_than_what_is_retained_and_somebody_writes(self):
        with Story(spool='retain = "10ms"\nretain_bytes = "0B"') as story:
            self.snapshot_with_less(story, forgets=True, before_we_see_it=lambda: story.redis.cli(
                "XADD", STREAM, "*", "symbol", "INTRUDER"))
            story.process.wait_for_log("event=publisher_hole")
            hole, = story.process.events("publisher_hole")
            self.assertEqual(hole["after"], story.entries()[499][0], "the newest of ours that Redis has")
            story.told.critical(hole["after"])
            story.feed(300)
            found = story.numbers.found(story.entries())
            self.assertEqual(found[:500], list(range(500)))
            behind = found[500:]
            self.assertEqual(behind, list(range(story.numbers.count - len(behind), story.numbers.count)))
            self.assertLess(len(behind), 100 + 300)

    def test_comes_back_empty(self):
        with Story() as story:
            story.feed(500)
            before = story.entries()
            story.redis.cli("FLUSHALL")
            story.feed(200)
            self.assert_each_once(story)
            self.assertEqual(story.entries()[:500], before, "the same records under the same ids")
            self.assertEqual(story.redis.cli("GET", OWNER).split()[0], story.told.status()["uuid"])

    def test_the_stream_is_deleted(self):
        with Story() as story:
            story.feed(500)
            before = story.entries()
            story.redis.cli("DEL", STREAM)
            story.feed(200)
            self.assert_each_once(story)
            self.assertEqual(story.entries()[:500], before, "the same records under the same ids")


class Failover(Delivery):
    def test_a_lagging_replica_is_promoted(self):
        with Story() as story, PrivateRedis() as replica:
            replica.cli("REPLICAOF", story.redis.host, story.redis.port)
            wait_until(lambda: "master_link_status:up" in replica.cli("INFO", "replication"), 10, "a replica in step")
            story.feed(500)
            wait_until(lambda: replica.cli("XLEN", STREAM) == 500, 10, "the replica has it all")
            # From here on it gets nothing: its link is cut, and it may not come back.
            story.redis.cli("ACL", "SETUSER", "default", "-psync", "-sync")
            story.redis.cli("CLIENT", "KILL", "TYPE", "REPLICA")
            wait_until(lambda: "master_link_status:down" in replica.cli("INFO", "replication"), 10, "its link is down")
            story.feed(700)
            before = story.entries()

            story.redis.kill()
            self.assertEqual(replica.cli("XLEN", STREAM), 500, "it lags behind")
            replica.cli("REPLICAOF", "NO", "ONE")
            story.numbers.redis = replica
            story.proxy.lead_to(replica.socket_path)
            story.process.wait_for_log("event=publisher_sends_again")
            story.feed(300)
            self.assert_each_once(story)
            self.assertEqual(story.entries()[:1200], before, "the same records under the same ids")
            self.assertEqual([told["count"] for told in story.process.events("publisher_sends_again")], ["700"])
            self.assert_nothing_said(story, "publisher_intruder", "publisher_restamped", "publisher_hole")


class OtherWriters(Delivery):
    def test_one_writes_while_records_wait(self):
        with Story() as story:
            story.feed(500)
            story.spool_up(300)
            intruder = story.redis.cli("XADD", STREAM, "*", "symbol", "INTRUDER")
            story.proxy.heal()
            story.arrived()
            self.assert_each_once(story)
            told = story.process.events("publisher_intruder")
            self.assertEqual([(x["intruder_id"], x["entries"], x["count"]) for x in told], [(intruder, "1", "300")])
            self.assertEqual(story.told.publisher()["restamped"], "300")
            self.assertEqual([entry for entry, _ in story.entries()].index(intruder), 500, "the 300 are behind it")

    def test_one_writes_all_the_time(self):
        with Story() as story:
            theirs, ends = [], threading.Event()

            def writes():
                while not ends.is_set():
                    theirs.append(story.redis.cli("XADD", STREAM, "*", "symbol", "INTRUDER"))
            writer = threading.Thread(target=writes)
            writer.start()
            try:
                for _ in range(20):
                    story.numbers.feed(100)
            finally:
                ends.set()
                writer.join()
            story.arrived()
            self.assert_each_once(story)
            kept = [entry for entry, fields in story.entries() if fields["symbol"] == "INTRUDER"]
            self.assertEqual(kept, theirs, "theirs are untouched")

    def test_one_raises_the_last_id(self):
        with Story() as story:
            story.feed(500)
            story.spool_up(300)
            ahead = f"{int(time.time() * 1000) + 3600_000}-0"
            story.redis.cli("XSETID", STREAM, ahead)
            story.proxy.heal()
            story.arrived()
            story.feed(200)
            self.assert_each_once(story)
            self.assertEqual(story.told.publisher()["restamped"], "300")
            self.assertGreater(id_key(story.entries()[500][0]), id_key(ahead))

    def test_one_trims(self):
        with Story() as story:
            story.feed(500)
            story.spool_up(300)
            story.redis.cli("XTRIM", STREAM, "MAXLEN", 0)
            story.proxy.heal()
            story.feed(200)
            self.assert_each_once(story, range(500, 1000))
            self.assert_nothing_said(story, "publisher_intruder", "publisher_restamped", "publisher_sends_again")

    def test_one_trims_and_writes_while_records_wait(self):
        """What we never sent is not there, though the stream begins behind it."""
        with Story() as story:
            story.feed(500)
            story.spool_up(300)
            story.redis.cli("XTRIM", STREAM, "MAXLEN", 0)
            story.redis.cli("XADD", STREAM, "*", "symbol", "INTRUDER")
            story.proxy.heal()
            story.feed(200)
            self.assert_each_once(story, range(500, 1000))

    def killed_over_a_transaction(self, story):
        """The last transaction is applied, but nobody ever tells us; returns how many records the stream had then. All
        that is left of them is the stream's last id."""
        story.feed(300)
        story.told.waits_with(0)  # every reply so far has come
        story.proxy.accept_and(RESET)
        story.proxy.cut_instead_of_reply("EXEC", having="XADD")
        story.numbers.feed(200)
        wait_until(lambda: story.proxy.cuts == 1, 10, "the connection is cut instead of the reply")
        story.process.kill()
        stored = story.length()
        self.assertGreater(stored, 300)
        story.redis.cli("XTRIM", STREAM, "MAXLEN", 0)
        return stored

    def test_one_trims_what_we_do_not_know_to_be_there(self):
        with Story() as story:
            stored = self.killed_over_a_transaction(story)
            story.proxy.heal()
            story.restarts()
            story.feed(100)
            self.assert_each_once(story, range(stored, 600))

    def test_one_trims_and_writes_over_what_we_do_not_know_to_be_there(self):
        with Story() as story:
            stored = self.killed_over_a_transaction(story)
            story.redis.cli("XADD", STREAM, "*", "symbol", "INTRUDER")
            story.proxy.heal()
            story.restarts()
            story.feed(100)
            found = story.numbers.found(story.entries())
            self.assertEqual(found, sorted(set(found)), "each once and in order")
            self.assertGreaterEqual(found[0], stored, "nothing is doubled")
            self.assert_each_once(story, range(stored, 600))


class Owners(Delivery):
    def test_a_lost_data_dir_with_the_clock_stepped_back(self):
        with Story(begins=False) as story:
            # The clock is an hour ahead, as far as the first spool is concerned.
            story.redis.cli("XGROUP", "CREATE", STREAM, "any", "$", "MKSTREAM")
            story.redis.cli("XSETID", STREAM, f"{int(time.time() * 1000) + 3600_000}-0")
            story.begin()
            story.feed(300)
            lost = story.told.status()["uuid"]
            self.assertEqual(story.process.terminate(), 0)
            last = story.entries()[-1][0]
            shutil.rmtree(story.process.data_dir)
            story.redis.cli("DEL", RAW)  # without a position it would be read from its beginning again

            mark = story.restarts()
            story.numbers.feed(200)
            story.process.wait_for_log(f"event=publisher_not_owner.*{lost}", 10, mark)
            story.told.waits_with(200)
            story.told.critical(lost)
            self.assertEqual(story.length(), 300, "it publishes nothing")

            asked = story.told.spool("take-over")  # nobody says yes
            self.assertEqual((asked.returncode, story.redis.cli("GET", OWNER).split()[0]), (1, lost), asked)
            self.assertIn(lost, asked.stdout)
            moved = story.told.spool("take-over", "--yes")
            self.assertEqual(moved.returncode, 0, moved)
            story.arrived()
            story.feed(100)
            self.assert_each_once(story)
            self.assertGreater(id_key(story.entries()[300][0]), id_key(last))
            story.told.well()

    def test_two_instances_on_one_stream(self):
        with Story() as story:
            others = Numbers(story.redis, raw="other.raw", first_symbol=1)
            second = story.make_process("b", others)
            story.feed(300)
            with second:
                told = Told(second)
                owner = story.told.status()["uuid"]
                second.wait_for_log(f"event=publisher_not_owner.*{owner}")
                others.feed(200)
                told.waits_with(200)
                told.critical(owner)
                story.feed(300)  # the first is undisturbed
                self.assertEqual(story.length(), 600)
                story.told.well()
                self.assert_nothing_said(story, "publisher_not_owner", "publisher_intruder", "publisher_restamped")

                self.assertEqual(told.spool("take-over", "--yes").returncode, 0)
                second.wait_for(lambda: story.length() == 800, 15, "the second one's records follow")
                taker = told.status()["uuid"]
                story.numbers.feed(100)
                story.process.wait_for_log(f"event=publisher_not_owner.*{taker}")
                story.told.waits_with(100)
                story.told.critical(taker)
                others.feed(200)
                second.wait_for(lambda: story.length() == 1000, 15, "the second one goes on")

                mark = len(second.log())
                self.assertEqual(story.told.spool("take-over", "--yes").returncode, 0)
                story.arrived()
                others.feed(100)
                second.wait_for_log(f"event=publisher_not_owner.*{owner}", 10, mark)
                told.waits_with(100)

            entries = story.entries()
            self.assertEqual([fields["symbol"] for _, fields in entries],
                             600 * story.numbers.symbols + 400 * others.symbols + 100 * story.numbers.symbols,
                             "never interleaved")
            self.assert_each_once(story)
            self.assertEqual(others.found(entries), list(range(400)))


class Readers(Delivery):
    """A consumer group that lags behind while a stream of at most 1,000 entries catches up."""

    def setUp(self):
        self.read = []

    def read_on(self, story, most=10000):
        reply = story.redis.cli("XREADGROUP", "GROUP", "models", "one", "COUNT", most, "STREAMS", STREAM, ">")
        for entry, flat in (reply or [[STREAM, []]])[0][1]:
            self.read.append((entry, dict(zip(flat[::2], flat[1::2]))))

    def catches_up(self, story):
        story.redis.cli("XGROUP", "CREATE", STREAM, "models", 0, "MKSTREAM")
        story.feed(500)
        self.read_on(story)
        story.spool_up(5000)
        story.proxy.heal()
        story.process.wait_for_log("event=publisher_waits_for_readers")

    def test_catching_up_waits_for_one_that_reads(self):
        with Story(maxlen=1000, spool='trim_patience = "60s"') as story:
            self.catches_up(story)

            def reads_all():
                self.read_on(story, 300)
                return len(self.read) == 5500
            story.process.wait_for(reads_all, 30, "the reader has read everything")
            self.assertEqual(story.numbers.found(self.read), list(range(5500)))
            self.assertEqual(story.told.publisher()["trimmed_unread"], "0")
            self.assert_nothing_said(story, "publisher_trimmed_unread")

    def test_catching_up_goes_on_without_one_that_does_not_read(self):
        with Story(maxlen=1000, spool='trim_patience = "2s"') as story:
            self.catches_up(story)
            began = time.monotonic()
            story.arrived()
            self.assertGreater(time.monotonic() - began, 1.5)
            story.process.wait_for_log("event=publisher_trimmed_unread")
            self.read_on(story)
            unread = 5500 - len(self.read)
            self.assertGreater(unread, 3000)
            self.assertEqual(story.numbers.found(self.read), [*range(500), *range(500 + unread, 5500)])
            self.assertEqual(int(story.told.publisher()["trimmed_unread"]), unread)


if __name__ == "__main__":
    unittest.main()
