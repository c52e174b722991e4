"""What it takes to read a frame, beside a bare walk of simdjson through the same bytes.

In one process, in short turns, in CPU time: an exchange's dialect makes candles of its frames, and simdjson's On-Demand
parser goes through the same frames, where they lie, and takes every key and every value: numbers as numbers, texts with
their escapes resolved. The frames are updates of candles (Coinbase: trades) made here; where recorded ones are at hand
(BREAKWATER_CAPTURES, else ../shared/captures beside the repository), theirs are measured and shown, too.

    python3 tests/bench/parse_cost.py [--frames N] [--rounds N]

BREAKWATER_PARSE_COST names the program that measures; without it, the one of build/release.
"""

import argparse
import collections
import itertools
import os
import pathlib
import statistics
import subprocess

from common import FIRST_MINUTE_MS, FRAMES_OF, iso, tell, temporary_folder, updates

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("BREAKWATER_PARSE_COST", REPOSITORY / "build/release/tests/bench/bench.parse_cost")
CAPTURES = pathlib.Path(os.environ.get("BREAKWATER_CAPTURES", REPOSITORY.parent / "shared/captures"))
SYMBOLS = 10
RECORDED = {  # files of candles, and of Coinbase trades
    "binance": ("binance_spot/kline_1m", "binance_spot/kline_1m_closed_reencoded"),
    "bybit": ("bybit/kline",),
    "okx": ("okx/candle1m",),
    "kraken": ("kraken_v2/ohlc", "kraken_v2/ohlc_reencoded"),
    "coinbase": ("coinbase_exchange/matches",),
}


def trade(number, base, at, price, volume):
    return (f'{{"type":"match","trade_id":{number},"maker_order_id":"ac928c66-ca53-498f-9c13-a110027a60e8",'
            f'"taker_order_id":"132fb6ae-456b-4654-b4e0-d681ac05cea1","side":"sell","size":"{volume}",'
            f'"price":"{price}","product_id":"{base}-USDT","sequence":{5000000 + number},"time":"{iso(at)}"}}')


def made_frames(count):
    """exchange -> `count` frames of it."""
    made = {frame_of.__name__: [] for frame_of in FRAMES_OF} | {"coinbase": []}
    for number, (minute, base, j, price, volume, offset) in enumerate(updates(SYMBOLS), 1):
        start_ms = FIRST_MINUTE_MS + 60000 * minute
        of = made[FRAMES_OF[j].__name__]
        if len(of) < count:
            of.append(FRAMES_OF[j](base, start_ms, start_ms + offset, price, volume))
        if len(made["coinbase"]) < count:
            made["coinbase"].append(trade(number, base, start_ms + offset, price, volume))
        if all(len(frames) == count for frames in made.values()):
            return made


def recorded_frames():
    """exchange -> recorded frames, as far as there are any."""
    paths = {exchange: [CAPTURES / f"{name}.jsonl" for name in names] for exchange, names in RECORDED.items()}
    return {exchange: list(itertools.chain.from_iterable(path.read_text().splitlines() for path in of))
            for exchange, of in paths.items() if all(path.exists() for path in of)}


def measure(groups, rounds):
    """group -> (frames, candles, bytes, ns of the dialect, ns of the walk), the medians of all rounds."""
    with temporary_folder() as folder:
        path = folder / "frames"
        with open(path, "w") as out:
            for (kind, exchange), frames in groups.items():
                out.writelines(f"{kind}.{exchange} {exchange} spot\t{frame}\n" for frame in frames)
        ended = subprocess.run([PROGRAM, path, str(rounds)], capture_output=True, text=True, timeout=600, check=True)
    rows = collections.defaultdict(list)
    for line in ended.stdout.splitlines():
        name, *figures = line.split()
        rows[tuple(name.split("."))].append([float(x) for x in figures])
    return {group: [statistics.median(column) for column in zip(*of)] for group, of in rows.items()}


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    options.add_argument("--frames", type=int, default=2000, help="made for each exchange [2000]")
    options.add_argument("--rounds", type=int, default=7, help="of a fifth of a second for each exchange [7]")
    given = options.parse_args()
    groups = {("made", exchange): frames for exchange, frames in made_frames(given.frames).items()}
    groups |= {("recorded", exchange): frames for exchange, frames in recorded_frames().items()}
    measured = measure(groups, given.rounds)
    for (kind, exchange), (frames, candles, size, reading, walking) in measured.items():
        if kind == "made" and candles != frames:
            raise AssertionError(f"{frames:.0f} frames of {exchange} made {candles:.0f} candles")
        print(f"{kind} {exchange}: {reading / walking:.2f} ({reading:.0f} ns over {walking:.0f} ns a frame of "
              f"{size / frames:.0f} bytes; {frames:.0f} frames, {candles:.0f} candles)")
    # Each exchange counts the same.
    rows = [row for (kind, _), row in measured.items() if kind == "made"]
    reading, walking = (statistics.mean(row[i] for row in rows) for i in (3, 4))
    tell("reading a frame over walking through it", f"{reading / walking:.2f}",
         f"{reading:.0f} ns over {walking:.0f} ns, mean of {len(rows)} exchanges, median of {given.rounds} rounds",
         "at most 2")


if __name__ == "__main__":
    main()
