"""Input for breakwater in which each record is a number, so that a lost, a doubled and a misplaced one show in the
stream.

Number i is the candle of symbol i % S in minute i // S, with prices that tell i. It is two entries of the raw stream,
one of binance and one of bybit, and makes exactly one record, when breakwater reads the second of them. To add it
again is harmless: what is merged already changes nothing.
"""

from support import STREAM

RAW = "quantum:stream:exchange.raw"
FIRST_MINUTE_S = 1_700_000_040
FOREIGN = "who"  # the field of another writer's entries
CONFIG = """
[symbols]
list = [{symbols}]
[aggregator]
source = "raw_stream"
raw_stream = "{raw}"
stream = "{stream}"
maxlen = {maxlen}
min_exchanges = 2
window = "{window}"
"""


def _letters(number):
    return "".join(chr(ord("A") + number // 26 ** place % 26) for place in (2, 1, 0))


class NumberedInput:
    """Numbers over so many symbols. A number that is `window` and more behind the newest is late when it is added."""

    def __init__(self, symbols=3, window="24h", raw=RAW, first_symbol=0, maxlen=1_000_000_000):
        self.raw = raw
        self.symbols = [f"N{_letters(each)}USDT" for each in range(first_symbol, first_symbol + symbols)]
        self._place = {name: place for place, name in enumerate(self.symbols)}
        self.config = CONFIG.format(symbols=", ".join(f'"{name}"' for name in self.symbols), raw=raw, stream=STREAM,
                                    window=window, maxlen=maxlen)

    def minute_s(self, number):
        return FIRST_MINUTE_S + 60 * (number // len(self.symbols))

    @staticmethod
    def closes(number):
        """Of binance and of bybit: a little apart, and like no other number's."""
        return 1000.25 + number, 1000.75 + number

    def commands(self, number):
        """What adds it to the raw stream."""
        for exchange, close in zip(("binance", "bybit"), self.closes(number)):
            yield ("XADD", self.raw, "*", "exchange", exchange, "symbol", self.symbols[number % len(self.symbols)],
                   "timestamp", self.minute_s(number), "open", close, "high", close + 1, "low", close - 1,
                   "close", close, "volume", 2 + number)

    def number_of(self, fields):
        """Of a record; None: it is of no number."""
        try:
            place = self._place[fields["symbol"]]
            minutes, seconds = divmod(int(fields["timestamp"]) - FIRST_MINUTE_S, 60)
        except (KeyError, ValueError):
            return None
        return minutes * len(self.symbols) + place if minutes >= 0 and seconds == 0 else None

    def record(self, number):
        """The fields of its record that are looked at."""
        binance, bybit = self.closes(number)
        return {"symbol": self.symbols[number % len(self.symbols)], "timestamp": str(self.minute_s(number)),
                "num_exchanges": "2", "binance_price": repr(binance), "bybit_price": repr(bybit),
                "volume": str(4 + 2 * number)}

    def wrong_fields(self, fields, number):
        """Those of a record that are not as `number` makes them."""
        return {key: fields.get(key) for key, value in self.record(number).items() if not _same(fields.get(key), value)}

    def first_difference(self, entries, count):
        """What is wrong with `entries`, [(id, fields)] as the stream has them: None when the numbers 0 .. count - 1 are
        there, each once and in order. Entries of another writer may stand anywhere."""
        seen, expected = {}, 0
        entries = [(entry, fields) for entry, fields in entries if FOREIGN not in fields]
        for at, (entry, fields) in enumerate(entries):
            number = self.number_of(fields)
            if number is None:
                return f"{entry} is of no number: {fields}"
            if number in seen:
                return f"number {number} is there twice: {seen[number]} and {entry}"
            if number >= count:
                return f"{entry} is number {number}, and only {count} were added"
            seen[number] = entry
            if number != expected:
                later = [other for other, fields in entries[at:] if self.number_of(fields) == expected]
                return (f"number {expected} comes late: {later[0]}, behind number {number} of {entry}" if later else
                        f"number {expected} is lost: {entry} is number {number}")
            if wrong := self.wrong_fields(fields, number):
                return f"{entry}, number {number}, is not as it should: {wrong}"
            expected += 1
        return None if expected == count else f"numbers {expected} .. {count - 1} are lost: the stream ends before them"


def _same(text, expected):
    try:
        return text == expected or float(text) == float(expected)
    except (TypeError, ValueError):
        return False
