"""The HTTP port against clients that mean harm: thousands of requests that are none, drawn by a seed. The process lives,
no actor fails, nobody else waits, and memory and descriptors are what they were.

python3 tests/system/hostile_clients_test.py [--seed N] [--requests N]
"""

import argparse
import pathlib
import random
import select
import socket
import sys
import time
import unittest

from support import Breakwater

OPTIONS = argparse.Namespace(seed=1, requests=2000)

WHOLE = (
    b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"HEAD /api/feeds?exchange=okx&symbol=BTCUSDT HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /api/audit?limit=3 HTTP/1.0\r\n\r\n",
    b"POST /api/circuit-breaker/reset?breaker=orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: 17\r\n\r\n"
    b'{"reason":"fuzz"}',
    b"POST /api/circuit-breaker/report?breaker=orders HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'b\r\n{"ok":true}\r\n0\r\nA: b\r\n\r\n',
    b"POST /api/position-monitor/heartbeat HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
    b"GET /api/events HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: 1\r\n\r\n",
)
NOT_HTTP = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),  # a TLS client's greeting
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
    b"*1\r\n$4\r\nPING\r\n",
    b"\0" * 4096,
    b"\xff" * 10000,
    b"GET " + b"/../" * 3000 + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 5000,
    b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b" folded\r\n" * 100 + b"\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551616\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 3000,
    b"POST /api/circuit-breaker/reset HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n" + b"[" * 60000,
    b"POST /api/circuit-breaker/reset HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n" + b'{"a":' * 12000,
    b"GET /%00%0d%0aSet-Cookie:%20a HTTP/1.1\r\nHost: localhost\r\n\r\n",
)
TOKENS = (b"\r\n", b"\n", b"\0", b":", b" ", b"\t", b"%", b"%0d%0a", b"HTTP/1.1", b"Content-Length: 5\r\n",
          b"Transfer-Encoding: chunked\r\n", b"Host: a\r\n", b"Expect: 100-continue\r\n", b"Connection: close\r\n",
          b"Upgrade: websocket\r\n", b"\xff\xfe", b"0\r\n\r\n", b"9" * 40, b"x" * 9000)


def damaged(draw):
    """A request with one to six things wrong, or something that never was one."""
    if draw.random() < 0.1:
        return draw.choice(NOT_HTTP)
    request = bytearray(b"".join(draw.choice(WHOLE) for _ in range(draw.choice((1, 1, 1, 2, 5)))))
    for _ in range(draw.randint(1, 6)):
        at = draw.randrange(len(request) + 1)
        kind = draw.randrange(5)
        if kind == 0:
            request[at:at] = draw.choice(TOKENS)
        elif kind == 1 and at < len(request):
            request[at] = draw.randrange(256)
        elif kind == 2:
            del request[at:at + draw.randint(1, 20)]
        elif kind == 3:
            request[at:at] = request[at:at + draw.randint(1, 60)]
        else:
            del request[at:]
    return bytes(request)


class HostileClients(unittest.TestCase):
    def setUp(self):
        self.process = self.enterContext(Breakwater("redis://127.0.0.1:1/0"))
        self.process.wait_for_log("event=api_listening")
        self.draw = random.Random(OPTIONS.seed)
        print(f"seed {OPTIONS.seed}, {OPTIONS.requests} requests", file=sys.stderr)

    def proc(self, name):
        return pathlib.Path(f"/proc/{self.process.process.pid}/{name}")

    def memory_kib(self):
        return next(int(line.split()[1]) for line in self.proc("status").read_text().splitlines()
                    if line.startswith("RssAnon"))

    def descriptors(self):
        return len(list(self.proc("fd").iterdir()))

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.process.api_port), timeout=5)

    def say(self, request):
        """All of it, or in two pieces; then the answer, or nothing, is waited for, a moment at most."""
        with self.connect() as client:
            cut = self.draw.randrange(len(request) + 1) if self.draw.random() < 0.3 else len(request)
            try:
                client.sendall(request[:cut])
                if cut < len(request):
                    client.sendall(request[cut:])
                if self.draw.random() < 0.3:
                    client.shutdown(socket.SHUT_WR)
                elif self.draw.random() < 0.1:
                    return b""  # gone without a word
                readable, _, _ = select.select([client], [], [], 0.01)
                return client.recv(65536) if readable else b""
            except (ConnectionError, BrokenPipeError):
                return b""

    def test_what_is_no_request_does_no_harm(self):
        for request in (*WHOLE, *NOT_HTTP):
            self.say(request)
        memory, descriptors = self.memory_kib(), self.descriptors()
        answered, slowest = 0, 0.0
        for number in range(OPTIONS.requests):
            said = self.say(damaged(self.draw))
            if said:
                answered += 1
                self.assertRegex(said, rb"^HTTP/1\.[01] [1-5]\d\d ", f"request {number} of seed {OPTIONS.seed}")
                self.assertNotIn(b"Set-Cookie: a", said)
            if number % 100 == 0:
                began = time.monotonic()
                self.assertEqual(self.process.api("GET", "/health/live")[0], 200)
                slowest = max(slowest, time.monotonic() - began)
        self.assertGreater(answered, OPTIONS.requests // 4, "most were never looked at")
        self.assertLess(slowest, 5, "others had to wait")
        self.assertTrue(self.process.running())
        self.assertEqual(self.process.events("actor_failed"), [])
        self.process.wait_for(lambda: self.descriptors() <= descriptors + 20, 15, "the connections are closed")
        self.assertLess(self.memory_kib(), memory + 32 * 1024, "memory grew")

    def test_clients_that_hold_on_hold_nobody_up(self):
        idle = [self.enterContext(self.connect()) for _ in range(400)]
        for client in idle[::2]:
            client.sendall(b"GET /health HTTP/1.1\r\nHo")  # and nothing more
        slow = [self.enterContext(self.connect()) for _ in range(50)]
        for client in slow:
            client.sendall(WHOLE[0] * 200)  # asks on and on and reads nothing
        began = time.monotonic()
        for _ in range(20):
            self.assertEqual(self.process.api("GET", "/health/live")[0], 200)
        self.assertLess(time.monotonic() - began, 20)
        self.assertLess(self.memory_kib(), 256 * 1024)
        self.assertEqual(self.process.events("actor_failed"), [])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=OPTIONS.seed)
    parser.add_argument("--requests", type=int, default=OPTIONS.requests)
    OPTIONS, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
