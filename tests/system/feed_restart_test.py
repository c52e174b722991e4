"""Feeds and exchanges fail: one feed at a time is restarted, the others go on, and all come back."""

import os
import re
import subprocess
import tempfile
import time
import unittest

from support import STREAM, Breakwater, PrivateRedis, Simulator, id_key, wait_until

SPOKEN = ("binance", "bybit", "okx", "kraken")


def changes_of(entries, exchange):
    """Pairs of (time of the entry in ms, price) whenever the exchange's price of a symbol and minute changed."""
    known, changes = {}, []
    for entry, fields in entries:
        minute = fields["symbol"], fields["timestamp"]
        price = fields.get(exchange + "_price")
        if price not in (None, "null", known.get(minute)):
            known[minute] = price
            changes.append((id_key(entry)[0], price))
    return changes


def longest_gap_ms(times):
    return max((b - a for a, b in zip(times, times[1:])), default=0)


class FeedRestart(unittest.TestCase):
    def setUp(self):
        self.redis = self.enterContext(PrivateRedis())

    def stream_grows(self, by, timeout=15):
        length = self.redis.cli("XLEN", STREAM)
        wait_until(lambda: self.redis.cli("XLEN", STREAM) >= length + by, timeout, f"{by} more records")

    def test_an_actor_that_hangs_ends_the_process_and_is_named_last(self):
        extra = ('[chaos]\nenabled = true\n[health]\ninterval = "500ms"\nanswer_within = "200ms"\n'
                 '[supervisor]\ngrace = "500ms"\n')
        with Breakwater(self.redis.unix_url, {}, extra) as breakwater:
            breakwater.wait_for_log("event=api_listening")
            self.assertEqual(breakwater.api("POST", "/api/actors/aggregator/hang")[0], 202)
            self.assertEqual(breakwater.process.wait(10), 1)
            unresponsive = breakwater.log().index("event=actor_unresponsive actor=aggregator")
            self.assertIn("event=actor_hangs actor=aggregator", breakwater.log().splitlines()[-1])
            self.assertLess(unresponsive, breakwater.log().index("event=actor_hangs"))

    def test_a_feed_killed_by_an_exception_is_restarted_and_the_others_go_on(self):
        exchanges = self.enterContext(Simulator("--interval", "100ms"))
        with Breakwater(self.redis.unix_url, exchanges.urls, "[chaos]\nenabled = true\n") as breakwater:
            self.stream_grows(50)
            killed_at = 1000 * time.time()
            self.assertEqual(breakwater.api("POST", "/api/actors/feed/binance/kill")[0], 202)
            died = breakwater.wait_for_log(r"^(\S+) ERROR \[supervisor\] .* event=actor_failed actor=feed/binance "
                                           r'errc=crashed reason="killed by \[chaos\]"')
            back = breakwater.wait_for_log(r"^(\S+) INFO .* event=actor_started_again actor=feed/binance", 2, died.end())
            breakwater.wait_for_log("event=feed_subscribed exchange=binance", 5, back.end())
            time.sleep(4)
            self.assertEqual(breakwater.terminate(), 0)
            log, audit = breakwater.log(), breakwater.audit()

        self.assertEqual(len(re.findall("event=actor_failed", log)), 1)
        self.assertEqual(len(re.findall("event=feed_connected", log)), 6, "five feeds, one of them twice")
        self.assertNotIn("event=feed_disconnected", log, "the others kept their connections")
        failed = [line for line in audit if line["what"] == "actor_failed"]
        self.assertEqual([(line["actor"], line["details"]["reason"]) for line in failed],
                         [("feed/binance", "killed by [chaos]")])

        entries = self.redis.entries(STREAM)
        for exchange in SPOKEN:
            with self.subTest(exchange=exchange):
                times = [at for at, _ in changes_of(entries, exchange)]
                self.assertGreaterEqual(sum(at > killed_at + 1000 for at in times), 3, "prices after the restart")
                # Invented prices change twice a second or so, and the feed that died was back in a moment.
                self.assertLess(longest_gap_ms(times), 3000)

    def test_an_exchange_that_is_gone_is_connected_to_again(self):
        exchanges = self.enterContext(Simulator("--interval", "100ms"))
        with Breakwater(self.redis.unix_url, exchanges.urls) as breakwater:
            self.stream_grows(50)
            mark = len(breakwater.log())
            exchanges.kill()
            for exchange in SPOKEN:
                breakwater.wait_for_log(f"event=feed_disconnected exchange={exchange}", 5, mark)
            time.sleep(1)
            mark = len(breakwater.log())
            exchanges.start()
            for exchange in SPOKEN:
                breakwater.wait_for_log(f"event=feed_subscribed exchange={exchange}", 30, mark)
            last = self.redis.cli("XREVRANGE", STREAM, "+", "-", "COUNT", 1)[0][0]
            self.stream_grows(50)
            behind = [(entry, fields) for entry, fields in self.redis.entries(STREAM) if id_key(entry) > id_key(last)]
            for exchange in SPOKEN:
                self.assertTrue(changes_of(behind, exchange), exchange)
            self.assertNotIn("event=actor_failed", breakwater.log())
            self.assertEqual(breakwater.terminate(), 0)


class Encrypted(unittest.TestCase):
    """wss:// with a certificate of our own making."""

    @classmethod
    def setUpClass(cls):
        folder = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="breakwater-certificate-"))
        cls.certificate, cls.key = os.path.join(folder, "certificate.pem"), os.path.join(folder, "key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=exchange.test",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", cls.key, "-out", cls.certificate],
                       check=True, capture_output=True)

    def setUp(self):
        self.redis = self.enterContext(PrivateRedis())
        self.exchanges = self.enterContext(Simulator("--interval", "100ms", "--certificate", self.certificate,
                                                     "--private-key", self.key))
        self.assertTrue(all(url.startswith("wss://") for url in self.exchanges.urls.values()), self.exchanges.urls)

    def test_a_certificate_that_is_trusted_is_accepted(self):
        with Breakwater(self.redis.unix_url, self.exchanges.urls,
                        environment={"SSL_CERT_FILE": self.certificate}) as breakwater:
            for exchange in SPOKEN:
                breakwater.wait_for_log(f"event=feed_subscribed exchange={exchange}")
            wait_until(lambda: self.redis.cli("XLEN", STREAM) > 20, 15, "records in the stream")
            self.assertEqual(breakwater.terminate(), 0)

    def test_a_certificate_that_is_not_trusted_is_refused(self):
        with Breakwater(self.redis.unix_url, self.exchanges.urls) as breakwater:
            for exchange in SPOKEN:
                breakwater.wait_for_log(f"event=feed_disconnected exchange={exchange}.*certificate verify failed")
            self.assertNotIn("event=feed_connected", breakwater.log())
            self.assertEqual(self.redis.cli("XLEN", STREAM), 0)
            self.assertEqual(breakwater.terminate(), 0)

    def test_a_certificate_for_another_name_is_refused(self):
        urls = {name: url.replace("127.0.0.1", "localhost") for name, url in self.exchanges.urls.items()}
        with Breakwater(self.redis.unix_url, urls, environment={"SSL_CERT_FILE": self.certificate}) as breakwater:
            breakwater.wait_for_log("event=feed_disconnected exchange=binance.*certificate verify failed")
            self.assertNotIn("event=feed_connected", breakwater.log())


if __name__ == "__main__":
    unittest.main()
