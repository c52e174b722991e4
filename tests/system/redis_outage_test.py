"""Redis goes away while records flow: nothing accepted may be lost, doubled or out of order.

What the stream must hold is known beforehand. The exchanges send a script in which each (symbol, minute) comes once
from each of three exchanges, with prices of its own. So, whatever the timing, each minute makes exactly two records,
one when the second exchange has it and one with the third; and as each exchange sends its minutes in order, so do
the first records of the minutes come, and so do the second ones. One story runs with invented prices instead, and is
compared with the aggregator's own count.

The stories run side by side, for most of the time of each is waiting.
"""

import collections
import concurrent.futures
import datetime
import json
import signal
import time
import unittest

from support import STREAM, Breakwater, PrivateRedis, Simulator, id_key, wait_until

FIRST_MINUTE = 1763359200
SYMBOLS = ("BTCUSDT", "ETHUSDT")
EXCHANGES = ("binance", "bybit", "okx")
CONFIG = """
[symbols]
list = ["BTCUSDT", "ETHUSDT"]
[aggregator]
window = "720h"
[health]
interval = "1s"
answer_within = "500ms"
"""


def price_of(symbol, minute, exchange):
    return (95000 if symbol == "BTCUSDT" else 3100) + minute / 100 + EXCHANGES.index(exchange) / 1000


def frame_of(exchange, symbol, minute, event_ms):
    start_ms, price = (FIRST_MINUTE + 60 * minute) * 1000, f"{price_of(symbol, minute, exchange):.3f}"
    if exchange == "binance":
        return {"stream": symbol.lower() + "@kline_1m", "data": {"e": "kline", "E": event_ms, "s": symbol, "k": {
            "t": start_ms, "T": start_ms + 59999, "s": symbol, "i": "1m", "f": 1, "L": 1, "o": price, "c": price,
            "h": price, "l": price, "v": "1", "n": 1, "x": True, "q": "1", "V": "1", "Q": "1", "B": "0"}}}
    if exchange == "bybit":
        return {"topic": "kline.1." + symbol, "ts": event_ms, "type": "snapshot", "data": [{
            "start": start_ms, "end": start_ms + 59999, "interval": "1", "open": price, "close": price, "high": price,
            "low": price, "volume": "1", "turnover": "1", "confirm": True, "timestamp": event_ms}]}
    return {"arg": {"channel": "candle1m", "instId": symbol[:-4] + "-USDT"},
            "data": [[str(start_ms), price, price, price, price, "1", "1", "1", "1"]]}


def write_script(path, seconds, step_ms):
    """Every step the next minute of every symbol on every exchange. Returns the number of minutes."""
    minutes = int(seconds * 1000 / step_ms)
    with open(path, "w") as out:
        for minute in range(minutes):
            at = FIRST_MINUTE * 1000 + minute * step_ms
            for exchange in EXCHANGES:
                for symbol in SYMBOLS:
                    frame = frame_of(exchange, symbol, minute, at)
                    print(json.dumps({"recv_ms": at, "exchange": exchange, "frame": frame}), file=out)
    return minutes


Told = collections.namedtuple("Told", "entries before log health audit code minutes")


class Story:
    """Redis, exchanges and breakwater; what happens to Redis in between is `what(story)`."""

    def __init__(self, what, *, persistent=True, script_s=None, step_ms=50, config=""):
        self._what = what
        self._script_s, self._step_ms = script_s, step_ms
        self.redis = PrivateRedis(persistent=persistent)
        self._config = CONFIG + config
        self.breakwater = None
        self._mark = 0

    def tell(self):
        minutes = 0
        with self.redis:
            arguments = ["--interval", "100ms"]
            if self._script_s:
                script = self.redis.folder / "script.jsonl"
                minutes = write_script(script, self._script_s, self._step_ms)
                arguments = ["--frames", script]
            with Simulator(*arguments) as exchanges:
                urls = {name: url for name, url in exchanges.urls.items() if name in EXCHANGES or not minutes}
                with Breakwater(self.redis.url, urls, self._config) as self.breakwater:
                    self.breakwater.wait_for_log("Connected to Redis")
                    self._wait_for_length(100)
                    before = self.redis.entries(STREAM)
                    self._mark = len(self.breakwater.log())
                    self._what(self)
                    self._wait_for_length(len(before) + 1)  # it goes on
                    if minutes:
                        self._await(lambda: self._ended(minutes), 60, "the end of the script is in the stream")
                    else:
                        time.sleep(2)
                    exchanges.stop()  # nothing new from here on
                    health = self._await(self._settled, 15, "the stream has all that was merged")
                    code = self.breakwater.terminate()
                    entries = self.redis.entries(STREAM)
                    return Told(entries, before, self.breakwater.log(), health, self.breakwater.audit(), code, minutes)

    # what happens to Redis

    def stays_away(self, seconds):
        """For that time, the process must go on."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            self.assert_runs()
            time.sleep(0.1)

    def wait_for_log(self, regex, timeout):
        """In what was logged since the last one waited for."""
        found = self.breakwater.wait_for_log(regex, timeout, self._mark)
        self._mark = found.end()

    def assert_runs(self):
        if not self.breakwater.running():
            raise AssertionError("breakwater ended:\n" + self._log_tail())

    # waiting

    def _await(self, predicate, timeout, what):
        def asked():
            self.assert_runs()
            return predicate()
        try:
            return wait_until(asked, timeout, what)
        except AssertionError as failed:
            raise AssertionError(f"{failed}\n{self._log_tail()}") from None

    def _log_tail(self):
        lines = self.breakwater.log().splitlines()
        without_health = [line for line in lines if "event=health_reported" not in line]
        return "\n".join(without_health[-30:] + lines[-1:])

    def _wait_for_length(self, length):
        self._await(lambda: self.redis.cli("XLEN", STREAM) >= length, 30, f"{length} entries are in the stream")

    def _ended(self, minutes):
        newest = self.redis.cli("XREVRANGE", STREAM, "+", "-", "COUNT", 2 * len(SYMBOLS))
        fields = [dict(zip(flat[::2], flat[1::2])) for _, flat in newest]
        last = str(FIRST_MINUTE + 60 * (minutes - 1))
        return sum(x["timestamp"] == last and x["num_exchanges"] == "3" for x in fields) == len(SYMBOLS)

    def _settled(self):
        health = self.breakwater.health()
        merged = health.get("aggregator.records")
        same = merged and merged == str(self.redis.cli("XLEN", STREAM)) and health.get("publisher.waiting") == "0"
        return health if same else None


def goes_down(story):
    story.redis.stop()
    story.stays_away(20)
    story.redis.start()
    for said in ("Circuit OPEN", "Reconnect", "Connected to Redis", "Circuit CLOSED"):
        story.wait_for_log(said, 45)


def is_killed_three_times(story):
    for _ in range(3):
        story.redis.kill()
        story.stays_away(0.5)
        story.redis.start()
        story.wait_for_log("Reconnect succeeded", 15)
        story.wait_for_log("In step with the stream", 5)
        story.stays_away(1.5)


def hangs(story):
    """Half-open: the connection stands and nothing answers."""
    story.redis.process.send_signal(signal.SIGSTOP)
    try:
        story.stays_away(8)
    finally:
        story.redis.process.send_signal(signal.SIGCONT)
    story.wait_for_log("Connection lost.*no answer within command_timeout", 5)
    story.wait_for_log("Reconnect succeeded", 30)


STORIES = {
    "keeps_its_data": lambda: Story(goes_down, script_s=50),
    "comes_back_empty": lambda: Story(goes_down, persistent=False, script_s=50),
    "invented_prices": lambda: Story(goes_down),
    "killed": lambda: Story(is_killed_three_times, script_s=24, step_ms=10),
    "hangs": lambda: Story(hangs, script_s=25),
}


def setUpModule():
    global telling
    pool = concurrent.futures.ThreadPoolExecutor(len(STORIES))
    telling = {name: pool.submit(lambda make=make: make().tell()) for name, make in STORIES.items()}
    pool.shutdown(wait=False)


class RedisOutage(unittest.TestCase):
    def told(self, name):
        return telling[name].result()

    def assert_stopped_in_order(self, told):
        self.assertEqual(told.code, 0)
        events = [line for line in told.log.splitlines() if "event=repeats_counted" not in line]
        self.assertIn("event=process_stopped code=0", events[-1])
        self.assertEqual(told.audit[-1]["what"], "process_stopped")
        self.assertNotIn("event=actor_failed", told.log)
        self.assertNotRegex(told.log, r"publisher_hole|publisher_intruder|drain_gave_up")

    def assert_each_once_and_in_order(self, told):
        """Of any traffic."""
        ids = [id_key(entry) for entry, _ in told.entries]
        self.assertTrue(all(a < b for a, b in zip(ids, ids[1:])), "ids grow strictly")
        self.assertEqual(told.entries[:len(told.before)], told.before, "what was there before is there, in front")
        contents = collections.Counter(json.dumps(fields) for _, fields in told.entries)
        self.assertEqual([x for x, count in contents.items() if count > 1], [], "records that are there twice")
        self.assertEqual(len(told.entries), int(told.health["aggregator.records"]), "merged and in the stream")

        newest_event, ingested = collections.defaultdict(int), []
        for _, fields in told.entries:
            minute = fields["symbol"], fields["timestamp"]
            self.assertGreaterEqual(int(fields["event_ms"]), newest_event[minute], minute)
            newest_event[minute] = int(fields["event_ms"])
            ingested.append(int(fields["ingest_ms"]))
        gap, at = max((b - a, a) for a, b in zip(ingested, ingested[1:]))
        when = datetime.datetime.fromtimestamp(at / 1000, datetime.timezone.utc)
        self.assertLess(gap, 2500, f"nothing was taken in for {gap} ms after {when}")

    def assert_script_is_in_the_stream(self, told):
        """Each minute of the script, as it was written."""
        found = collections.defaultdict(list)
        order = collections.defaultdict(list)
        for _, fields in told.entries:
            minute = (int(fields["timestamp"]) - FIRST_MINUTE) // 60
            found[fields["symbol"], minute].append(fields)
            order[fields["symbol"], fields["num_exchanges"]].append(minute)
        for (symbol, count), minutes in order.items():
            self.assertEqual(minutes, sorted(minutes), f"the records of {symbol} with {count} exchanges")
        # The script may have begun before each feed was there.
        first = max(min(m for (s, m), seen in found.items() if s == symbol and seen[-1]["num_exchanges"] == "3")
                    for symbol in SYMBOLS)
        self.assertLess(first, told.minutes / 4)
        for symbol in SYMBOLS:
            for minute in range(first, told.minutes):
                records = found[symbol, minute]
                with self.subTest(symbol=symbol, minute=minute):
                    self.assertEqual([fields["num_exchanges"] for fields in records], ["2", "3"])
                    for exchange in EXCHANGES:
                        self.assertAlmostEqual(float(records[-1][exchange + "_price"]),
                                               price_of(symbol, minute, exchange), delta=1e-6)

    def assert_circuit_opened_and_closed(self, told):
        at = told.log.index("event=redis_lost")
        for said in ("Circuit OPEN", "Reconnect", "Connected to Redis", "Circuit CLOSED"):
            found = told.log.find(said, at)
            self.assertGreater(found, at, f"{said} in its place")
            at = found
        moves = [line for line in told.audit if line["actor"] == "breaker/redis"]
        self.assertGreaterEqual(len(moves), 2, told.audit)

    def test_goes_down_for_20_s_and_keeps_its_data(self):
        told = self.told("keeps_its_data")
        self.assert_script_is_in_the_stream(told)
        self.assert_each_once_and_in_order(told)
        self.assert_circuit_opened_and_closed(told)
        self.assert_stopped_in_order(told)
        self.assertNotIn("publisher_sends_again", told.log)

    def test_goes_down_for_20_s_and_comes_back_empty(self):
        told = self.told("comes_back_empty")
        self.assert_script_is_in_the_stream(told)
        self.assert_each_once_and_in_order(told)
        self.assert_circuit_opened_and_closed(told)
        self.assert_stopped_in_order(told)
        self.assertIn("Redis came back older than it was", told.log)

    def test_goes_down_for_20_s_under_invented_prices(self):
        told = self.told("invented_prices")
        self.assert_each_once_and_in_order(told)
        self.assert_circuit_opened_and_closed(told)
        self.assert_stopped_in_order(told)
        self.assertEqual({fields["num_exchanges"] for _, fields in told.entries[-10:]}, {"5"})

    def test_is_killed_in_the_middle_of_traffic(self):
        told = self.told("killed")
        self.assert_script_is_in_the_stream(told)
        self.assert_each_once_and_in_order(told)
        self.assert_stopped_in_order(told)

    def test_hangs_for_8_s_without_closing_the_connection(self):
        told = self.told("hangs")
        self.assert_script_is_in_the_stream(told)
        self.assert_each_once_and_in_order(told)
        self.assert_stopped_in_order(told)
        self.assertIn("no answer within command_timeout", told.log)


if __name__ == "__main__":
    unittest.main()
