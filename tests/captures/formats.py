"""What recorded frames say, worked out a second time: from the exchanges' documents, with Python's own JSON and decimal
numbers, and with nothing of the sources in actors/. recorded_frames_test.py holds the dialects against it.

A reading is a dict: kind ("candles", "acknowledged", "refused", "alive", "closing", "answer", "other", "failure"),
channel (of "other"), trades_missing (of "candles"), and candles: rows of [symbol, start in s, open, high, low, close,
volume, closed, event in ms], the numbers as the nearest doubles of what was printed. A "failure" can only be a symbol
that this market does not have.
"""

import calendar
import collections
import decimal
import json
import re
import time

MINUTE_MS = 60_000
OVER_AFTER_MS = 5_000  # behind a minute's end, where the exchange does not say that it is over


def parse(text):
    """JSON, its numbers with every digit; None when it is none."""
    try:
        return json.loads(text, parse_float=decimal.Decimal)
    except ValueError:
        return None


def ms_of_iso(text):
    """"2025-11-10T21:41:57.264627814Z" -> epoch ms; digits behind the millisecond are cut."""
    date, fraction = re.fullmatch(r"(\d+-\d+-\d+T\d+:\d+:\d+)(?:\.(\d+))?Z", text).groups()
    seconds = calendar.timegm(time.strptime(date, "%Y-%m-%dT%H:%M:%S"))
    return seconds * 1000 + int((fraction or "0").ljust(3, "0")[:3])


def ours(name):
    """"XBT/USD", "BTC-USDT-SWAP" -> "BTCUSD", "BTCUSDT"."""
    parts = re.split("[-/]", name.upper())[:2]
    return "".join({"XBT": "BTC", "XDG": "DOGE"}.get(part, part) for part in parts)


def row(symbol, start_ms, prices, volume, closed, event_ms):
    numbers = [float(decimal.Decimal(x)) for x in (*prices, volume)]
    return [symbol, start_ms // 1000, *numbers, closed, event_ms]


def prices_of(x):
    return x["open"], x["high"], x["low"], x["close"]


def other(channel):
    return {"kind": "other", "channel": channel}


def candles(rows):
    return {"kind": "candles", "candles": rows, "trades_missing": False}


NOT_OURS = {"kind": "failure", "reason": "symbol_unknown"}


class Binance:
    """A stream's frame stands alone or in an envelope; answers have no "e"."""

    def __init__(self, market):
        pass

    def read(self, frame, at_ms):
        data = frame.get("data", frame)
        if isinstance(data, list):
            data = data[0]
        if "e" not in data:
            if "error" in data or "code" in data:
                return {"kind": "refused"}
            if "result" in data:
                return {"kind": "acknowledged" if data["result"] is None else "answer"}
            return other("bookTicker" if "u" in data else "depth")
        if data["e"] == "serverShutdown":
            return {"kind": "closing"}
        if data["e"] != "kline":
            return other(data["e"])
        k = data["k"]
        if k["i"] != "1m":
            return other(f"kline_{k['i']}")
        if not data["s"].isalnum():
            return NOT_OURS
        return candles([row(data["s"], k["t"], (k["o"], k["h"], k["l"], k["c"]), k["v"], k["x"], data["E"])])


class Bybit:
    """The symbol stands behind the topic's last point."""

    def __init__(self, market):
        pass

    def read(self, frame, at_ms):
        if "topic" in frame:
            channel, symbol = frame["topic"].rsplit(".", 1)
            if channel != "kline.1":
                return other(channel)
            return candles([row(symbol, x["start"], prices_of(x), x["volume"], x["confirm"], x["timestamp"])
                            for x in frame["data"]])
        if frame.get("op") == "pong" or frame.get("ret_msg") == "pong":
            return {"kind": "alive"}
        if not frame["success"]:
            return {"kind": "refused"}
        return {"kind": "acknowledged" if frame["op"] == "subscribe" else "answer"}


class Okx:
    """Spot has BTC-USDT, the perpetuals BTC-USDT-SWAP; volume in base currency is the sixth or the seventh column."""

    def __init__(self, market):
        self.of_market = re.compile("[A-Z0-9]+-[A-Z0-9]+" + ("" if market == "spot" else "-SWAP"))
        self.volume = 5 if market == "spot" else 6

    def read(self, frame, at_ms):
        if "event" in frame:
            return self.read_event(frame)
        channel, instrument = frame["arg"]["channel"], frame["arg"]["instId"]
        if channel != "candle1m":
            return other(channel)
        if not self.of_market.fullmatch(instrument):
            return NOT_OURS
        return candles([row(ours(instrument), int(x[0]), x[1:5], x[self.volume], x[8:9] == ["1"], at_ms)
                        for x in frame["data"]])

    def read_event(self, frame):
        event = frame["event"]
        if event == "subscribe":
            arg = frame["arg"]
            mine = arg["channel"] == "candle1m" and self.of_market.fullmatch(arg["instId"])
            return {"kind": "acknowledged" if mine else "answer"}
        if event == "error":
            return {"kind": "refused"}
        if event == "notice" and frame["code"] == "64008":
            return {"kind": "closing"}
        return {"kind": "answer"} if event == "unsubscribe" else other(event)


class Kraken:
    """Version 2; version 1 (lists, "event") and the futures ("feed") are recognised, no more."""

    def __init__(self, market):
        pass

    def read(self, frame, at_ms):
        if isinstance(frame, list):
            return other(frame[-2])
        if "feed" in frame:
            return other(frame["feed"])
        if "event" in frame:
            return self.read_version_1(frame)
        if "product_id" in frame:
            return other("ticker")
        if "method" in frame:
            return self.read_answer(frame)
        channel = frame["channel"]
        if channel == "heartbeat":
            return {"kind": "alive"}
        if channel != "ohlc":
            return other(channel)
        rows = frame["data"]
        if rows[0]["interval"] != 1:
            return other(f"ohlc-{rows[0]['interval']}")
        event_ms = ms_of_iso(frame["timestamp"]) if "timestamp" in frame else at_ms
        return candles([row(ours(x["symbol"]), ms_of_iso(x["interval_begin"]), prices_of(x), x["volume"], False,
                            event_ms) for x in rows])

    def read_answer(self, frame):
        if frame["method"] == "pong":
            return {"kind": "alive"}
        if not frame["success"]:
            return {"kind": "refused"}
        mine = frame["method"] == "subscribe" and frame["result"]["channel"] == "ohlc"
        return {"kind": "acknowledged" if mine else "answer"}

    def read_version_1(self, frame):
        event = frame["event"]
        if event in ("heartbeat", "pong"):
            return {"kind": "alive"}
        if frame.get("status") == "error":
            return {"kind": "refused"}
        return other("status") if event == "systemStatus" else {"kind": "answer"}


class Coinbase:
    """Trades of Coinbase Exchange are added up to minutes; Advanced Trade is recognised, no more."""

    def __init__(self, market):
        self.heard = collections.defaultdict(Trades)

    def read(self, frame, at_ms):
        kind = frame.get("type")
        if kind is None:
            channel = frame["channel"]
            return {"heartbeats": {"kind": "alive"}, "subscriptions": {"kind": "answer"}}.get(channel, other(channel))
        if kind == "last_match":
            self.heard[frame["product_id"]].begin_after(frame["trade_id"])
        if kind == "match":
            at = ms_of_iso(frame["time"])
            made = self.heard[frame["product_id"]].add(frame["trade_id"], at, frame["price"], frame["size"])
            if made:
                start_ms, prices, volume, missing = made
                rows = [row(ours(frame["product_id"]), start_ms, prices, volume, False, at)]
                return {**candles(rows), "trades_missing": missing}
        return {"heartbeat": {"kind": "alive"}, "subscriptions": {"kind": "acknowledged"},
                "error": {"kind": "refused"}}.get(kind, other(kind))


class Trades:
    """What was heard of one product. A minute is made anew of all its trades each time, in the order of their
    numbers."""

    def __init__(self):
        self.begin = None  # nothing up to this number is news
        self.newest = None
        self.missing = False  # since the last minute that changed
        self.known = set()
        self.minutes = collections.defaultdict(dict)

    def begin_after(self, number):
        if self.begin is None:
            self.begin = self.newest = number

    def add(self, number, at_ms, price, size):
        """(start, prices, volume, whether trades before it are missing) of the minute that changed, if one did."""
        start_ms = at_ms // MINUTE_MS * MINUTE_MS
        if number in self.known or (self.begin is not None and number <= self.begin):
            return None
        self.begin_after(number - 1)
        self.missing = self.missing or number > self.newest + 1
        self.newest = max(self.newest, number)
        if self.minutes and start_ms < min(self.minutes):  # it began before we listened
            return None
        self.known.add(number)
        minute = self.minutes[start_ms]
        minute[number] = decimal.Decimal(price), decimal.Decimal(size)
        prices = [price for _, (price, _) in sorted(minute.items())]
        volume = sum(size for _, size in minute.values())
        missing, self.missing = self.missing, False
        return start_ms, (prices[0], max(prices), min(prices), prices[-1]), volume, missing


class Ends:
    """When minutes are over that the exchange does not close: as the next one of the symbol begins, or five seconds
    after its end."""

    def __init__(self):
        self.newest = {}

    def over_by(self, at_ms):
        """The minutes that are over by then, closed."""
        told = []
        for symbol, x in sorted(self.newest.items()):
            if not x[7] and x[1] * 1000 + MINUTE_MS + OVER_AFTER_MS <= at_ms:
                x[7] = True
                told.append(list(x))
        return told

    def take(self, x):
        """What is to be told when `x` was read."""
        before = self.newest.get(x[0])
        if before and x[1] < before[1]:  # of the past
            return [x[:7] + [True] + x[8:]]
        told = []
        if before and x[1] > before[1] and not before[7]:
            told.append(before[:7] + [True] + before[8:])
        closed = bool(before and x[1] == before[1] and before[7])
        self.newest[x[0]] = x[:7] + [closed] + x[8:]
        return told + [list(self.newest[x[0]])]


EXCHANGES = {"binance": Binance, "bybit": Bybit, "okx": Okx, "kraken": Kraken, "coinbase": Coinbase}
MARKS_CLOSED = ("binance", "bybit", "okx")


class Reader:
    """The frames of several exchanges on one market, in the order they came."""

    def __init__(self, market):
        self.readers = {name: of(market) for name, of in EXCHANGES.items()}
        self.ends = {name: Ends() for name in EXCHANGES if name not in MARKS_CLOSED}

    def read(self, exchange, at_ms, text):
        """The reading of a frame, with "told": the candles as a feed tells them then."""
        frame = parse(text)
        said = {"kind": "refused"} if frame is None else self.readers[exchange].read(frame, at_ms)
        said.setdefault("candles", [])
        ends = self.ends.get(exchange)
        if ends is None:
            said["told"] = said["candles"]
        else:
            said["told"] = ends.over_by(at_ms)
            for x in said["candles"]:
                said["told"] = said["told"] + ends.take(x)
        return said
