"""What `breakwater replay` writes, compared with a calculation of its own.

The calculation below reads the frames by the formats the exchanges document and merges them by the written rules of
the stream; it shares nothing with the program. Prices are compared as the doubles they are, figures within 1e-12.
"""

import collections
import datetime
import itertools
import json
import math
import pathlib
import random
import signal
import statistics
import subprocess
import tempfile
import time
import unittest

import support
from support import STREAM, PrivateRedis, breakwater, id_key

CAPTURES = support.REPOSITORY.parent / "shared/captures/cross/minute-candles.jsonl"
LEGACY_PRICES = ("binance", "bybit", "coinbase")  # "null" when absent; others are left out
PATIENCE_MS = 5000  # after a minute's end, for exchanges that mark no close
WINDOW_S = 120
MAX_DEVIATION = 0.05

Candle = collections.namedtuple("Candle", "exchange symbol start close volume closed event_ms")


# ---- reading the frames


def ms_of_iso(text):
    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = datetime.datetime.fromisoformat(whole).replace(tzinfo=datetime.timezone.utc).timestamp()
    return round(seconds) * 1000 + int((fraction + "000")[:3])


def canonical(name):
    """BTC-USDT, XBT/USDT, BTCUSDT -> BTCUSDT."""
    renamed = {"XBT": "BTC", "XDG": "DOGE"}
    return "".join(renamed.get(part, part) for part in name.replace("/", "-").split("-"))


def binance_candles(frame, _):
    event = frame.get("data", frame)
    if event.get("e") != "kline" or event["k"]["i"] != "1m":
        return
    k = event["k"]
    yield Candle("binance", canonical(event["s"]), k["t"] // 1000, float(k["c"]), float(k["v"]), k["x"], event["E"])


def bybit_candles(frame, _):
    topic = frame.get("topic", "")
    if not topic.startswith("kline.1."):
        return
    for row in frame["data"]:
        yield Candle("bybit", canonical(topic.split(".")[2]), row["start"] // 1000, float(row["close"]),
                     float(row["volume"]), row["confirm"], row["timestamp"])


def okx_candles(frame, recv_ms):
    if frame.get("arg", {}).get("channel") != "candle1m" or "event" in frame:
        return
    for row in frame["data"]:
        yield Candle("okx", canonical(frame["arg"]["instId"]), int(row[0]) // 1000, float(row[4]), float(row[5]),
                     row[8] == "1", recv_ms)


def kraken_candles(frame, _):
    if frame.get("channel") != "ohlc":
        return
    for row in frame["data"]:
        if row["interval"] == 1:
            yield Candle("kraken", canonical(row["symbol"]), ms_of_iso(row["interval_begin"]) // 1000,
                         float(row["close"]), float(row["volume"]), False, ms_of_iso(frame["timestamp"]))


READERS = {"binance": binance_candles, "bybit": bybit_candles, "okx": okx_candles, "kraken": kraken_candles}


class KrakenCloses:
    """Kraken marks no closed candle: the next minute's first event closes it, or 5 s after the minute's end."""

    def __init__(self):
        self._newest = {}

    def until(self, recv_ms):
        for symbol, candle in sorted(self._newest.items()):
            if not candle.closed and recv_ms >= (candle.start + 60) * 1000 + PATIENCE_MS:
                self._newest[symbol] = candle._replace(closed=True)
                yield self._newest[symbol]

    def take(self, candle):
        before = self._newest.get(candle.symbol)
        if before and candle.start < before.start:
            yield candle._replace(closed=True)
            return
        if before and candle.start == before.start:
            candle = candle._replace(closed=before.closed)
        elif before and not before.closed:
            yield before._replace(closed=True)
        self._newest[candle.symbol] = candle
        yield candle


def candles_of(lines):
    """The candles in the order they become known; `lines` are pairs of (recv_ms, exchange, frame)."""
    closes, newest_ms = KrakenCloses(), 0
    for recv_ms, exchange, frame in lines:
        if recv_ms > newest_ms:
            newest_ms = recv_ms
            yield from closes.until(recv_ms)
        if exchange not in READERS or not isinstance(frame, dict):
            continue
        for candle in READERS[exchange](frame, recv_ms):
            yield from closes.take(candle) if exchange == "kraken" else (candle,)


# ---- merging them


def merged(states):
    """What the stream says of one minute: states by exchange -> a dict of figures."""
    prices = {exchange: state.close for exchange, state in states.items()}
    excluded = []
    if len(prices) >= 3:
        middle = statistics.median(prices.values())
        excluded = [x for x in support.EXCHANGES if x in prices and abs(prices[x] - middle) > MAX_DEVIATION * middle]
    left = {exchange: state for exchange, state in states.items() if exchange not in excluded}
    closes = [state.close for state in left.values()]
    mean, deviation = statistics.fmean(closes), statistics.pstdev(closes)
    volume = math.fsum(state.volume for state in left.values())
    spread = max(closes) - min(closes)
    figures = {
        "avg_price": mean, "price_divergence": deviation, "num_exchanges": len(left), "volume": volume,
        "vwap": math.fsum(s.close * s.volume for s in left.values()) / volume if volume > 0 else mean,
        "volatility_factor": deviation / mean, "max_spread_bps": spread / mean * 1e4,
    }
    if "binance" in left and "bybit" in left:
        figures["lead_lag"] = (prices["binance"] - prices["bybit"]) / mean
    texts = {
        "closed": "1" if all(state.closed for state in left.values()) else "0",
        "suspect": "1" if len(left) == 2 and spread > MAX_DEVIATION * mean else "0",
        "excluded": ",".join(excluded) or None, "market": "spot", "funding_delta": "0.0",
    }
    return prices, figures, texts


def expected_records(lines):
    """{(symbol, minute): [what each record must say, in order]} for emit = "update"."""
    states, newest, told = collections.defaultdict(dict), collections.defaultdict(int), {}
    records = collections.defaultdict(list)
    for candle in candles_of(lines):
        if candle.start < newest[candle.symbol] - WINDOW_S:
            continue  # closed for good
        newest[candle.symbol] = max(newest[candle.symbol], candle.start)
        minute = (candle.symbol, candle.start)
        known = states[minute].get(candle.exchange)
        if known and (candle.event_ms < known.event_ms or known.closed and not candle.closed):
            continue  # older than what is known
        states[minute][candle.exchange] = candle
        if len(states[minute]) < 2:
            continue
        prices, figures, texts = merged(states[minute])
        volumes = {exchange: state.volume for exchange, state in states[minute].items()}
        if figures["num_exchanges"] >= 2 and told.get(minute) != (prices, volumes, texts["closed"]):
            told[minute] = (prices, volumes, texts["closed"])
            records[minute].append((prices, figures, texts))
    return records


# ---- a frames file of our own


def kline(start_s, event_ms, symbol, close, volume, closed, interval="1m", envelope=True):
    event = {"e": "kline", "E": event_ms, "s": symbol,
             "k": {"t": start_s * 1000, "T": start_s * 1000 + 59999, "s": symbol, "i": interval, "f": 1, "L": 2,
                   "o": close, "c": close, "h": close, "l": close, "v": volume, "n": 2, "x": closed, "q": "1",
                   "V": "0", "Q": "0", "B": "0"}}
    return {"stream": f"{symbol.lower()}@kline_{interval}", "data": event} if envelope else event


def bybit_kline(start_s, event_ms, symbol, close, volume, closed, interval="1"):
    return {"data": [{"start": start_s * 1000, "end": start_s * 1000 + 59999, "interval": interval, "open": close,
                      "close": close, "high": close, "low": close, "volume": volume, "turnover": "0",
                      "confirm": closed, "timestamp": event_ms}],
            "ts": event_ms + 3, "type": "snapshot", "topic": f"kline.{interval}.{symbol}"}


def okx_candle(start_s, instrument, close, volume, closed):
    row = [str(start_s * 1000), close, close, close, close, volume, volume, "1", "1" if closed else "0"]
    return {"arg": {"channel": "candle1m", "instId": instrument}, "data": [row]}


def kraken_ohlc(start_s, event_ms, symbol, close, volume, interval=1):
    iso = lambda ms: datetime.datetime.fromtimestamp(
        ms // 1000, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S") + f".{ms % 1000:03}000Z"
    return {"channel": "ohlc", "type": "update", "timestamp": iso(event_ms),
            "data": [{"symbol": symbol, "open": float(close), "high": float(close), "low": float(close),
                      "close": float(close), "trades": 1, "volume": float(volume), "vwap": float(close),
                      "interval_begin": iso(start_s * 1000), "interval": interval,
                      "timestamp": iso((start_s + 60) * 1000)}]}


class FramesFile:
    """Frames of all four exchanges over six minutes, with everything between them that must not matter."""

    first_minute = 1763359200
    spelling = {"BTCUSDT": ("BTC-USDT", "BTC/USDT"), "DOGEUSDT": ("DOGE-USDT", "XDG/USDT"),
                "ETHBTC": ("ETH-BTC", "ETH/XBT")}

    def __init__(self):
        self._all = []  # (recv_ms, exchange, frame, whether it can be read)
        self.unreadable = self.skipped = 0
        self._random = random.Random(7)
        self._candles()
        self._special_minutes()
        self._what_must_not_matter()
        self._all.sort(key=lambda line: line[0])
        #: For the calculation; a frame that cannot be read is None.
        self.lines = [(ms, exchange, frame if readable else None) for ms, exchange, frame, readable in self._all]
        self._texts = [json.dumps(dict(recv_ms=ms, exchange=exchange, frame=frame)) for ms, exchange, frame, _ in self._all]
        self._unusable_lines()

    def _add(self, recv_ms, exchange, frame, readable=True):
        self._all.append((recv_ms, exchange, frame, readable))

    def _candles(self):
        price = {"BTCUSDT": 95000.0, "DOGEUSDT": 0.15712, "ETHBTC": 0.033541}
        for minute, symbol in itertools.product(range(6), price):
            start = self.first_minute + 60 * minute
            okx, kraken = self.spelling[symbol]
            for step in range(7):  # the last one closes, where a close is marked
                price[symbol] *= 1 + self._random.gauss(0, 3e-4)
                at = start * 1000 + 2000 + step * 9500 + self._random.randrange(500)
                closed = step == 6
                text = lambda: f"{price[symbol] * (1 + self._random.gauss(0, 1e-4)):.8g}"
                volume = lambda: f"{(step + 1) * self._random.uniform(0.5, 2):.5f}"
                self._add(at + 40, "binance", kline(start, at, symbol, text(), volume(), closed, envelope=step % 2 == 0))
                self._add(at + 90, "bybit", bybit_kline(start, at + 20, symbol, text(), volume(), closed))
                self._add(at + 120, "okx", okx_candle(start, okx, text(), volume(), closed))
                if not (symbol == "DOGEUSDT" and minute == 3):  # no trade on Kraken in this minute: no frame
                    self._add(at + 200, "kraken", kraken_ohlc(start, at + 60, kraken, text(), volume()))

    def _special_minutes(self):
        start, ms = self.first_minute, self.first_minute * 1000
        # One of three far off the median: left out of the figures, named.
        self._add(ms + 10000, "binance", kline(start, ms + 9990, "SOLUSDT", "140.01", "10", False))
        self._add(ms + 11000, "bybit", bybit_kline(start, ms + 10990, "SOLUSDT", "140.05", "20", False))
        self._add(ms + 12000, "okx", okx_candle(start, "SOL-USDT", "150.2", "30", False))
        # Only two, and far from each other.
        self._add(ms + 10000, "binance", kline(start, ms + 9990, "AVAXUSDT", "20", "1", True))
        self._add(ms + 11000, "okx", okx_candle(start, "AVAX-USDT", "22", "1", True))
        # Nothing was traded: the mean stands for the volume-weighted price.
        self._add(ms + 10000, "binance", kline(start, ms + 9990, "LTCUSDT", "91.1", "0", False))
        self._add(ms + 11000, "bybit", bybit_kline(start, ms + 10990, "LTCUSDT", "91.3", "0", False))
        # The same again and older news: neither is worth a record.
        self._add(ms + 12000, "binance", kline(start, ms + 11990, "LTCUSDT", "91.1", "0", False))
        self._add(ms + 13000, "binance", kline(start, ms + 5000, "LTCUSDT", "95", "7", False))
        # On one exchange only; and USD is not USDT.
        self._add(ms + 10000, "binance", kline(start, ms + 9990, "XRPUSDT", "2.2", "1", True))
        self._add(ms + 11000, "kraken", kraken_ohlc(start, ms + 10990, "XRP/USD", "2.2", "1"))
        # Long over when it comes.
        self._add(ms + 359000, "binance", kline(start, ms + 358990, "BTCUSDT", "1", "1", True))

    def _what_must_not_matter(self):
        ms = self.first_minute * 1000
        noise = [
            ("binance", {"result": None, "id": 1}),
            ("binance", {"stream": "btcusdt@trade", "data": {"e": "trade", "E": ms, "s": "BTCUSDT", "p": "1", "q": "1"}}),
            ("binance", {"u": 400900217, "s": "BTCUSDT", "b": "1", "B": "1", "a": "2", "A": "1"}),
            ("binance", kline(self.first_minute, ms, "BTCUSDT", "1", "1", True, interval="5m")),
            ("bybit", {"success": True, "ret_msg": "", "conn_id": "c", "req_id": "k", "op": "subscribe"}),
            ("bybit", {"topic": "publicTrade.BTCUSDT", "ts": ms, "type": "snapshot", "data": [{"p": "1", "v": "1"}]}),
            ("bybit", bybit_kline(self.first_minute, ms, "BTCUSDT", "1", "1", True, interval="5")),
            ("okx", {"event": "subscribe", "arg": {"channel": "candle1m", "instId": "BTC-USDT"}, "connId": "a"}),
            ("okx", {"arg": {"channel": "trades", "instId": "BTC-USDT"}, "data": [{"px": "1", "sz": "1"}]}),
            ("okx", "pong"),
            ("kraken", {"method": "subscribe", "result": {"channel": "ohlc", "interval": 1, "symbol": "BTC/USDT"},
                        "success": True}),
            ("kraken", {"channel": "heartbeat"}),
            ("kraken", {"channel": "status", "type": "update", "data": [{"connection_id": 18446744073709551000}]}),
            ("kraken", kraken_ohlc(self.first_minute, ms, "BTC/USDT", "1", "1", interval=5)),
        ]
        noise.append(("bybit", "Handler not found"))
        unreadable = [
            ("kraken", "<html>bad gateway</html>"),
            ("binance", kline(self.first_minute, ms, "BTCUSDT", "abc", "1", True)),
            ("binance", kline(self.first_minute, ms, "BTCUSDT", "-1", "1", True)),
            ("bybit", {"topic": "kline.1.BTCUSDT", "ts": ms, "data": []}),
            ("okx", okx_candle(self.first_minute, "BTC-USDT-SWAP", "1", "1", True)),  # not this market
            ("kraken", {"channel": "ohlc", "type": "update", "timestamp": "x"}),
        ]
        unreadable += [("coinbase", {"type": "match", "product_id": "BTC-USDT", "price": "1", "size": "1"})] * 3
        self.unreadable = len(unreadable)
        for i, (exchange, frame) in enumerate(noise + unreadable):
            self._add(ms + 1000 + 700 * i, exchange, frame, (exchange, frame) not in unreadable)

    def _unusable_lines(self):
        unusable = ["{broken", "[1,2]", '{"recv_ms":1}', '{"recv_ms":"soon","exchange":"okx","frame":{}}',
                    '{"recv_ms":1,"exchange":"mtgox","frame":{}}', '{"recv_ms":1,"exchange":"okx"}']
        self.skipped = len(unusable)
        for i, text in enumerate(unusable):
            self._texts.insert(10 + 17 * i, text)
        self._texts.insert(5, "")

    def write(self, path):
        path.write_text("\n".join(self._texts))  # no line end behind the last line
        return path


# ---- the tests


class Replay(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="breakwater-replay-")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.redis = self.enterContext(PrivateRedis())
        self.config = self.configure()

    def configure(self, extra=""):
        config = self.folder / "breakwater.toml"
        config.write_text(f'[process]\ndata_dir = "{self.folder / "data"}"\n'
                          f'[redis]\nurl = "{self.redis.unix_url}"\n{extra}\n')
        return config

    def replay(self, frames, *more):
        ended = breakwater("replay", "--config", self.config, "--frames", frames, "--json", *more)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        lines = ended.stdout.splitlines()
        self.assertEqual(len(lines), 1, "one closing JSON line, the log goes to standard error")
        return json.loads(lines[0])

    def assert_says(self, fields, prices, figures, texts):
        """One entry's fields against the calculation."""
        for exchange in support.EXCHANGES:
            said = fields.get(f"{exchange}_price")
            if exchange in prices:
                self.assertEqual(float(said), prices[exchange], exchange)
            else:
                self.assertEqual(said, "null" if exchange in LEGACY_PRICES else None, exchange)
        for name, value in figures.items():
            said = float(fields[name])
            # A deviation of nothing may be the last digit of the mean.
            tiny = 1e-15 * figures["avg_price"] if name == "price_divergence" else 1e-15
            self.assertTrue(math.isclose(said, value, rel_tol=1e-12, abs_tol=tiny), f"{name}: {said} is not {value}")
            self.assertNotIn("e", fields[name] if said > 1e-5 else "", "ordinary numbers have no exponent")
        self.assertEqual("lead_lag" in fields, "lead_lag" in figures)
        for name, value in texts.items():
            self.assertEqual(fields.get(name), value, name)

    def assert_stream_is(self, entries, expected):
        """Every record of every minute, in order, and no other."""
        ids = [id_key(entry) for entry, _ in entries]
        self.assertTrue(all(a < b for a, b in zip(ids, ids[1:])), "ids grow strictly")
        found = collections.defaultdict(list)
        for _, fields in entries:
            found[fields["symbol"], int(fields["timestamp"])].append(fields)
        self.assertEqual(sorted(found), sorted(expected), "minutes that are missing or too many")
        for minute, records in expected.items():
            with self.subTest(minute=minute):
                self.assert_says(found[minute][-1], *records[-1])
                self.assertEqual(len(found[minute]), len(records))
                for fields, record in zip(found[minute], records):
                    self.assert_says(fields, *record)

    def check_twice(self, frames, lines, report):
        """Two replays: each writes what the calculation says, the second behind the first."""
        expected = expected_records(lines)
        count = sum(map(len, expected.values()))
        self.assertGreater(len(expected), 8)
        for already in (0, count):
            told = self.replay(frames)
            entries = self.redis.entries(STREAM)
            self.assertEqual({key: told[key] for key in report}, report)
            self.assertEqual((told["records"], told["stream"]), (count, STREAM))
            self.assertEqual(len(entries), already + count)
            self.assert_stream_is(entries[already:], expected)
        ids = [id_key(entry) for entry, _ in entries]
        self.assertLess(max(ids[:count]), min(ids[count:]), "the second replay's ids are above the first's")

    def test_frames_of_all_kinds(self):
        file = FramesFile()
        self.check_twice(file.write(self.folder / "frames.jsonl"), file.lines, {
            "frames": len(file.lines), "unreadable": file.unreadable, "skipped": file.skipped})

    @unittest.skipUnless(CAPTURES.exists(), f"{CAPTURES} is not here")
    def test_captures_of_five_exchanges(self):
        lines = [(x["recv_ms"], x["exchange"], x["frame"]) for x in map(json.loads, CAPTURES.read_text().splitlines())]
        seen = collections.defaultdict(set)
        for candle in candles_of(lines):
            seen[candle.symbol, candle.start].add(candle.exchange)
        self.assertEqual(set(expected_records(lines)), {minute for minute, on in seen.items() if len(on) >= 2})
        self.check_twice(CAPTURES, lines, {
            "frames": len(lines), "unreadable": 0, "skipped": 0})

    def test_emit_close_tells_each_minute_when_it_is_over(self):
        self.config = self.configure('[aggregator]\nemit = "close"')
        file = FramesFile()
        self.replay(file.write(self.folder / "frames.jsonl"))
        by_minute = collections.defaultdict(list)
        for _, fields in self.redis.entries(STREAM):
            by_minute[fields["symbol"], int(fields["timestamp"])].append(fields)
        updates = expected_records(file.lines)
        newest = {symbol: max(start for s, start in updates if s == symbol) for symbol, _ in updates}
        for minute, records in updates.items():
            if records[-1][2]["closed"] == "1":
                with self.subTest(closed=minute):
                    self.assert_says(by_minute[minute][-1], *records[-1])
                    self.assertEqual({fields["closed"] for fields in by_minute[minute]}, {"1"})
            elif minute[1] >= newest[minute[0]] - WINDOW_S:
                self.assertNotIn(minute, by_minute, "still open")
        self.assertLessEqual(set(by_minute), set(updates))
        self.assertIn(("DOGEUSDT", FramesFile.first_minute + 180), by_minute)

    def test_emit_interval_ends_with_the_newest_state(self):
        self.config = self.configure('[aggregator]\nemit = "interval"\nemit_interval = "10ms"')
        file = FramesFile()
        self.replay(file.write(self.folder / "frames.jsonl"))
        newest, count = {}, collections.Counter()
        for _, fields in self.redis.entries(STREAM):
            minute = fields["symbol"], int(fields["timestamp"])
            newest[minute] = fields
            count[minute] += 1
        updates = expected_records(file.lines)
        self.assertEqual(sorted(newest), sorted(updates))
        for minute, records in updates.items():
            with self.subTest(minute=minute):
                self.assert_says(newest[minute], *records[-1])
                self.assertLessEqual(count[minute], len(records))

    def test_speed_keeps_to_the_recorded_times(self):
        file = FramesFile()
        spans_s = (file.lines[-1][0] - file.lines[0][0]) / 1000
        told = self.replay(file.write(self.folder / "frames.jsonl"), "--speed", "200")
        self.assertEqual(told["records"], sum(map(len, expected_records(file.lines).values())))
        self.assertGreater(told["seconds"], spans_s / 200 * 0.95)
        self.assertLess(told["seconds"], spans_s / 200 + 3)

    def test_redis_hangs_and_is_killed_meanwhile(self):
        redis = self.enterContext(PrivateRedis(persistent=True))
        self.config = self.folder / "breakwater.toml"
        self.config.write_text(f'[process]\ndata_dir = "{self.folder / "data"}"\n'
                               f'[redis]\nurl = "{redis.unix_url}"\ncommand_timeout = "300ms"\n'
                               'backoff_initial = "100ms"\nbackoff_max = "200ms"\n'
                               '[breaker.redis]\nopen_duration = "200ms"\n')
        file = FramesFile()
        expected = expected_records(file.lines)
        frames = file.write(self.folder / "frames.jsonl")
        process = subprocess.Popen([str(support.BINARY), "replay", "--config", str(self.config), "--frames", str(frames),
                                    "--json", "--speed", "60"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, env=support.environment())
        try:
            time.sleep(1.5)
            redis.process.send_signal(signal.SIGSTOP)  # what was sent is done when it goes on, and not answered
            time.sleep(1)
            redis.process.send_signal(signal.SIGCONT)
            time.sleep(1.5)
            redis.kill()
            time.sleep(0.5)
            redis.start()
            out, err = process.communicate(timeout=20)
        finally:
            process.kill()
            process.communicate()
        self.assertEqual(process.returncode, 0, err)
        self.assertIn("no answer within command_timeout", err)
        # Which of the two a kill looks like depends on whether Redis had read all that was sent.
        self.assertRegex(err, "Connection lost.*(closed by Redis|Connection reset by peer)")
        self.assert_stream_is(redis.entries(STREAM), expected)
        self.assertEqual(json.loads(out)["records"], sum(map(len, expected.values())))


class Refusals(unittest.TestCase):
    """What replay says when it cannot begin, or not end."""

    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="breakwater-replay-")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.frames = FramesFile().write(self.folder / "frames.jsonl")
        self.config = self.folder / "breakwater.toml"
        self.config.write_text(f'[process]\ndata_dir = "{self.folder / "data"}"\nshutdown_timeout = "500ms"\n'
                               f'[redis]\nurl = "unix://{self.folder / "nobody.sock"}"\n')

    def assert_refused(self, says, *words):
        ended = breakwater("replay", *words)
        self.assertEqual(ended.returncode, 2, ended.stderr)
        self.assertRegex(ended.stderr, says)
        self.assertEqual(ended.stdout, "")

    def test_frames_file_is_missing(self):
        missing = self.folder / "no-such.jsonl"
        self.assert_refused(f"{missing}: No such file", "--config", self.config, "--frames", missing)

    def test_config_is_missing(self):
        missing = self.folder / "no-such.toml"
        self.assert_refused(f"{missing}.*No such file", "--config", missing, "--frames", self.frames)

    def test_speed_is_no_number(self):
        self.assert_refused("--speed is 'quick'", "--config", self.config, "--frames", self.frames, "--speed", "quick")

    def test_data_dir_is_locked_by_another_process(self):
        with PrivateRedis() as redis, support.Breakwater(redis.unix_url) as running:
            running.wait_for_log("Connected to Redis")
            self.assert_refused("another breakwater runs on process.data_dir", "--config", running.config,
                                "--frames", self.frames)

    def test_stopped_before_redis_had_everything(self):
        process = subprocess.Popen([str(support.BINARY), "replay", "--config", str(self.config), "--frames",
                                    str(self.frames), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, env=support.environment())
        try:
            with self.assertRaises(subprocess.TimeoutExpired):
                process.wait(1)  # it waits for Redis as long as it takes
            process.terminate()
            out, err = process.communicate(timeout=10)
        finally:
            process.kill()
            process.communicate()
        self.assertEqual((process.returncode, out), (1, ""))
        self.assertIn("the replay was stopped before Redis had everything", err)


if __name__ == "__main__":
    unittest.main()
