"""What the bench programs share: frames made here, configs, breakwater and redis-benchmark, and the form of a result.
tests/system/support.py has the processes.

BREAKWATER_BINARY names the binary; without it, build/release/breakwater of this repository. Everything that is written
lies in the temporary folder (TMPDIR) and goes when the program ends.
"""

import contextlib
import json
import math
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
from support import (BINARY, EXCHANGES, STREAM, PrivateRedis, Process, RedisError, breakwater,  # noqa: E402,F401
                     environment)

MAXLEN = 50000
MIB = 1 << 20

# ---- recorded frames

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
    return (f'{{"channel":"ohlc","type":"update","timestamp":"{iso(at)}","data":[{{"symbol":"{base}/USDT",'
            f'"open":{price},"high":{price},"low":{price},"close":{price},"trades":100,"volume":{volume},"vwap":'
            f'{price},"interval":1,"interval_begin":"{iso(start_ms)}","timestamp":"{iso(start_ms + 60000)}"}}]}}')


FRAMES_OF = (binance, bybit, okx, kraken)


def iso(ms, day="2025-11-17"):
    """Of a time on the day of FIRST_MINUTE_MS or the next ones."""
    of_day = ms - (FIRST_MINUTE_MS - 6 * 3600000)
    days, of_day = divmod(of_day, 86400000)
    seconds = of_day // 1000
    return (f"{day[:-2]}{int(day[-2:]) + days:02}T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
            f".{of_day % 1000:03}000Z")


def base_names(count):
    return [BASES[i] if i < len(BASES) else f"S{i:04}" for i in range(count)]


def updates(symbols):
    """For ever: (minute, base, exchange's number, price, volume, offset in the minute in ms), each a new price."""
    bases = base_names(symbols)
    first_prices = [95000 / 3 ** (i % len(BASES)) for i in range(symbols)]
    tick = 0
    while True:
        minute, update = divmod(tick, UPDATES_A_MINUTE)
        volume = f"{1 + 0.05 * update:.5f}"
        for i, base in enumerate(bases):
            for j in range(len(FRAMES_OF)):
                price = f"{first_prices[i] * (1 + 1e-4 * j) + 0.01 * tick:.2f}"
                yield minute, base, j, price, volume, 300 * update + 100 * i // symbols + 50 * j
        tick += 1


def frame_lines(symbols):
    """For ever: lines of a frames file. Each frame changes a price, so each but a minute's first makes a record."""
    names = [frame_of.__name__ for frame_of in FRAMES_OF]
    for minute, base, j, price, volume, offset in updates(symbols):
        start_ms = FIRST_MINUTE_MS + 60000 * minute
        at = start_ms + offset
        frame = FRAMES_OF[j](base, start_ms, at, price, volume)
        yield f'{{"recv_ms":{at + 20},"exchange":"{names[j]}","frame":{frame}}}\n'


def records_of(count, symbols):
    """How many records so many of the updates above make."""
    of_a_minute = symbols * len(FRAMES_OF) * UPDATES_A_MINUTE
    minutes, rest = divmod(count, of_a_minute)
    return count - minutes * symbols - min(symbols, math.ceil(rest / len(FRAMES_OF)))


def write_frames(path, frames, symbols):
    lines = frame_lines(symbols)
    with open(path, "w") as out:
        for _ in range(frames):
            out.write(next(lines))


# ---- breakwater


@contextlib.contextmanager
def temporary_folder():
    with tempfile.TemporaryDirectory(prefix="breakwater-bench-") as folder:
        yield pathlib.Path(folder)


def file_system(folder):
    """The kind of file system `folder` lies on, such as ext4."""
    mounts = [line.split()[1:3] for line in pathlib.Path("/proc/self/mounts").read_text().splitlines()]
    folder = pathlib.Path(folder).resolve()
    kinds = {pathlib.Path(where): kind for where, kind in mounts}
    return next((kinds[where] for where in (folder, *folder.parents) if where in kinds), "unknown")


def write_config(folder, redis, name="breakwater", *, sync="batch", max_bytes=1024 * MIB, process="", aggregator=""):
    """A config without API and feeds, with a data_dir of its own in `folder`; returns its path."""
    path = folder / f"{name}.toml"
    feeds = "".join(f"[feeds.{exchange}]\nenabled = false\n" for exchange in EXCHANGES)
    path.write_text(
        f'[process]\ndata_dir = "{data_dir(path)}"\n{process}\n[redis]\nurl = "{redis.unix_url}"\n'
        f'[aggregator]\nmaxlen = {MAXLEN}\n{aggregator}\n{spool_table(sync, max_bytes)}'
        f'[log]\nlevel = "warn"\n[api]\nlisten = ""\n{feeds}')
    return path


def spool_table(sync="batch", max_bytes=1024 * MIB):
    return f'[spool]\nsync = "{sync}"\nmax_bytes = "{max_bytes // MIB}MiB"\n'


def data_dir(config):
    return config.with_suffix(".data")


def forget(redis, config):
    """Makes Redis empty and the data_dir of `config` absent, so that the next run is the first one."""
    redis.cli("FLUSHALL")
    shutil.rmtree(data_dir(config), ignore_errors=True)


class Program(Process):
    """breakwater with `words`, to be ended from here."""

    def __init__(self, *words):
        super().__init__()
        self._words = words

    def start(self):
        self._spawn(BINARY, *self._words, env=environment())

    @property
    def pid(self):
        return self.process.pid


def replay(config, frames):
    """What one replay tells: records, records_per_s and more."""
    ended = breakwater("replay", "--config", config, "--frames", frames, "--json", timeout=1200)
    if ended.returncode != 0:
        sys.exit(f"replay ended with {ended.returncode}:\n{ended.stderr[-2000:]}")
    return json.loads(ended.stdout)


def spooled(config):
    """How many records wait in the spool of `config`, by `breakwater spool status`, with a process at it or without."""
    if not (data_dir(config) / "spool/data.mdb").exists():
        return 0
    ended = breakwater("spool", "status", "--config", config, "--json", timeout=60)
    if ended.returncode != 0:
        sys.exit(f"spool status ended with {ended.returncode}:\n{ended.stderr[-2000:]}")
    return sum(stream["waiting"] for stream in json.loads(ended.stdout)["streams"])


def children_cpu_s():
    """CPU seconds of all children that have ended so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


# ---- Redis


def entries_added(redis, stream=STREAM):
    """How many entries `stream` ever got."""
    try:
        told = redis.cli("XINFO", "STREAM", stream)
    except RedisError:
        return 0
    return dict(zip(told[::2], told[1::2]))["entries-added"]


def arrivals_per_s(process, redis, entries, stream=STREAM, patience_s=30):
    """Entries per second while `stream` gets its first `entries`, since it was last seen empty. Fails when none comes
    for `patience_s`."""
    began = changed = time.monotonic()
    seen = 0
    while seen < entries:
        asked = time.monotonic()
        now = entries_added(redis, stream)
        if now == 0:
            began = asked
        if now != seen:
            seen, changed = now, time.monotonic()
        elif asked - changed > patience_s or not process.running():
            raise AssertionError(f"{seen} of {entries} entries came; breakwater says:\n{process.output()[-2000:]}")
        time.sleep(0.005)
    return seen / (changed - began)


def newest_record(redis, stream=STREAM):
    """The fields and values of the newest entry, as a flat list."""
    return redis.cli("XREVRANGE", stream, "+", "-", "COUNT", 1)[0][1]


def some_record(folder, redis):
    """A record as breakwater writes it; leaves Redis empty."""
    config, frames = write_config(folder, redis, "sample"), folder / "sample.jsonl"
    write_frames(frames, 4000, 8)
    replay(config, frames)
    record = newest_record(redis)
    forget(redis, config)
    return record


def redis_benchmark(redis, record, requests):
    """Requests per second of redis-benchmark's XADDs of `record`: -P 64, its default of 50 clients."""
    command = ["XADD", "bench", "MAXLEN", "~", str(MAXLEN), "*", *record]
    ended = subprocess.run(["redis-benchmark", "-s", str(redis.socket_path), "-P", "64", "-q", "-n", str(requests),
                            *command], capture_output=True, text=True, timeout=600, check=True)
    redis.cli("DEL", "bench")
    # Progress is printed over itself with carriage returns; the last figure is the result.
    return float(re.findall(r"([\d.]+) requests per second", ended.stdout)[-1])


# ---- results


def tell(what, ratio, figures, goal):
    """The last two lines of a program; all.py and CTest look for their form."""
    print(f"{what}: {ratio} ({figures})")
    print(f"goal: {goal}", flush=True)


def percentile(values, share):
    """The smallest of `values` that `share` of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
