"""Every recorded frame through the dialect of its exchange, against what formats.py makes of the same line.

The recordings are no part of this repository: BREAKWATER_CAPTURES names their folder, else it is ../shared/captures
beside the repository; without it there is nothing to test, and CTest says "Skipped". BREAKWATER_READ_FRAMES names the
program that reads them; without it, the one of build/release.

    python3 tests/captures/recorded_frames_test.py [-v]
"""

import collections
import functools
import json
import os
import pathlib
import subprocess
import sys
import unittest

import formats

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("BREAKWATER_READ_FRAMES",
                         REPOSITORY / "build/release/tests/captures/captures.recorded_frames_test")
CAPTURES = pathlib.Path(os.environ.get("BREAKWATER_CAPTURES", REPOSITORY.parent / "shared/captures"))
SKIPPED = 77  # what CTest takes for it

MARKETS = {  # of each folder, by the beginning of its name
    "binance_spot": ("binance", ("spot",)),
    "binance_usdm": ("binance", ("linear",)),
    "bybit": ("bybit", ("spot", "linear")),
    "okx": ("okx", ("spot", "linear")),
    "kraken": ("kraken", ("spot",)),
    "coinbase": ("coinbase", ("spot",)),
}
FIELDS = ("kind", "channel", "trades_missing", "candles", "told")


def recorded(path):
    """(receipt time in ms, exchange, frame) of each line, and the markets it can be read on."""
    lines = path.read_text().splitlines()
    if path.parent.name == "cross":
        return [from_several(line) for line in lines], ("spot",)
    exchange, markets = next(row for name, row in MARKETS.items() if path.parent.name.startswith(name))
    frames, at_ms = [], 0
    for line in lines:
        at_ms = max(at_ms, said_time(line) + 40)
        frames.append((at_ms, exchange, line))
    return frames, markets


def from_several(line):
    head = json.loads(line)
    text = line[line.index('"frame":') + len('"frame":'):].rstrip()[:-1]
    return head["recv_ms"], head["exchange"], text


def said_time(line):
    """A recording without receipt times: those that do not mark closed candles print a time in each frame."""
    frame = formats.parse(line)
    text = (frame.get("timestamp") or frame.get("time")) if isinstance(frame, dict) else None
    return formats.ms_of_iso(text) if isinstance(text, str) and text.endswith("Z") else 0


def read(market, frames):
    """What the dialects say."""
    lines = "".join(f"{at_ms} {exchange}\t{text}\n" for at_ms, exchange, text in frames)
    ended = subprocess.run([PROGRAM, market], input=lines, capture_output=True, text=True, timeout=300)
    if ended.returncode != 0:
        raise AssertionError(f"read_frames ended with {ended.returncode}:\n{ended.stderr[-4000:]}")
    return [json.loads(line) for line in ended.stdout.splitlines()]


@functools.cache
def everything():
    """Rows of (file:line, exchange, market, what the dialect says, what formats.py says)."""
    rows = []
    for path in sorted(CAPTURES.glob("*/*.jsonl")):
        frames, markets = recorded(path)
        name = path.relative_to(CAPTURES)
        for market in markets:
            second = formats.Reader(market)
            said = read(market, frames)
            if len(said) != len(frames):
                raise AssertionError(f"{name}: {len(said)} answers to {len(frames)} frames")
            for number, (frame, ours) in enumerate(zip(frames, said), 1):
                at_ms, exchange, text = frame
                rows.append((f"{name}:{number}", exchange, market, ours, second.read(exchange, at_ms, text)))
    return rows


class RecordedFrames(unittest.TestCase):
    maxDiff = None

    def test_each_frame_says_the_same(self):
        wrong = [(place, market, {x: ours.get(x) for x in FIELDS}, {x: theirs.get(x) for x in FIELDS})
                 for place, _, market, ours, theirs in everything()
                 if any(ours.get(x) != theirs.get(x) for x in FIELDS)]
        shown = [f"{place} ({market})\n  dialect    {a}\n  formats.py {b}" for place, market, a, b in wrong[:5]]
        self.assertFalse(wrong, "\n".join((f"{len(wrong)} frames are read differently; the first:", *shown)))

    def test_as_many_of_each_kind_in_each_file(self):
        counts = [collections.Counter(), collections.Counter()]
        for place, exchange, market, *both in everything():
            for count, said in zip(counts, both):
                key = (place.rsplit(":", 1)[0], exchange, market, said["kind"], said.get("channel"))
                count[key] += 1
                count[(*key[:3], "candle", None)] += len(said["candles"])
                count[(*key[:3], "closed", None)] += sum(x[7] for x in said["told"])
        self.assertEqual(*counts)
        for (name, exchange, market, kind, channel), count in sorted(counts[0].items(), key=str):
            print(f"{name} {exchange} {market}: {count} {kind} {channel or ''}".rstrip())

    def test_only_symbols_of_other_markets_are_not_read(self):
        failed = [(place, market, ours) for place, _, market, ours, _ in everything() if ours["kind"] == "failure"]
        for place, market, ours in failed:
            print(f"not read on {market}: {place} {ours['detail']}")
        self.assertFalse([row for row in failed if row[2]["reason"] != "symbol_unknown"])

    def test_there_are_frames_of_each_exchange(self):
        candles = collections.Counter()
        for _, exchange, _, ours, _ in everything():
            candles[exchange] += len(ours["candles"])
        self.assertEqual(sorted(name for name, count in candles.items() if count > 0), sorted(formats.EXCHANGES))


if __name__ == "__main__":
    if not CAPTURES.is_dir():
        print(f"SKIPPED: there are no recorded frames at {CAPTURES}; BREAKWATER_CAPTURES names their folder")
        sys.exit(SKIPPED)
    unittest.main()
