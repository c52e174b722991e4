"""The spool on disk: what the command line says of it, and what happens when it is full, damaged or of another version.

As in delivery_test, the input is numbers of which each makes exactly one record.
"""

import contextlib
import json
import pathlib
import re
import tempfile
import time
import unittest

import support
from delivery_test import FEEDS, OOM, REDIS, Delivery, Story, Told
from numbered_input import RAW
from redis_outage_test import EXCHANGES as SCRIPTED
from redis_outage_test import FIRST_MINUTE, frame_of, price_of
from support import STREAM, Breakwater, PrivateRedis, Simulator, breakwater, id_key, in_own_mounts

FULL = 'max_bytes = "16MiB"'


MANY = [f"C{number}USDT" for number in range(100)]


def write_moving_prices(path, steps):
    """Each millisecond another price of two of many symbols on every exchange, of 50 minutes one after the other. Returns
    the last ones by symbol and minute, and by exchange."""
    last = {}
    with open(path, "w") as out:
        for step in range(steps):
            minute = step * 50 // steps
            at = FIRST_MINUTE * 1000 + step
            for symbol in (MANY[step % 50], MANY[50 + step % 50]):
                for exchange in SCRIPTED:
                    before = price_of(symbol, minute, exchange)
                    price = f"{before + step / 100:.3f}"
                    frame = json.dumps(frame_of(exchange, symbol, minute, 0)).replace("true", "false")
                    frame = frame.replace(f"{before:.3f}", price)
                    out.write(f'{{"recv_ms": {at}, "exchange": "{exchange}", "frame": {frame}}}\n')
                    last.setdefault((symbol, FIRST_MINUTE + 60 * minute), {})[exchange] = float(price)
    return last


def anonymous_bytes(process):
    """The memory of a process that is no file's."""
    status = pathlib.Path(f"/proc/{process.process.pid}/status").read_text()
    return int(re.search(r"RssAnon:\s*(\d+) kB", status)[1]) * 1024


class Commands(Delivery):
    def shows(self, story, **expected):
        """Until spool status does, as JSON and as text; returns all of it."""
        def shown():
            stream = story.told.stream()
            return stream if {key: stream[key] for key in expected} == expected else None
        stream = support.wait_until(shown, 5, f"spool status shows {expected}")
        text = story.told.spool("status")
        self.assertEqual((text.returncode, text.stderr), (0, ""))
        for value in (STREAM, *expected.values()):
            self.assertIn(str(value), text.stdout)
        return stream

    def test_status_tells_the_same_of_a_running_and_a_stopped_process(self):
        with Story(persistent=True) as story:
            story.feed(300)
            last = story.entries()[-1][0]
            running = self.shows(story, waiting=0, retained=300, dead=0, last_id=last, acknowledged_id=last)
            self.assertIn(story.redis.cli("XREVRANGE", RAW, "+", "-", "COUNT", 1)[0][0], running["position"])
            uuid = story.told.status()["uuid"]
            self.assertRegex(uuid, r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
            self.assertIn(uuid, story.told.spool("status").stdout)

            story.spool_up(200)
            behind = self.shows(story, waiting=200, retained=300, dead=0, acknowledged_id=last)
            self.assertGreater(id_key(behind["last_id"]), id_key(last))
            self.assertGreater(behind["bytes"], running["bytes"])
            story.process.kill()
            self.assertEqual((story.told.status()["uuid"], story.told.stream()), (uuid, behind))

    def test_verify_and_dead_find_nothing_in_a_sound_spool(self):
        with Story() as story:
            story.feed(300)
            story.spool_up(200)
            for state in ("running", "stopped"):
                with self.subTest(state):
                    verified = story.told.spool("verify")
                    self.assertEqual((verified.returncode, verified.stderr), (0, ""), verified.stdout)
                    self.assertIn("500", verified.stdout, "it says how many records it looked at")
                    dead = story.told.spool("dead")
                    self.assertEqual((dead.returncode, dead.stderr), (0, ""), dead.stdout)
                    self.assertIn("nothing", dead.stdout)
                story.process.kill()

    def test_what_changes_it_is_refused_while_a_process_runs(self):
        with Story() as story:
            story.feed(10)
            for words in (("dead", "--requeue", "all"), ("dead", "--drop", "all"), ("dead", "--drop", "1")):
                refused = story.told.spool(*words)
                self.assertEqual(refused.returncode, 2, refused)
                self.assertIn(str(story.process.data_dir), refused.stderr)
            self.assertTrue(story.process.running())
            story.feed(10)

    def test_a_spool_that_is_not_there(self):
        with tempfile.TemporaryDirectory(prefix="breakwater-spool-") as folder:
            data = pathlib.Path(folder) / "data"
            config = pathlib.Path(folder) / "breakwater.toml"
            config.write_text(f'[process]\ndata_dir = "{data}"\n[redis]\nurl = "redis://127.0.0.1:1/0"\n')
            for words in (("status",), ("status", "--json"), ("verify",), ("dead",), ("dead", "--drop", "all"),
                          ("take-over", "--yes")):
                with self.subTest(words=words):
                    ended = breakwater("spool", *words, "--config", config)
                    self.assertEqual((ended.returncode, ended.stdout), (2, ""))
                    self.assertIn(str(data), ended.stderr)
                    self.assertFalse(data.exists(), "looking makes nothing")

    def test_a_config_with_a_mistake(self):
        with tempfile.TemporaryDirectory(prefix="breakwater-spool-") as folder:
            config = pathlib.Path(folder) / "breakwater.toml"
            config.write_text('[spool]\nmax_bytes = "1KiB"\n')
            for word in ("status", "verify", "dead", "take-over"):
                with self.subTest(word):
                    ended = breakwater("spool", word, "--config", config)
                    self.assertEqual((ended.returncode, ended.stdout), (2, ""))
                    self.assertRegex(ended.stderr, rf"^{config}:2:13: .*spool\.max_bytes.*16MiB")
        for words in ((), ("dance",), ("status",), ("dead", "--drop", "some", "--config", "x")):
            with self.subTest(words=words):
                self.assertNotEqual(breakwater("spool", *words).returncode, 0)

    def test_take_over_says_when_redis_cannot_be_asked(self):
        with Story() as story:
            story.feed(10)
            story.process.terminate()
            story.proxy.refuse()
            ended = story.told.spool("take-over", "--yes")
            self.assertEqual((ended.returncode, ended.stdout), (2, ""))
            self.assertIn(str(story.proxy.port), ended.stderr)


class Room(Delivery):
    def fills_up(self, story):
        """Feeds until the spool takes no more; returns how many records it took."""
        story.feed(100)
        story.proxy.answer(OOM, "XADD")
        while not story.process.events("publisher_busy"):
            self.assertLess(story.numbers.count, 200000, "it takes more than 16 MiB")
            story.numbers.feed(5000)
            time.sleep(0.1)
        story.numbers.feed(5000)
        return self.stays_full(story)

    def stays_full(self, story):
        story.told.critical("(?i)full|room")
        taken = int(story.told.publisher()["waiting"])
        ends = time.monotonic() + 1.5
        while time.monotonic() < ends:
            self.assertEqual(int(story.told.publisher()["waiting"]), taken, "it takes no more")
        self.assertLess(taken, story.numbers.count - 5000, "the rest waits in Redis")
        return taken

    def test_a_full_spool_leaves_the_input_in_redis(self):
        with Story(persistent=True, spool=FULL) as story:
            before = anonymous_bytes(story.process)
            taken = self.fills_up(story)
            self.assertGreater(taken, 20000)
            self.assertLess(anonymous_bytes(story.process) - before, 64 << 20)
            self.assertLess(story.told.stream()["bytes"], 17 << 20)
            position = story.told.stream()["position"]
            story.process.kill()  # full or not, it comes back
            story.restarts()
            story.told.waits_with(taken)
            self.assertEqual(self.stays_full(story), taken)
            self.assertEqual(story.told.stream()["position"], position)

            story.proxy.heal()
            story.arrived(40)
            story.process.wait_for_log("event=publisher_room")
            self.assert_each_once(story)
            story.told.well()

    def test_a_full_spool_makes_feeds_conflate(self):
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="breakwater-script-"))
        script = pathlib.Path(folder) / "frames"
        last = write_moving_prices(script, 16000)
        many = FEEDS.replace('list = ["BTCUSDT", "ETHUSDT"]', f"list = {json.dumps(MANY)}")
        config = many + f"maxlen = 1000000\n[spool]\n{FULL}\n"
        with PrivateRedis(persistent=True) as redis, Simulator("--frames", script) as exchanges, \
                Breakwater(redis.url, exchanges.urls, config, redis=REDIS) as process:
            told = Told(process)
            process.wait_for(lambda: redis.cli("XLEN", STREAM) > 100, 15, "records are in the stream")
            before = anonymous_bytes(process)
            redis.kill()
            process.wait_for_log("event=publisher_busy", 30)
            told.critical("(?i)full|room")
            process.wait_for_log("event=candles_conflated")
            self.assertLess(anonymous_bytes(process) - before, 64 << 20)
            redis.start()
            process.wait_for_log("event=publisher_room", 20)

            def newest():
                """Of each symbol and minute, the prices it has in the newest record."""
                found = {}
                for _, flat in redis.cli("XREVRANGE", STREAM, "+", "-"):
                    fields = dict(zip(flat[::2], flat[1::2]))
                    found.setdefault((fields["symbol"], int(fields["timestamp"])),
                                     {exchange: json.loads(fields.get(f"{exchange}_price", "null")) for exchange in SCRIPTED})
                return found
            process.wait_for(lambda: newest() == last, 40, "the last prices of every minute are in the stream")
            told.waits_with(0)
            accepted = int(told.publisher()["accepted"])
            self.assertEqual(process.terminate(), 0)
            self.assertNotIn("event=candles_dropped", process.log())
            entries = redis.entries(STREAM)
        self.assertEqual(len(entries), accepted)
        self.assertEqual(len({str(fields) for _, fields in entries}), len(entries), "no record is there twice")

    def test_a_full_disk(self):
        if not support.own_mounts_are_permitted():
            self.skipTest("no mount namespace of its own for breakwater: unshare is not permitted")
        # A file system of 24 MiB under the spool alone: too small for what the spool would like to have reserved.
        disk = in_own_mounts('spool="${4%/*}/data/spool" && mkdir -p "$spool" && '
                             'mount -t tmpfs -o size=24m none "$spool"')
        with Story(spool=FULL, wrapper=disk) as story:
            story.feed(1000)
            folder = pathlib.Path(f"/proc/{story.process.process.pid}/root{story.process.data_dir}/spool")
            ballast = folder / "ballast"
            with open(ballast, "wb", buffering=0) as out, contextlib.suppress(OSError):
                while out.write(bytes(65536)) == 65536:
                    pass
            story.proxy.answer(OOM, "XADD")
            while not story.process.events("spool_failed"):
                self.assertLess(story.numbers.count, 200000, "it writes where there is no room")
                story.numbers.feed(1000)
                time.sleep(0.05)
            told, = story.process.events("spool_failed")
            self.assertRegex(told["reason"], "(?i)no space")
            story.told.critical("(?i)no space")
            story.numbers.feed(5000)
            waiting = int(story.told.publisher()["waiting"])
            self.assertLess(waiting, story.numbers.count - 6000, "the rest waits in Redis")

            ballast.unlink()
            story.process.wait_for_log("event=spool_works", 20)
            story.told.waits_with(story.numbers.count - 1000)
            story.proxy.heal()
            story.arrived()
            self.assert_each_once(story)
            story.told.well()


class Damage(Delivery):
    def data_mdb(self, story):
        return story.process.data_dir / "spool" / "data.mdb"

    def replace(self, story, old, new):
        """In every copy that the file has; returns how many."""
        self.assertEqual(len(old), len(new))
        data = self.data_mdb(story).read_bytes()
        self.data_mdb(story).write_bytes(data.replace(old, new))
        return data.count(old)

    def damaged(self, story):
        """Ten batches wait, of a hundred numbers each; stopped, those of 550 and 850 are damaged."""
        story.feed(100)
        for waiting in range(100, 1100, 100):
            story.spool_up(100, waiting)
        self.assertEqual(story.process.terminate(), 0)
        self.assertEqual(story.told.spool("verify").returncode, 0)
        for number in (550, 850):
            self.assertGreater(self.replace(story, f"{1000 + number}.75".encode(), f"{1000 + number}.79".encode()), 0)
        story.proxy.heal()

    def test_a_damaged_batch_is_set_aside_and_the_others_arrive(self):
        with Story() as story:
            self.damaged(story)
            verified = story.told.spool("verify")
            self.assertEqual((verified.returncode, len(verified.stdout.splitlines())), (1, 3), "two and their sum")

            story.restarts()
            story.feed(100)
            told = story.process.events("spool_quarantined")
            self.assertEqual([x["count"] for x in told], ["100", "100"])
            set_aside = {*range(500, 600), *range(800, 900)}
            self.assert_each_once(story, [number for number in range(1200) if number not in set_aside])
            self.assertEqual(story.told.publisher()["dead"], "200")
            self.assertEqual(story.told.stream()["dead"], 200)
            dead = story.told.spool("dead")
            self.assertEqual((dead.returncode, dead.stderr), (0, ""))
            self.assertIn("=1550.79 ", dead.stdout)
            self.assertIn("=1850.79 ", dead.stdout)
            self.assertEqual(story.told.spool("verify").returncode, 0)

    def test_what_was_set_aside_can_be_sent_all_the_same_or_dropped(self):
        with Story() as story:
            self.damaged(story)
            story.restarts()
            story.feed(100)
            story.process.terminate()
            last = story.entries()[-1][0]
            listed = [json.loads(line) for line in story.told.spool("dead", "--json").stdout.splitlines()]
            self.assertEqual([(each["count"], len(each["records"])) for each in listed], [(100, 100), (100, 100)])
            first, second = (each["number"] for each in listed)
            self.assertEqual(story.told.spool("dead", "--requeue", first + second).returncode, 1, "there is none such")
            for words in (("--requeue", first), ("--drop", second)):
                ended = story.told.spool("dead", *words)
                self.assertEqual((ended.returncode, ended.stderr), (0, ""))
            self.assertEqual((story.told.stream()["dead"], story.told.stream()["waiting"]), (0, 100))

            story.restarts()
            story.process.wait_for(lambda: story.length() == 1100, 10, "the hundred are in the stream")
            behind = story.entries()[1000:]
            self.assertGreater(id_key(behind[0][0]), id_key(last), "under new ids")
            self.assertEqual([fields for _, fields in behind], listed[0]["records"])
            story.told.waits_with(0)
            self.assertEqual(story.told.publisher()["dead"], "0")

    def test_a_newer_format_is_refused(self):
        with Story() as story:
            story.feed(10)
            story.process.terminate()
            self.assertGreater(self.replace(story, b"format1", b"format9"), 0)
            for words in (("run",), ("spool", "status"), ("spool", "verify")):
                with self.subTest(words=words):
                    ended = breakwater(*words, "--config", story.process.config)
                    self.assertEqual(ended.returncode, 2, ended)
                    self.assertIn(str(story.process.data_dir / "spool"), ended.stderr)
                    self.assertRegex(ended.stderr, r"format 9.*\b1\b")


class Stop(Delivery):
    def test_with_a_backlog_it_says_how_many_records_wait(self):
        with Story() as story:
            story.feed(100)
            story.spool_up(500)
            story.proxy.refuse()
            began = time.monotonic()
            self.assertEqual(story.process.terminate(), 0)
            self.assertLess(time.monotonic() - began, 4)
            self.assertEqual([told["count"] for told in story.process.events("spool_keeps")], ["500"])
            story.proxy.heal()
            story.restarts()
            story.feed(100)
            self.assert_each_once(story)


if __name__ == "__main__":
    unittest.main()
