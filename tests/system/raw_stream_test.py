"""The raw stream of a real Redis as source and as target: holes, streams that are gone or none, odd entries."""

import unittest

from numbered_input import RAW, NumberedInput
from support import STREAM, Breakwater, PrivateRedis, Simulator, fields_of, wait_until

CONFIG = '[health]\ninterval = "200ms"\nanswer_within = "150ms"\n'
PUBLISH = CONFIG + """
[feeds]
publish_raw = true
raw_maxlen = 5000
"""


class RawStream(unittest.TestCase):
    def setUp(self):
        self.redis = self.enterContext(PrivateRedis())
        self.numbers = NumberedInput()
        self.added = 0

    def starts(self, extra="", urls=None):
        self.process = self.enterContext(Breakwater(self.redis.unix_url, urls, extra=CONFIG + extra))
        self.process.wait_for_log("event=api_listening", 10)

    def add(self, count):
        for number in range(self.added, self.added + count):
            for command in self.numbers.commands(number):
                self.redis.cli(*command)
        self.added += count

    def reader(self):
        """What it says of itself: level, why and the facts; empty before the first tick."""
        actors = self.process.api("GET", "/api/actors")[1]["actors"]
        found = [actor for actor in actors if actor["name"] == "raw_reader"]
        return found[0] | (found[0]["facts"] or {}) if found else {}

    def reader_says(self, **wanted):
        wait_until(lambda: {key: self.reader().get(key) for key in wanted} == wanted, 10, f"raw_reader says {wanted}")

    def published(self):
        return [self.numbers.number_of(fields) for _, fields in self.redis.entries(STREAM)]

    def check_published(self, wanted):
        wait_until(lambda: len(self.published()) >= len(wanted), 10, f"{len(wanted)} records are there")
        self.assertEqual(self.published(), wanted)

    def test_it_begins_with_the_oldest_entry_and_follows(self):
        self.add(20)
        self.starts(self.numbers.config)
        self.check_published(list(range(20)))
        self.add(20)
        self.check_published(list(range(40)))
        names = [line for line in self.redis.cli("CLIENT", "LIST").splitlines() if " name=breakwater:a:raw " in line]
        self.assertEqual(len(names), 1)

    def test_entries_trimmed_unread_are_counted_exactly(self):
        self.add(10)
        self.starts(self.numbers.config)
        self.check_published(list(range(10)))
        self.reader_says(entries="20")
        self.process.kill()
        self.add(50)
        self.redis.cli("XTRIM", RAW, "MAXLEN", "=", "20")  # 80 of the 100 entries that nobody read are gone
        self.process.start()
        self.check_published([*range(10), *range(50, 60)])
        self.reader_says(trimmed_unread="80", holes="1")
        line = self.process.wait_for_log("event=raw_hole", 5)
        self.assertEqual(fields_of(self.process.log().split("event=raw_hole")[1].splitlines()[0])["count"], "80", line)
        self.process.kill()
        self.process.start()
        self.add(1)
        self.check_published([*range(10), *range(50, 61)])
        self.reader_says(trimmed_unread="80", holes="0")

    def test_a_stream_that_is_gone_is_read_when_it_is_written_again(self):
        self.add(10)
        self.starts(self.numbers.config)
        self.check_published(list(range(10)))
        self.redis.cli("DEL", RAW)
        self.process.wait_for_log("event=raw_again", 5)
        self.add(10)
        self.check_published(list(range(20)))
        self.assertEqual(self.reader()["level"], "ok")

    def test_a_key_that_is_no_stream_is_said_until_it_is_one(self):
        self.redis.cli("SET", RAW, "x")
        self.starts(self.numbers.config)
        self.reader_says(level="critical", why="the raw stream is not read: WRONGTYPE Operation against a key holding the "
                                               "wrong kind of value")
        self.redis.cli("DEL", RAW)
        self.add(5)
        self.check_published(list(range(5)))
        self.reader_says(level="ok")

    def test_odd_entries_are_passed_over(self):
        self.redis.cli("XADD", RAW, "*", "init", "1")
        self.add(1)
        self.redis.cli("XADD", RAW, "*", "exchange", "binance", "symbol", "BTCUSDT", "close", "None")
        self.redis.cli("XADD", RAW, "*", "who", "knows")
        self.starts(self.numbers.config)
        self.add(1)
        self.check_published([0, 1])
        self.reader_says(markers="1", unreadable="2", level="ok")
        self.process.wait_for_log("event=raw_entry_unreadable", 5)

    def test_feeds_write_the_raw_stream_and_another_process_reads_it(self):
        exchanges = self.enterContext(Simulator())
        self.starts(PUBLISH.removeprefix(CONFIG), exchanges.urls)
        wait_until(lambda: self.redis.cli("XLEN", RAW) > 100, 20, "candles are in the raw stream")
        other_stream = "normalized.by.another"
        other = self.enterContext(Breakwater(self.redis.unix_url, extra=CONFIG + f"""
[aggregator]
source = "raw_stream"
stream = "{other_stream}"
"""))
        wait_until(lambda: self.redis.cli("XLEN", other_stream) > 50, 10, "the other merges them")
        self.assertEqual(self.process.terminate(), 0)
        raw = [fields for _, fields in self.redis.entries(RAW)]
        self.assertEqual(list(raw[0]), ["exchange", "symbol", "timestamp", "open", "high", "low", "close", "volume"])
        self.assertGreater(len({fields["exchange"] for fields in raw}), 2)
        self.assertEqual(other.terminate(), 0)

    def test_one_process_may_do_both(self):
        exchanges = self.enterContext(Simulator())
        self.starts(PUBLISH.removeprefix(CONFIG) + '[aggregator]\nsource = "raw_stream"\n', exchanges.urls)
        wait_until(lambda: self.redis.cli("XLEN", STREAM) > 50, 20, "records are there")
        self.assertEqual(self.process.terminate(), 0)
        self.assertGreater(self.redis.cli("XLEN", RAW), 50)


if __name__ == "__main__":
    unittest.main()
