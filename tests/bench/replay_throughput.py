"""How fast recorded frames become records in the Redis stream, beside what Redis takes at all.

In one run, on one redis-server, in turns: `breakwater replay --json` of a frames file made here, and
`redis-benchmark -P 64` (its default of 50 clients) with an XADD of the same record. Only the ratio means anything; it
depends little on the machine, the figures behind it a lot.

    python3 tests/bench/replay_throughput.py [--frames N] [--rounds N] [--symbols N]

BREAKWATER_BINARY names the binary; without it, build/release/breakwater of this repository.
"""

import argparse
import json
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
from support import BINARY, STREAM, PrivateRedis, breakwater  # noqa: E402

GOAL_NOW, GOAL = 0.6, 0.8
MAXLEN = 50000
FIRST_MINUTE_MS = 1763359200000
UPDATES_A_MINUTE = 200  # of each symbol on each exchange
BASES = ("BTC", "ETH", "SOL", "BNB", "XRP", "DOGE", "ADA", "TRX", "LINK", "AVAX")


def binance(base, start_ms, at, price, volume):
    symbol = base + "USDT"
    return (f'{{"stream":"{symbol.lower()}@kline_1m","data":{{"e":"kline","E":{at},"s":"{symbol}","k":{{"t":{start_ms},'
            f'"T":{start_ms + 59999},"s":"{symbol}","i":"1m","f":100,"L":200,"o":"{price}","c":"{price}","h":"{price}",'
            f'"l":"{price}","v":"{volume}","n":100,"x":false,"q":"1000.0","V":"500.0","Q":"500.0","B":"0"}}}}}}')


def bybit(base, start_ms, at, price, volume):
    return (f'{{"topic":"kline.1.{base}USDT","data":[{{"start":{start_ms},"end":{start_ms + 59999},"interval":"1",'
            f'"open":"{price}","close":"{price}","high":"{price}","low":"{price}","volume":"{volume}",'
            f'"turnover":"1000.0","confirm":false,"timestamp":{at}}}],"ts":{at + 2},"type":"snapshot"}}')


def okx(base, start_ms, _, price, volume):
    return (f'{{"arg":{{"channel":"candle1m","instId":"{base}-USDT"}},"data":[["{start_ms}","{price}","{price}",'
            f'"{price}","{price}","{volume}","{volume}","1000.0","0"]]}}')


def kraken(base, start_ms, at, price, volume):
    return (f'{{"channel":"ohlc","type":"update","timestamp":"{iso(at)}","data":[{{"symbol":"{base}/USDT","open":{price},'
            f'"high":{price},"low":{price},"close":{price},"trades":100,"volume":{volume},"vwap":{price},'
            f'"interval_begin":"{iso(start_ms)}","interval":1,"timestamp":"{iso(start_ms + 60000)}"}}]}}')


EXCHANGES = (binance, bybit, okx, kraken)


def iso(ms, day="2025-11-17"):
    """Of a time on the day of FIRST_MINUTE_MS or the next ones."""
    of_day = ms - (FIRST_MINUTE_MS - 6 * 3600000)
    days, of_day = divmod(of_day, 86400000)
    seconds = of_day // 1000
    return (f"{day[:-2]}{int(day[-2:]) + days:02}T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
            f".{of_day % 1000:03}000Z")


def write_frames(path, frames, symbols):
    """Every frame changes a price, so every frame but a minute's first makes a record."""
    with open(path, "w") as out:
        written = tick = 0
        while written < frames:
            minute, update = divmod(tick, UPDATES_A_MINUTE)
            start_ms = FIRST_MINUTE_MS + 60000 * minute
            for i, base in enumerate(BASES[:symbols]):
                for j, exchange in enumerate(EXCHANGES):
                    at = start_ms + 300 * update + 7 * i + 50 * j
                    price = f"{(95000 / 3 ** i) * (1 + 1e-4 * j) + 0.01 * tick:.2f}"
                    frame = exchange(base, start_ms, at, price, f"{1 + 0.05 * update:.5f}")
                    out.write(f'{{"recv_ms":{at + 20},"exchange":"{exchange.__name__}","frame":{frame}}}\n')
            written += symbols * len(EXCHANGES)
            tick += 1
    return written


def replay(config, frames):
    """records_per_s of one replay."""
    ended = breakwater("replay", "--config", config, "--frames", frames, "--json", timeout=600)
    if ended.returncode != 0:
        sys.exit(f"replay ended with {ended.returncode}:\n{ended.stderr[-2000:]}")
    told = json.loads(ended.stdout)
    return told["records"], told["records_per_s"]


def benchmark(redis, record, requests):
    """Requests per second of redis-benchmark's XADDs of `record`, a flat list of fields and values."""
    command = ["XADD", "bench", "MAXLEN", "~", str(MAXLEN), "*", *record]
    ended = subprocess.run(["redis-benchmark", "-s", str(redis.socket_path), "-P", "64", "-q", "-n", str(requests),
                            *command], capture_output=True, text=True, timeout=600, check=True)
    # Progress is printed over itself with carriage returns; the last figure is the result.
    return float(re.findall(r"([\d.]+) requests per second", ended.stdout)[-1])


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    options.add_argument("--frames", type=int, default=400000, help="in the file [400000]")
    options.add_argument("--rounds", type=int, default=3, help="of each, in turns [3]")
    options.add_argument("--symbols", type=int, default=8, choices=range(1, len(BASES) + 1), metavar="1..10")
    given = options.parse_args()

    with tempfile.TemporaryDirectory(prefix="breakwater-bench-") as folder, PrivateRedis() as redis:
        folder = pathlib.Path(folder)
        frames, config = folder / "frames.jsonl", folder / "breakwater.toml"
        written = write_frames(frames, given.frames, given.symbols)
        config.write_text(f'[process]\ndata_dir = "{folder / "data"}"\n[redis]\nurl = "{redis.unix_url}"\n'
                          f'[aggregator]\nmaxlen = {MAXLEN}\n[log]\nlevel = "error"\n')
        print(f"{written} frames of {given.symbols} symbols on {len(EXCHANGES)} exchanges, "
              f"{frames.stat().st_size / written:.0f} bytes each; {BINARY}")
        replayed, ceiling = [], []
        for number in range(1, given.rounds + 1):
            records, per_s = replay(config, frames)
            replayed.append(per_s)
            record = redis.cli("XREVRANGE", STREAM, "+", "-", "COUNT", 1)[0][1]
            ceiling.append(benchmark(redis, record, records))
            redis.cli("DEL", STREAM, "bench")
            print(f"round {number}: {records} records, replay {per_s:,.0f}/s, redis-benchmark {ceiling[-1]:,.0f}/s")
        a, b = statistics.median(replayed), statistics.median(ceiling)
        print(f"record: {len(record) // 2} fields, {sum(map(len, record))} bytes; MAXLEN ~ {MAXLEN}; one redis-server, "
              f"Unix socket; redis-benchmark -P 64 with its default 50 clients")
        print(f"replay -> stream over redis-benchmark -P 64 XADD of the same record: {a / b:.2f} "
              f"({a:,.0f}/s over {b:,.0f}/s, median of {given.rounds} rounds)")
        print(f"goal: at least {GOAL_NOW} now, {GOAL} later")


if __name__ == "__main__":
    main()
