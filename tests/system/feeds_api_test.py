"""/api/feeds of the whole process: what its feeds, connections and prices are like."""

import time
import unittest

from support import STREAM, Breakwater, PrivateRedis, Simulator, wait_until

SYMBOL_FIELDS = ("theirs", "state", "reason", "connection", "last_data", "newest_minute")


class FeedsApi(unittest.TestCase):
    def setUp(self):
        self.redis = self.enterContext(PrivateRedis())

    def test_connections_symbols_and_prices_are_told_as_they_are(self):
        exchanges = self.enterContext(Simulator("--interval", "100ms"))
        with Breakwater(self.redis.unix_url, exchanges.urls) as breakwater:
            breakwater.wait_for_log("event=api_listening")

            def feeds(query=""):
                told = breakwater.api("GET", "/api/feeds" + query)[1]
                told["feeds"] = {name: feed for name, feed in told["feeds"].items() if name in exchanges.urls}
                return told

            def has_candles(feed):
                symbol = feed["symbols"]["BTCUSDT"]
                return symbol["state"] == "subscribed" and symbol["newest_minute"] is not None

            wait_until(lambda: all(map(has_candles, feeds()["feeds"].values())), 20, "candles of every exchange")
            wait_until(lambda: self.redis.cli("XLEN", STREAM) > 100, 15, "records")
            told = feeds()
            self.assertEqual(told["status"], "ok")
            self.assertGreater(told["merged"]["records"], 100)
            self.assertIsNotNone(told["merged"]["lead_lag"])
            self.assertEqual(set(told["feeds"]), set(exchanges.urls))
            for name, feed in told["feeds"].items():
                with self.subTest(exchange=name):
                    self.assertTrue(feed["connected"])
                    self.assertTrue(feed["url"].startswith("ws://127.0.0.1:"), feed["url"])
                    numbers = [one["number"] for one in feed["connections"] if one["state"] == "open"]
                    self.assertTrue(numbers)
                    row = feed["symbols"]["BTCUSDT"]
                    self.assertEqual(tuple(row), SYMBOL_FIELDS)
                    self.assertIn(row["connection"], numbers)
                    for at in (row["last_data"], row["newest_minute"]):
                        self.assertRegex(at, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
                    self.assertTrue(feed["counts"])
                    self.assertGreater(feed["quality"]["contributed"], 0)

            one = feeds("?exchange=okx&symbol=BTCUSDT")
            self.assertEqual(list(one["feeds"]), ["okx"])
            self.assertEqual(list(one["feeds"]["okx"]["symbols"]), ["BTCUSDT"])
            status, answer = breakwater.api("GET", "/api/feeds?exchange=nobody")
            self.assertEqual(status, 404)
            self.assertIn("okx", answer["hint"])
            self.assertEqual(breakwater.api("POST", "/api/feeds")[0], 405)

            exchanges.kill()
            wait_until(lambda: not any(feed["connected"] for feed in feeds()["feeds"].values()), 15, "lost connections")

    def test_without_feeds_the_records_are_told(self):
        extra = '[aggregator]\nsource = "raw_stream"\n'
        with Breakwater(self.redis.unix_url, {}, extra) as breakwater:
            minute = int(time.time()) // 60 * 60
            for exchange, price in (("binance", "100"), ("bybit", "120")):
                self.redis.cli("XADD", "quantum:stream:exchange.raw", "*", "exchange", exchange, "symbol", "BTCUSDT",
                               "timestamp", str(minute), "open", price, "high", price, "low", price, "close", price,
                               "volume", "1")
            breakwater.wait_for_log("event=api_listening")
            wait_until(lambda: self.redis.cli("XLEN", STREAM) == 1, 15, "the record")
            status, told = breakwater.api("GET", "/api/feeds")
            self.assertEqual((status, told["status"], told["feeds"]), (200, "ok", {}))
            self.assertEqual((told["merged"]["records"], told["merged"]["suspect"]), (1, 1))
            self.assertEqual(breakwater.api("GET", "/api/feeds?exchange=okx")[1]["hint"], "no exchange is followed")


if __name__ == "__main__":
    unittest.main(verbosity=2)
