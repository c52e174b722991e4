"""How long a frame takes from the exchange to the Redis stream at a tenth of what Redis takes, beside the bare path.

Numbered one-minute candles go at a fixed rate, a millisecond's worth at a time, over WebSockets (Binance's and Bybit's
formats) to `breakwater run`; in turns with it, records of the same fields go at the same times straight to Redis by
XADD, with `sync = "batch"` after an append of 500 bytes a record and one fdatasync for all that are due. Both are sent
by this program and have arrived when one reader of it, blocked in XREAD, has them, counted from the planned time of
sending, so that Python's own cost stands in both; the WebSocket stands only in breakwater's. A candle that a newer one
of its symbol replaced on the way counts as arrived with that one.

    python3 tests/bench/latency.py [--rate N] [--seconds N] [--rounds N] [--symbols N] [--sync batch|os]
"""

import argparse
import base64
import gc
import hashlib
import os
import re
import socket
import statistics
import struct
import threading
import time

from common import (BINARY, MAXLEN, STREAM, PrivateRedis, base_names, binance, bybit, entries_added, file_system,
                    percentile, redis_benchmark, some_record, spool_table, tell, temporary_folder)
from support import Breakwater, wait_until

TICK_S = 0.001
WARM_UP = 0.2  # share of the time that is not counted
LOGGED_BYTES = 500  # a record, by the bare path
SHARE = 0.1  # of the ceiling
GOALS = {"os": 5, "batch": 3}
FIRST_PRICE = 50000


# ---- what is sent


class Plan:
    """Which numbers are due when, and which symbol and exchange a number belongs to: binance if it is even."""

    def __init__(self, rate, seconds, symbols):
        ticks = round(seconds / TICK_S)
        bounds = [round(rate * TICK_S * i) for i in range(ticks + 1)]
        self.numbers = [range(a, b) for a, b in zip(bounds, bounds[1:])]
        self.due_s = [i * TICK_S for i, numbers in enumerate(self.numbers) for _ in numbers]
        self.first_counted = max(bounds[round(WARM_UP * ticks)], 2 * symbols)
        self.bases = base_names(symbols)

    @property
    def count(self):
        return len(self.due_s)

    def base(self, number):
        return self.bases[number // 2 % len(self.bases)]

    def newer(self, number):
        """The next number of the same symbol and exchange."""
        return number + 2 * len(self.bases)


def price_of(number):
    return f"{FIRST_PRICE + number / 1000:.3f}"


def number_of(price):
    return round((float(price) - FIRST_PRICE) * 1000)


def send_in_time(batches, send):
    """Calls send() with the batches that are due, batch i after i ticks; returns when tick 0 was and the 99th
    percentile of how late it was called."""
    began, following, late = time.monotonic() + 0.1, 0, []
    while following < len(batches):
        passed = time.monotonic() - began
        due = min(len(batches), int(passed / TICK_S) + 1) if passed >= 0 else 0
        if due <= following:
            time.sleep(following * TICK_S - passed)
            continue
        late.append(passed - following * TICK_S)
        send(batches[following:due])
        following = due
    return began, percentile(late, 0.99)


# ---- what arrives


class Reader(threading.Thread):
    """Reads the stream by XREAD BLOCK while the block lasts, and notes what came when."""

    END = b"END-OF-REPLY"
    ID = re.compile(rb"\r\n\$\d+\r\n(\d+-\d+)\r\n\*")
    PRICES = re.compile(rb"binance_price\r\n\$\d+\r\n([\d.]+)\r\n\$\d+\r\nbybit_price\r\n\$\d+\r\n([\d.]+)\r\n")

    def __init__(self, redis):
        super().__init__(daemon=True)
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(redis.socket_path))
        self._replies = []  # (when, bytes): they are looked at later
        self._last = b"0-0"
        self._ended = False

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._ended = True
        self.join()
        self._socket.close()

    def run(self):
        while not self._ended:
            # Each reply ends with the echo, so that it need not be parsed to find its end.
            self._socket.sendall(b"XREAD BLOCK 50 COUNT 10000 STREAMS %b %b\r\nECHO %b\r\n"
                                 % (STREAM.encode(), self._last, self.END))
            reply = bytearray()
            while not reply.endswith(self.END + b"\r\n"):
                got = self._socket.recv(1 << 20)
                if not got:
                    raise ConnectionError("redis-server closed the connection")
                reply += got
            when = time.monotonic()
            ids = self.ID.findall(reply, max(0, len(reply) - 8192))
            if ids:
                self._last = ids[-1]
                self._replies.append((when, reply))

    def last_id(self):
        return self._last.decode()

    def arrived(self):
        """When each number was first seen."""
        seen = {}
        for when, reply in self._replies:
            for prices in self.PRICES.findall(reply):
                for price in prices:
                    seen.setdefault(number_of(price), when)
        return seen


def wait_for_the_rest(redis, reader):
    """Until nothing more comes and the reader has everything."""
    added = -1
    while added != (added := entries_added(redis)):
        time.sleep(0.5)
    if added == 0:
        raise AssertionError("nothing arrived")
    newest = redis.cli("XREVRANGE", STREAM, "+", "-", "COUNT", 1)[0][0]
    wait_until(lambda: reader.last_id() == newest, 10, "the reader has the newest entry")


def latencies_s(plan, began, arrived):
    """Of all numbers counted, and how many of them were replaced by newer ones."""
    taken, replaced = [], 0
    for number in range(plan.first_counted, plan.count):
        if number not in arrived:
            replaced += 1
            newer = plan.newer(number)
            while newer < plan.count and newer not in arrived:
                newer = plan.newer(newer)
            if newer not in arrived:
                raise AssertionError(f"candle {number} never arrived, and no newer one of its symbol")
            when = arrived[newer]
        else:
            when = arrived[number]
        taken.append(when - began - plan.due_s[number])
    return taken, replaced


# ---- both ways


class Exchange(threading.Thread):
    """A WebSocket server that acknowledges subscriptions and sends what it is told to, for one client at a time."""

    def __init__(self, name, symbols):
        super().__init__(daemon=True)
        self._name, self._symbols = name, symbols
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._client = None
        self._sends = threading.Lock()
        self.subscribed = set()

    @property
    def url(self):
        return f"ws://127.0.0.1:{self._listener.getsockname()[1]}/{self._name}"

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        if self._client:
            self._client.close()

    def complete(self):
        return len(self.subscribed) == self._symbols

    def send(self, wire):
        with self._sends:
            self._client.sendall(wire)

    def run(self):
        while True:
            try:
                self._client, _ = self._listener.accept()
            except OSError:
                return  # closed
            self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                with self._client.makefile("rb") as received:
                    self._serve(received)
            except (OSError, struct.error):
                pass  # the client is gone

    def _serve(self, received):
        key = b""
        while (line := received.readline().strip()):
            if line.lower().startswith(b"sec-websocket-key:"):
                key = line.partition(b":")[2].strip()
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        self.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        self.subscribed.clear()
        text = b""
        while True:
            first, second = struct.unpack("!BB", received.read(2))
            length = second & 0x7F
            if length > 125:
                length = int.from_bytes(received.read(2 if length == 126 else 8), "big")
            mask = received.read(4)
            payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(received.read(length)))
            operation = first & 0x0F
            if operation == 8:
                return
            if operation == 9:
                self.send(struct.pack("!BB", 0x8A, len(payload)) + payload)
            elif operation in (0, 1):
                text += payload
                if first & 0x80:
                    self._answer(text.decode())
                    text = b""

    def _answer(self, text):
        streams = re.findall(r'"(\w+@kline_1m|kline\.1\.\w+)"', text)
        if self._name == "binance":
            number = re.search(r'"id":(\d+)', text)[1]
            answer = f'{{"result":null,"id":{number}}}'
        elif '"op":"ping"' in text:
            answer = '{"success":true,"ret_msg":"pong","conn_id":"bench","op":"ping"}'
        else:
            number = re.search(r'"req_id":"(\d+)"', text)[1]
            answer = f'{{"success":true,"ret_msg":"subscribe","conn_id":"bench","req_id":"{number}","op":"subscribe"}}'
        self.send(websocket_text(answer))
        self.subscribed.update(streams)


def websocket_text(text):
    payload = text.encode()
    if len(payload) < 126:
        return struct.pack("!BB", 0x81, len(payload)) + payload
    return struct.pack("!BBH", 0x81, 126, len(payload)) + payload


def through_breakwater(redis, plan, sync):
    """(latencies, how many were replaced, how late was sent)."""
    speak = (binance, bybit)
    with Exchange("binance", len(plan.bases)) as even, Exchange("bybit", len(plan.bases)) as odd:
        symbols = ", ".join(f'"{base}USDT"' for base in plan.bases)
        extra = f"[symbols]\nlist = [{symbols}]\n[aggregator]\nmaxlen = {MAXLEN}\n{spool_table(sync)}"
        with Breakwater(redis.unix_url, {"binance": even.url, "bybit": odd.url}, extra) as process:
            process.wait_for_log("Connected to Redis")
            wait_until(lambda: even.complete() and odd.complete(), 60, "all symbols are subscribed")
            start_ms = int(time.time()) // 60 * 60000
            batches = []
            for numbers in plan.numbers:
                wires = [b"", b""]
                for number in numbers:
                    wires[number % 2] += websocket_text(speak[number % 2](
                        plan.base(number), start_ms, start_ms + number, price_of(number), "1.5"))
                batches.append(wires)

            def send(due):
                even.send(b"".join(wires[0] for wires in due))
                odd.send(b"".join(wires[1] for wires in due))

            return measure(redis, plan, batches, send)


def straight_to_redis(redis, plan, sync, record, folder):
    """The same of the bare path."""
    absent = ("okx_price", "kraken_price")
    fields = {field: value for field, value in zip(record[::2], record[1::2]) if field not in absent}
    fields["binance_price"] = fields["bybit_price"] = "NUMBER"
    words = ["XADD", STREAM, "MAXLEN", "~", str(MAXLEN), "*", *(word for pair in fields.items() for word in pair)]
    size = len(price_of(0))
    wire = f"*{len(words)}\r\n" + "".join(
        f"${size if word == 'NUMBER' else len(word)}\r\n{word}\r\n" for word in words)
    batches = [(len(numbers), "".join(wire.replace("NUMBER", price_of(number)) for number in numbers).encode())
               for numbers in plan.numbers]
    with socket.socket(socket.AF_UNIX) as client, open(folder / "log", "wb", buffering=0) as log:
        client.connect(str(redis.socket_path))

        def send(due):
            if sync == "batch":
                log.write(bytes(LOGGED_BYTES * sum(count for count, _ in due)))
                os.fdatasync(log.fileno())
            client.sendall(b"".join(commands for _, commands in due))
            try:
                replies = client.recv(1 << 20, socket.MSG_DONTWAIT)  # of what was sent before
                if b"-ERR" in replies:
                    raise AssertionError(f"Redis refused a record: {replies[:200]}")
            except BlockingIOError:
                pass

        return measure(redis, plan, batches, send)


def measure(redis, plan, batches, send):
    gc.collect()
    gc.disable()
    try:
        with Reader(redis) as reader:
            began, late_s = send_in_time(batches, send)
            wait_for_the_rest(redis, reader)
        return *latencies_s(plan, began, reader.arrived()), late_s
    finally:
        gc.enable()


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    options.add_argument("--rate", type=int, help="records per second [a tenth of redis-benchmark -P 64 XADD]")
    options.add_argument("--seconds", type=float, default=5, help="of each, a round [5]")
    options.add_argument("--rounds", type=int, default=3, help="of each, in turns [3]")
    options.add_argument("--symbols", type=int, default=400, help="on each of two exchanges [400]")
    options.add_argument("--sync", choices=tuple(GOALS), action="append", help="spool.sync [both]")
    given = options.parse_args()

    with temporary_folder() as folder, PrivateRedis() as redis:
        record = some_record(folder, redis)
        ceiling = redis_benchmark(redis, record, 300000)
        rate = given.rate or round(SHARE * ceiling)
        print(f"{rate:,} records a second, redis-benchmark -P 64 does {ceiling:,.0f}; {given.symbols} symbols on 2 "
              f"exchanges; {BINARY}")
        print(f"the spool and the bare path's file on {file_system(folder)}")
        plan = Plan(rate, given.seconds, given.symbols)
        for sync in given.sync or GOALS:
            ours, theirs = [], []
            for number in range(1, given.rounds + 1):
                taken, replaced, late_s = through_breakwater(redis, plan, sync)
                redis.cli("FLUSHALL")
                bare, _, bare_late_s = straight_to_redis(redis, plan, sync, record, folder)
                redis.cli("FLUSHALL")
                ours.append(1000 * percentile(taken, 0.99))
                theirs.append(1000 * percentile(bare, 0.99))
                print(f"sync = {sync}, round {number}: p50 {1000 * statistics.median(taken):.2f} ms, "
                      f"p99 {ours[-1]:.2f} ms, {replaced} of {len(taken)} replaced by newer ones, sent up to "
                      f"{1000 * late_s:.2f} ms late; bare p50 {1000 * statistics.median(bare):.2f} ms, "
                      f"p99 {theirs[-1]:.2f} ms, sent up to {1000 * bare_late_s:.2f} ms late")
            a, b = statistics.median(ours), statistics.median(theirs)
            bare_is = "bare fdatasync and XADD" if sync == "batch" else "bare XADD"
            tell(f"sync = {sync}: p99 from frame to stream entry over {bare_is}", f"{a / b:.2f}",
                 f"{a:.2f} ms over {b:.2f} ms, median of {given.rounds} rounds at {rate:,}/s", f"at most {GOALS[sync]}")


if __name__ == "__main__":
    main()
