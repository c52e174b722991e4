"""How fast entries of the raw stream become records of the normalized stream, beside the Python script of before.

In one run, on one redis-server, in turns: `breakwater run` with `source = "raw_stream"`, and a stand-in for that
script, which does what it did and no more: XREAD COUNT 100, fields to a dict, mean and deviation of a minute's closes,
and one XADD a record, whose reply it awaits. The script did about 10,700 raw entries a second on a machine of two
cores; it used redis-py, and so does the stand-in where that is installed (Debian: python3-redis). Without, it talks to
Redis by itself, which is nearly twice as fast.

    python3 tests/bench/raw_throughput.py [--entries N] [--original N] [--rounds N] [--symbols N] [--sync batch|os]
"""

import argparse
import importlib.util
import itertools
import math
import shutil
import statistics
import time

from common import (BINARY, FIRST_MINUTE_MS, FRAMES_OF, MAXLEN, STREAM, PrivateRedis, Program, arrivals_per_s, data_dir,
                    file_system, newest_record, records_of, redis_benchmark, tell, temporary_folder, updates,
                    write_config)
from support import RespClient

RAW = "quantum:stream:exchange.raw"
AT_A_TIME = 1000


def fill(redis, entries, symbols):
    names = [frame_of.__name__ for frame_of in FRAMES_OF]
    commands = (("XADD", RAW, "*", "exchange", names[j], "symbol", base + "USDT",
                 "timestamp", FIRST_MINUTE_MS // 1000 + 60 * minute, "open", price, "high", price, "low", price,
                 "close", price, "volume", volume)
                for minute, base, j, price, volume, _ in itertools.islice(updates(symbols), entries))
    with RespClient(redis.socket_path, timeout=60) as client:
        while chunk := list(itertools.islice(commands, AT_A_TIME)):
            client.pipeline(*chunk)


def by_library(server):
    """How a script talks to Redis: its name, read(after) -> [(id, fields)], add(fields)."""
    import redis

    client = redis.Redis(server.host, server.port, decode_responses=True)
    return (f"redis-py {redis.__version__}", lambda after: client.xread({RAW: after}, count=100)[0][1],
            lambda fields: client.xadd(STREAM, fields, maxlen=MAXLEN))


def by_hand(server):
    """The same without a library."""
    client = RespClient((server.host, server.port))

    def read(after):
        return [(entry, dict(zip(flat[::2], flat[1::2])))
                for entry, flat in client.command("XREAD", "COUNT", 100, "STREAMS", RAW, after)[0][1]]

    def add(fields):
        client.command("XADD", STREAM, "MAXLEN", "~", MAXLEN, "*", *itertools.chain(*fields.items()))

    return "no library", read, add


def original(read, add, entries):
    """Raw entries per second of the stand-in, which stops after so many; and the records it made."""
    minutes = {}
    records, taken, last = 0, 0, "0-0"
    began = time.monotonic()
    while taken < entries:
        for last, fields in read(last):
            taken += 1
            closes = minutes.setdefault((fields["symbol"], fields["timestamp"]), {})
            closes[fields["exchange"]] = float(fields["close"])
            if len(closes) < 2:
                continue
            mean = sum(closes.values()) / len(closes)
            deviation = math.sqrt(sum((x - mean) ** 2 for x in closes.values()) / len(closes))
            add({"symbol": fields["symbol"], "timestamp": fields["timestamp"], "avg_price": mean,
                 "price_divergence": deviation, "num_exchanges": len(closes),
                 "binance_price": closes.get("binance", "null"), "bybit_price": closes.get("bybit", "null"),
                 "coinbase_price": closes.get("coinbase", "null"), "funding_delta": "0.0"})
            records += 1
    return taken / (time.monotonic() - began), records


def product(redis, config, entries, records):
    """Raw entries per second of breakwater, which begins at the oldest entry."""
    with Program("run", "--config", config) as process:
        records_per_s = arrivals_per_s(process, redis, records)
        process.terminate()
    return records_per_s * entries / records


def clear(redis, config):
    """All but the raw stream."""
    redis.cli("DEL", *(key for key in redis.cli("KEYS", "*") if key != RAW))
    shutil.rmtree(data_dir(config), ignore_errors=True)


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    options.add_argument("--entries", type=int, default=200000, help="in the raw stream [200000]")
    options.add_argument("--original", type=int, default=40000, help="of them for the stand-in, a round [40000]")
    options.add_argument("--rounds", type=int, default=3, help="of each, in turns [3]")
    options.add_argument("--symbols", type=int, default=8, help="on each exchange [8]")
    options.add_argument("--sync", choices=("batch", "os"), default="batch", help="spool.sync [batch]")
    given = options.parse_args()

    records = records_of(given.entries, given.symbols)
    with temporary_folder() as folder, PrivateRedis() as redis:
        config = write_config(folder, redis, sync=given.sync,
                              aggregator=f'source = "raw_stream"\nraw_stream = "{RAW}"')
        fill(redis, given.entries, given.symbols)
        print(f"{given.entries} raw entries of {given.symbols} symbols on {len(FRAMES_OF)} exchanges make {records} "
              f"records; {BINARY}")
        print(f'spool.sync = "{given.sync}", the spool on {file_system(folder)}')
        library, read, add = (by_library if importlib.util.find_spec("redis") else by_hand)(redis)
        ours, theirs, ceiling = [], [], []
        for number in range(1, given.rounds + 1):
            ours.append(product(redis, config, given.entries, records))
            record = newest_record(redis)
            clear(redis, config)
            ceiling.append(redis_benchmark(redis, record, records))
            per_s, made = original(read, add, given.original)
            if made != records_of(given.original, given.symbols):
                raise AssertionError(f"the stand-in made {made} records of {given.original} entries")
            theirs.append(per_s)
            clear(redis, config)
            print(f"round {number}: breakwater {ours[-1]:,.0f}/s, the stand-in {theirs[-1]:,.0f}/s, "
                  f"redis-benchmark {ceiling[-1]:,.0f}/s")
        a, b, c = map(statistics.median, (ours, theirs, ceiling))
        print(f"raw entries over redis-benchmark -P 64 XADD of a record: {a / c:.2f} ({a:,.0f}/s over {c:,.0f}/s)")
        tell("raw stream -> normalized stream over the Python original's stand-in", f"{a / b:.1f}",
             f"{a:,.0f} entries/s over {b:,.0f}/s with {library}, median of {given.rounds} rounds", "at least 20")


if __name__ == "__main__":
    main()
