"""The proxy that the fault tests trust, before a real redis-server: what the client gets, and what the server did."""

import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from fault_proxy import ANY, EXECABORT, FIN, RESET, TURNED_AWAY, FaultProxy, end_of_reply, first_command  # noqa: E402
from support import PrivateRedis, RedisError, RespClient, wait_until  # noqa: E402

LOADING = "LOADING Redis is loading the dataset in memory"
TRANSACTION = (("MULTI",), ("INCR", "n"), ("INCR", "n"), ("EXEC",), ("GET", "n"))


def texts(replies):
    return [str(reply) if isinstance(reply, RedisError) else reply for reply in replies]


class Protocol(unittest.TestCase):
    def test_a_reply_ends_where_it_ends_and_not_before(self):
        for wire in (b"+OK\r\n", b"-ERR x\r\n", b":-7\r\n", b"$-1\r\n", b"$0\r\n\r\n", b"$4\r\na\r\nb\r\n", b"*-1\r\n",
                     b"*0\r\n", b"*3\r\n*2\r\n:1\r\n$1\r\nx\r\n$-1\r\n+y\r\n"):
            with self.subTest(wire=wire):
                self.assertEqual(end_of_reply(wire + b"+more"), len(wire))
                for size in range(len(wire)):
                    self.assertIsNone(end_of_reply(wire[:size]))

    def test_a_command_is_read_with_its_words(self):
        self.assertEqual(first_command(b"*2\r\n$3\r\nGET\r\n$3\r\na\r\n\r\n*1\r\n"), ([b"GET", b"a\r\n"], 22))
        self.assertIsNone(first_command(b"*2\r\n$3\r\nGET\r\n$3\r\na"))


class Proxy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.redis = cls.enterClassContext(PrivateRedis())

    def setUp(self):
        self.redis.cli("FLUSHALL")
        self.proxy = self.enterContext(FaultProxy(self.redis.socket_path))

    def client(self, timeout=5):
        return self.enterContext(RespClient(("127.0.0.1", self.proxy.port), timeout))

    def assert_ends(self, client, error=ConnectionError):
        with self.assertRaises(error):
            client.command("PING")

    def test_passes_everything_in_order_and_counts_it(self):
        client = self.client()
        replies = client.pipeline(*[("RPUSH", "list", "x" * size) for size in range(300)], ("LRANGE", "list", 0, -1))
        self.assertEqual(replies[:-1], list(range(1, 301)))
        self.assertEqual(replies[-1], ["x" * size for size in range(300)])
        self.assertEqual((self.proxy.connections, self.proxy.commands["RPUSH"], self.proxy.replies), (1, 300, 301))

    def test_a_closed_port_refuses_and_is_the_same_one_when_it_opens(self):
        client = self.client()
        self.proxy.refuse()
        self.assert_ends(client)
        for _ in range(3):
            with self.assertRaises(ConnectionRefusedError):
                RespClient(("127.0.0.1", self.proxy.port))
        self.proxy.heal()
        self.assertEqual(self.client().command("PING"), "PONG")

    def test_reset_and_fin_are_told_apart(self):
        for how in (RESET, FIN):
            with self.subTest(how=how):
                self.proxy.heal()
                client = self.client()
                self.assertEqual(client.command("PING"), "PONG")
                self.proxy.cut(how)
                if how == RESET:
                    self.assertRaises(ConnectionResetError, client._socket.recv, 1)
                else:
                    self.assertEqual(client._socket.recv(1), b"")
                self.proxy.accept_and(how)
                with self.assertRaises(ConnectionError):  # a reset may come before connect() returns
                    self.client().command("PING")

    def test_turned_away(self):
        self.proxy.accept_and(TURNED_AWAY)
        client = self.client()
        self.assertEqual(client._input.read(), TURNED_AWAY)

    def test_a_black_hole_holds_everything_and_delivers_it_late(self):
        standing = self.client(timeout=0.3)
        self.assertEqual(standing.command("INCR", "n"), 1)
        self.proxy.blackhole()
        self.assert_ends(standing, TimeoutError)
        self.assert_ends(self.client(timeout=0.3), TimeoutError)
        lost = self.client(timeout=0.3)
        with self.assertRaises(TimeoutError):
            lost.command("SET", "late", "yes")
        lost.__exit__()
        self.assertIsNone(self.redis.cli("GET", "late"))
        self.proxy.heal()
        deadline = time.monotonic() + 5
        while self.redis.cli("GET", "late") is None and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertEqual(self.redis.cli("GET", "late"), "yes")
        standing._socket.settimeout(5)
        self.assertEqual(standing._socket.recv(7), b"+PONG\r\n")

    def test_delay(self):
        client = self.client()
        self.proxy.delay(to_server_ms=100, to_client_ms=50)
        began = time.monotonic()
        for _ in range(10):
            client.send(("PING",))
            time.sleep(0.02)
        self.assertEqual([client.receive() for _ in range(10)], ["PONG"] * 10)
        took = time.monotonic() - began
        self.assertGreaterEqual(took, 0.149)
        self.assertLess(took, 0.8, "a delay, not a limit on what gets through")

    def test_trickle(self):
        self.redis.cli("SET", "k", "x" * 100)
        client = self.client()
        self.proxy.trickle(10, 10)
        began = time.monotonic()
        self.assertEqual(client.command("GET", "k"), "x" * 100)
        self.assertGreaterEqual(time.monotonic() - began, 0.1)

    def test_cut_in_the_middle_of_a_reply(self):
        for how in (RESET, FIN):
            with self.subTest(how=how):
                client = self.client()
                self.proxy.cut_in_reply(2, 3, how)
                client._socket.sendall(b"*1\r\n$4\r\nPING\r\n" * 3)
                got = b""
                try:
                    while piece := client._socket.recv(100):
                        got += piece
                    self.assertEqual(how, FIN)
                except ConnectionResetError:
                    self.assertEqual(how, RESET)
                self.assertIn(got, (b"+PONG\r\n+PO",) if how == FIN else (b"+PONG\r\n+PO", b"+PONG\r\n", b""))
        self.assertEqual(self.proxy.cuts, 2)

    def test_cut_after_it_was_applied_and_before_the_reply(self):
        self.proxy.cut_instead_of_reply("EXEC", times=2)
        for applied in (2, 4):
            client = self.client()
            with self.assertRaises(ConnectionError):
                client.pipeline(*TRANSACTION)
            self.assertEqual(self.redis.cli("GET", "n"), str(applied))
        self.assertEqual(self.client().pipeline(*TRANSACTION)[-1], "6")

    def test_cut_in_the_middle_of_what_was_sent(self):
        applied = lambda: self.redis.cli("GET", "n")
        self.proxy.cut_at_command("INCR", 3)
        with self.assertRaises(ConnectionError):
            self.client().pipeline(*[("INCR", "n")] * 4)
        wait_until(lambda: applied() == "2", 5, "the server has what was before it")
        self.proxy.cut_at_command("INCR", 2)
        with self.assertRaises(ConnectionError):
            self.client().pipeline(*TRANSACTION)
        self.assertEqual(applied(), "2")
        self.assertEqual(self.client().pipeline(*TRANSACTION)[-1], "4")
        self.assertEqual(self.proxy.cuts, 2)

    def test_answers_in_place_and_in_order(self):
        self.proxy.answer("TRYAGAIN later", "INCR", times=2)
        replies = texts(self.client().pipeline(*[("INCR", "n"), ("PING",)] * 3))
        self.assertEqual(replies, ["TRYAGAIN later", "PONG", "TRYAGAIN later", "PONG", 1, "PONG"])
        self.proxy.answer(LOADING, *ANY)
        self.assertEqual(texts(self.client().pipeline(("PING",), ("CLIENT", "SETNAME", "x"), ("SELECT", 0))),
                         [LOADING, "OK", "OK"])

    def test_a_refused_exec_leaves_nothing_behind(self):
        self.proxy.answer("EXECABORT Transaction discarded because of: OOM", "EXEC", times=1)
        client = self.client()
        replies = texts(client.pipeline(*TRANSACTION))
        self.assertEqual(replies[-2:], ["EXECABORT Transaction discarded because of: OOM", None])
        self.assertEqual(client.pipeline(*TRANSACTION)[-2:], [[1, 2], "2"])

    def test_a_refused_command_aborts_its_transaction_as_redis_does(self):
        self.proxy.answer("OOM command not allowed", "INCR", times=1)
        client = self.client()
        replies = texts(client.pipeline(*TRANSACTION))
        self.assertEqual(replies, ["OK", "OOM command not allowed", "QUEUED", EXECABORT, None])
        self.assertEqual(client.pipeline(*TRANSACTION)[-2:], [[1, 2], "2"])

    def test_a_refused_exec_without_multi(self):
        self.proxy.answer(LOADING, "EXEC", "MULTI")
        self.assertEqual(texts(self.client().pipeline(("MULTI",), ("EXEC",), ("PING",))), [LOADING, LOADING, "PONG"])

    def test_garbage_and_an_error_that_ends_the_connection(self):
        client = self.client()
        self.proxy.garbage(b"\x00\xff?\r\n")
        client._socket.sendall(b"*1\r\n$4\r\nPING\r\n")
        self.assertEqual(client._socket.recv(100), b"\x00\xff?\r\n")
        self.proxy.answer("ERR Protocol error: invalid bulk length", "PING", then=FIN)
        client = self.client()
        client._socket.sendall(b"*1\r\n$4\r\nPING\r\n" * 2)
        self.assertEqual(client._input.read(), b"-ERR Protocol error: invalid bulk length\r\n")


if __name__ == "__main__":
    unittest.main()
