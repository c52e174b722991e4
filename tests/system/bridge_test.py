"""Trade intents over a bridge: what becomes of each, who holds them back, and that each is finished once."""

import json
import time
import unittest
from datetime import datetime, timedelta, timezone

from support import Breakwater, PrivateRedis, wait_until

INTENTS = "quantum:stream:trade.intent"
RAW = "quantum:stream:exchange.raw"
DEAD, BLOCKED, COPY, LATEST = f"{INTENTS}.dead", f"{INTENTS}.blocked", "copy", "live_signals"
CONFIG = """
[aggregator]
source = "raw_stream"
[[bridge]]
to = "copy"
"""
REDIS = 'command_timeout = "500ms"\nbackoff_initial = "50ms"\nbackoff_max = "300ms"\n'
PRICE = 100000
GONE = object()  # a member that is left out


def intent(**changes):
    """A valid one, with `changes`."""
    made = {"symbol": "BTCUSDT", "action": "BUY", "confidence": 0.8, "timestamp": time.time(), "source": "model"}
    made.update(changes)
    return {name: value for name, value in made.items() if value is not GONE}


def ago(seconds, form=None):
    at = time.time() - seconds
    if form == "ms":
        return int(at * 1000)
    moment = datetime.fromtimestamp(at, timezone.utc)
    return at if form is None else moment.strftime(form)


# (what it is, the entry's fields or the payload, what becomes of it, what the dead letter says or the signal holds)
GOOD, BAD = "delivered", "dead"
TABLE = [
    ("a plain one", intent, GOOD, {"action": "BUY"}),
    ("all members", lambda: intent(
        position_size_usd=250, leverage=10, ai_size_usd=200.5, ai_leverage=5, ai_harvest_policy={"mode": "swing"},
        harvest_policy={"mode": "trend_runner", "trail_pct": 1.5, "max_time_sec": 3600, "partial_close_pct": 50},
        risk_budget_usd=20, entry_price=PRICE, stop_loss=PRICE * 0.97, take_profit=PRICE * 1.1, stop_loss_pct=3,
        take_profit_pct=10, quantity=0.0025, reduce_only=False, reason="breakout", model="m1",
        meta_strategy="trend", regime="bull"), GOOD, {"harvest_policy.mode": "trend_runner"}),
    ("unknown members are kept", lambda: intent(colour="blue", deep={"a": [1, 2.5]}), GOOD, {"deep": {"a": [1, 2.5]}}),
    ("null means absent", lambda: intent(stop_loss=None, leverage=None, reason=None), GOOD, {}),
    ("1000PEPEUSDT is a symbol", lambda: intent(symbol="1000PEPEUSDT"), GOOD, {"symbol": "1000PEPEUSDT"}),
    ("a USDC pair", lambda: intent(symbol="ETHUSDC"), GOOD, {}),
    ("a BTC pair", lambda: intent(symbol="ETHBTC"), GOOD, {}),
    ("side instead of action", lambda: intent(action=GONE, side="SELL"), GOOD, {"action": "SELL"}),
    ("confidence 0", lambda: intent(confidence=0), GOOD, {}),
    ("confidence 1", lambda: intent(confidence=1), GOOD, {}),
    ("leverage 125", lambda: intent(leverage=125), GOOD, {}),
    ("epoch milliseconds", lambda: intent(timestamp=ago(5, "ms")), GOOD, {}),
    ("epoch seconds as text", lambda: intent(timestamp=str(ago(5))), GOOD, {}),
    ("ISO 8601 with Z", lambda: intent(timestamp=ago(5, "%Y-%m-%dT%H:%M:%S.%fZ")), GOOD, {}),
    ("ISO 8601, naive: UTC", lambda: intent(timestamp=ago(5, "%Y-%m-%dT%H:%M:%S")), GOOD, {}),
    ("ISO 8601 with an offset", lambda: intent(timestamp=(
        datetime.now(timezone(timedelta(hours=5, minutes=30))) - timedelta(seconds=5)).isoformat()), GOOD, {}),
    ("58 s old", lambda: intent(timestamp=ago(58)), GOOD, {}),
    ("4 s ahead", lambda: intent(timestamp=ago(-4)), GOOD, {}),
    ("SELL, stop above, target below", lambda: intent(action="SELL", stop_loss=PRICE * 1.02, take_profit=PRICE * 0.9),
     GOOD, {}),
    ("no live price: unchecked", lambda: intent(symbol="NOPEUSDT", stop_loss=5, take_profit=1), GOOD, {}),
    ("an old CLOSE", lambda: intent(action="CLOSE", timestamp=ago(86400)), GOOD, {"late": True}),
    ("an old one with reduce_only", lambda: intent(reduce_only=True, timestamp=ago(3600)), GOOD, {"late": True}),
    ("an old one with reduceOnly", lambda: intent(action="SELL", reduceOnly=True, timestamp=ago(3600)), GOOD,
     {"late": True}),
    ("a CLOSE that names prices", lambda: intent(action="CLOSE", stop_loss=96106059, take_profit=1), GOOD, {}),
    ("in the field data", lambda: {"data": json.dumps(intent(reason="data"))}, GOOD, {"reason": "data"}),
    ("in flat fields", lambda: {"symbol": "BTCUSDT", "action": "SELL", "confidence": "0.7", "timestamp": str(ago(1)),
                                "reduce_only": "false", "harvest_policy": '{"mode":"scalper"}', "source": "flat"}, GOOD,
     {"confidence": 0.7, "harvest_policy.mode": "scalper", "reduce_only": False}),
    ("text that is no ASCII in a free member", lambda: intent(reason="Größe 漢字"), GOOD, {"reason": "Größe 漢字"}),

    ("no symbol", lambda: intent(symbol=GONE), BAD, "symbol"),
    ("a symbol in small letters", lambda: intent(symbol="btcusdt"), BAD, "symbol"),
    ("a symbol with a dash", lambda: intent(symbol="BTC-USDT"), BAD, "symbol"),
    ("a symbol that is no ASCII", lambda: intent(symbol="ÄÖÜUSDT"), BAD, "symbol"),
    ("a symbol of another quote", lambda: intent(symbol="BTCUSD"), BAD, "symbol"),
    ("no action", lambda: intent(action=GONE), BAD, "action"),
    ("UNKNOWN action", lambda: intent(action="UNKNOWN"), BAD, "action"),
    ("an action in small letters", lambda: intent(action="buy"), BAD, "action"),
    ("no confidence", lambda: intent(confidence=GONE), BAD, "confidence"),
    ("confidence 1.05", lambda: intent(confidence=1.05), BAD, "confidence"),
    ("confidence below 0", lambda: intent(confidence=-0.1), BAD, "confidence"),
    ("confidence as text", lambda: intent(confidence="0.8"), BAD, "confidence"),
    ("confidence null", lambda: intent(confidence=None), BAD, "confidence"),
    ("no timestamp", lambda: intent(timestamp=GONE), BAD, "timestamp"),
    ("a timestamp of words", lambda: intent(timestamp="just now"), BAD, "timestamp: neither"),
    ("62 s old", lambda: intent(timestamp=ago(62)), BAD, "too old"),
    ("an old one as ISO text", lambda: intent(timestamp=ago(3600, "%Y-%m-%dT%H:%M:%S")), BAD, "too old"),
    ("8 s ahead", lambda: intent(timestamp=ago(-8)), BAD, "ahead of our clock"),
    ("a CLOSE 8 s ahead", lambda: intent(action="CLOSE", timestamp=ago(-8)), BAD, "ahead of our clock"),
    ("epoch microseconds", lambda: intent(timestamp=int(time.time() * 1e6)), BAD, "timestamp"),
    ("position size 0", lambda: intent(position_size_usd=0), BAD, "position_size_usd"),
    ("leverage 126", lambda: intent(leverage=126), BAD, "leverage"),
    ("leverage 0", lambda: intent(leverage=0), BAD, "leverage"),
    ("a harvest mode nobody knows", lambda: intent(harvest_policy={"mode": "yolo"}), BAD, "harvest_policy"),
    ("reduce_only as text", lambda: intent(reduce_only="true"), BAD, "reduce_only"),
    ("SELL with a stop far off", lambda: intent(action="SELL", stop_loss=96106059), BAD, "stop_loss.* % away"),
    ("a negative target", lambda: intent(action="SELL", take_profit=-5), BAD, "take_profit"),
    ("BUY with the stop above", lambda: intent(stop_loss=PRICE * 1.01), BAD, "stop_loss.*must lie below"),
    ("BUY with the target below", lambda: intent(take_profit=PRICE * 0.99), BAD, "take_profit.*must lie above"),
    ("SELL with the stop below", lambda: intent(action="SELL", stop_loss=PRICE * 0.99), BAD,
     "stop_loss.*must lie above"),
    ("a target 60 % away", lambda: intent(take_profit=PRICE * 1.6), BAD, "take_profit.* % away"),
    ("no JSON", lambda: {"payload": "symbol=BTCUSDT"}, BAD, "payload is no JSON"),
    ("JSON cut off", lambda: {"payload": json.dumps(intent())[:-5]}, BAD, "payload is no JSON"),
    ("NaN", lambda: {"payload": json.dumps(intent(confidence=float("nan")))}, BAD, "payload is no JSON"),
    ("a list", lambda: {"payload": json.dumps([intent()])}, BAD, "no object"),
    ("JSON in JSON", lambda: {"payload": json.dumps(json.dumps(intent()))}, BAD, "no object"),
    ("an empty payload", lambda: {"payload": ""}, BAD, "payload is no JSON"),
    ("the key with its b'' around", lambda: {"b'payload'": json.dumps(intent())}, BAD, "symbol|action|confidence"),
    ("None as text in a flat field", lambda: {
        "symbol": "BTCUSDT", "action": "SELL", "confidence": "0.7", "timestamp": str(ago(1)), "stop_loss": "None"},
     BAD, "stop_loss"),
]


class Bridge(unittest.TestCase):
    config = CONFIG

    def setUp(self):
        self.redis = self.enterContext(PrivateRedis(persistent=True))
        self.process = self.enterContext(Breakwater(self.redis.url, extra=self.config, redis=REDIS))
        self.reading()

    def reading(self, process=None, after=0):
        (process or self.process).wait_for_log(r"\[BRIDGE\] .*event=bridge_(reading|group_created)", 10, after)

    def price(self, symbol="BTCUSDT", price=PRICE):
        minute = int(time.time()) // 60 * 60
        for exchange in ("binance", "bybit"):
            self.redis.cli("XADD", RAW, "*", "exchange", exchange, "symbol", symbol, "timestamp", minute, "open", price,
                           "high", price, "low", price, "close", price, "volume", 1)
        wait_until(lambda: self.redis.cli("XLEN", "quantum:stream:exchange.normalized") > 0, 10, "a merged price")

    def send(self, made):
        """An intent, or the fields of an entry; returns its id."""
        is_entry = "payload" in made or "data" in made or "symbol" not in made or isinstance(made["confidence"], str)
        fields = made if is_entry and "event_type" not in made else {
            "event_type": "trade.intent", "payload": json.dumps(made, ensure_ascii=False), "source": "test"}
        return self.redis.cli("XADD", INTENTS, "*", *[word for pair in fields.items() for word in pair])

    def bridge(self):
        """Its figures as they are now, not as of the last tick."""
        return {"delivered": self.redis.cli("XLEN", COPY), "dead": self.redis.cli("XLEN", DEAD),
                "held_back": self.redis.cli("XLEN", BLOCKED)}

    def finished(self, *ids, timeout=15):
        """Waits until none is pending and all were read."""
        def pending():
            groups = self.redis.cli("XINFO", "GROUPS", INTENTS)
            told = dict(zip(groups[0][::2], groups[0][1::2]))
            newest = self.redis.cli("XREVRANGE", INTENTS, "+", "-", "COUNT", 1)[0][0]
            return told["pending"] == 0 and told["last-delivered-id"] == newest
        wait_until(pending, timeout, "every intent is finished")

    def signals(self):
        return json.loads(self.redis.cli("GET", LATEST) or "[]")

    def by_source(self, stream):
        return {fields["source_id"]: fields for _, fields in self.redis.entries(stream)}

    def breaker(self):
        return self.process.api("GET", "/api/circuit-breaker/status?breaker=orders")[1]["circuit_breaker"]

    def order(self, path, **body):
        status, answer = self.process.api("POST", f"/api/circuit-breaker/{path}?breaker=orders", body)
        self.assertEqual(status, 200, answer)
        return answer


class EveryIntent(Bridge):
    def test_the_table(self):
        self.assertGreaterEqual(len(TABLE), 40)
        self.price()
        ids = {}
        for what, make, _, _ in TABLE:
            made = make()
            if isinstance(made, dict) and "payload" not in made and "data" not in made and made.get("source") == "model":
                made["source"] = what  # none is another's duplicate
                made = {"payload": json.dumps(made, ensure_ascii=False)}
            ids[what] = self.redis.cli("XADD", INTENTS, "*", *[word for pair in made.items() for word in pair])
        self.finished()
        copies, dead = self.by_source(COPY), self.by_source(DEAD)
        signals = {signal["source_id"]: signal for signal in self.signals()}
        for what, _, becomes, told in TABLE:
            with self.subTest(what):
                key = ids[what]
                self.assertEqual((key in copies, key in dead), (becomes == GOOD, becomes == BAD), dead.get(key))
                if becomes == BAD:
                    self.assertRegex(dead[key]["error"], told)
                    continue
                for path, value in told.items():
                    held = signals[key]
                    for step in path.split("."):
                        held = held[step]
                    self.assertEqual(held, value)
                if "late" not in told:
                    self.assertNotIn("late", signals[key])
        self.assertEqual([signal["source_id"] for signal in self.signals()],
                         [ids[what] for what, _, becomes, _ in TABLE if becomes == GOOD], "oldest first")

    def test_duplicates_and_redeliveries(self):
        twice = intent()
        first, second = self.send(twice), self.send(twice)
        self.send({**twice, "action": "SELL"})
        self.finished()
        self.assertEqual(self.by_source(DEAD)[second]["error"], f"duplicate of {first}")
        self.assertEqual(self.redis.cli("XLEN", COPY), 2)

    def test_the_newest_fifty_oldest_first(self):
        made = [intent(source=f"s{i}", quantity=i + 1) for i in range(60)]
        for one in made:
            self.send(one)
        self.finished()
        self.assertEqual([signal["quantity"] for signal in self.signals()], list(range(11, 61)))

    def test_what_stood_in_the_key_before_is_taken_over(self):
        self.process.terminate()
        old = [{"symbol": "BTCUSDT", "action": "BUY", "quantity": 0.1}, {"symbol": "ETHUSDT", "action": "CLOSE"}]
        self.redis.cli("SET", LATEST, json.dumps(old))
        self.process.start()
        self.process.wait_for_log("event=bridge_adopted .*count=2")
        self.send(intent(source="new"))
        self.finished()
        self.assertEqual(self.signals()[:2], old)
        self.assertEqual(self.signals()[2]["source"], "new")
        self.order("open", reason="test")
        wait_until(lambda: self.signals() == old[1:], 5, "what adds risk is gone")

    def test_a_key_of_another_kind_stops_it_and_loses_nothing(self):
        self.redis.cli("DEL", LATEST)
        self.redis.cli("RPUSH", LATEST, "x")
        key = self.send(intent())
        self.process.wait_for_log("event=bridge_waits .*WRONGTYPE live_signals holds a list")
        self.assertEqual((self.redis.cli("XLEN", COPY), self.redis.cli("XLEN", DEAD)), (0, 0))
        self.redis.cli("DEL", LATEST)
        wait_until(lambda: self.redis.cli("XLEN", COPY) == 1, 10, "it is delivered after all")
        self.assertEqual([signal["source_id"] for signal in self.signals()], [key])


class Gate(Bridge):
    def test_what_adds_risk_is_held_back_and_stays_so(self):
        kept = self.send(intent(action="CLOSE", source="before"))
        self.send(intent(source="before"))
        self.finished()
        self.assertEqual(len(self.signals()), 2)
        self.order("open", reason="maintenance")
        wait_until(lambda: len(self.signals()) == 1, 5, "live_signals is rewritten")
        self.assertEqual(self.signals()[0]["source_id"], kept)
        held = [self.send(intent(source=f"held{i}")) for i in range(3)]
        passing = [self.send(intent(action="CLOSE", source="close")), self.send(intent(reduce_only=True, source="ro")),
                   self.send(intent(action="SELL", reduceOnly=True, source="ro2"))]
        bad = self.send(intent(symbol="nope"))
        self.finished()
        self.assertEqual(set(self.by_source(BLOCKED)), set(held))
        self.assertRegex(self.by_source(BLOCKED)[held[0]]["reason"], "FORCED_OPEN.*maintenance")
        self.assertEqual([signal["source_id"] for signal in self.signals()], [kept, *passing])
        self.assertEqual(set(self.by_source(DEAD)), {bad})
        seen = wait_until(lambda: self.breaker()["statistics"]["blocked_orders"] == 3 and self.breaker()["statistics"],
                          5, "the held back are counted")
        self.assertEqual(seen["allowed_orders"], 5)
        self.order("reset", override=True, reason="over")
        after = self.send(intent(source="after"))
        self.finished()
        self.assertEqual([signal["source_id"] for signal in self.signals()], [kept, *passing, after])
        self.assertEqual(self.redis.cli("XLEN", BLOCKED), 3)

    def test_failed_executions_hold_back_and_one_success_lets_through(self):
        self.process.terminate()
        self.process._extra += '[breaker.orders]\nopen_duration = "1s"\n'
        self.process.start()
        self.reading()
        results = "quantum:stream:execution.result"
        wait_until(lambda: any("name=breakwater:a:read " in line and "cmd=xread " in line
                               for line in self.redis.cli("CLIENT", "LIST").splitlines()), 10, "results are read")
        for _ in range(5):
            self.redis.cli("XADD", results, "*", "status", "rejected", "symbol", "BTCUSDT")
        wait_until(lambda: self.breaker()["state"] == "OPEN", 5, "the circuit opens")
        held = self.send(intent(source="held"))
        self.finished()
        self.assertIn(held, self.by_source(BLOCKED))
        wait_until(lambda: self.breaker()["state"] == "HALF_OPEN", 5, "the open time is over")
        probe = self.send(intent(source="probe"))
        self.finished()
        too_soon = self.send(intent(source="too soon"))
        self.finished()
        self.assertIn(probe, self.by_source(COPY))
        self.assertRegex(self.by_source(BLOCKED)[too_soon]["reason"], "HALF_OPEN")
        self.redis.cli("XADD", results, "*", "status", "filled")
        wait_until(lambda: self.breaker()["state"] == "CLOSED", 5, "the result of the probe decides")
        last = self.send(intent(source="last"))
        self.finished()
        self.assertIn(last, self.by_source(COPY))

    def test_opened_while_redis_is_away(self):
        self.send(intent(source="before"))
        self.finished()
        self.redis.kill()
        self.order("open", reason="no redis")
        self.redis.start()
        wait_until(lambda: self.signals() == [] and self.redis.cli("EXISTS", LATEST), 15, "live_signals is rewritten")


class Reading(Bridge):
    def group(self):
        told = self.redis.cli("XINFO", "GROUPS", INTENTS)[0]
        return dict(zip(told[::2], told[1::2]))

    def test_the_own_pending_entries_come_first_after_a_crash(self):
        self.process.kill()
        ids = [self.send(intent(source=f"s{i}")) for i in range(5)]
        self.redis.cli("XREADGROUP", "GROUP", "breakwater", "a", "COUNT", 3, "STREAMS", INTENTS, ">")
        self.process.start()
        self.finished()
        self.assertEqual([signal["source_id"] for signal in self.signals()], ids)
        self.assertEqual(self.group()["consumers"], 1)

    def test_what_a_dead_consumer_left_is_taken_over(self):
        self.process.terminate()
        self.process._extra = CONFIG + 'claim_after = "300ms"\n'
        key = self.send(intent(source="left"))
        self.redis.cli("XREADGROUP", "GROUP", "breakwater", "ghost-4711", "STREAMS", INTENTS, ">")
        self.process.start()
        self.process.wait_for_log("event=bridge_claimed .*count=1")
        self.finished()
        self.assertEqual([signal["source_id"] for signal in self.signals()], [key])

    def test_a_group_that_vanishes_is_made_again_where_it_was(self):
        self.send(intent(action="CLOSE", source="first"))
        self.finished()
        mark = len(self.process.log())
        self.redis.cli("XGROUP", "DESTROY", INTENTS, "breakwater")
        self.process.wait_for_log("event=bridge_group_gone", 10, mark)
        self.send(intent(source="second"))
        wait_until(lambda: self.redis.cli("XLEN", COPY) == 2, 10, "the second is delivered")
        self.assertEqual([signal["source"] for signal in self.signals()], ["first", "second"])

    def test_redis_that_forgets_everything(self):
        self.send(intent(source="first"))
        self.finished()
        self.redis.cli("FLUSHALL")
        self.send(intent(source="second"))
        wait_until(lambda: [signal["source"] for signal in self.signals()] == ["second"], 15, "it goes on")

    def test_trimmed_before_it_was_read(self):
        self.process.kill()
        for i in range(5):
            self.send(intent(source=f"s{i}"))
        self.redis.cli("XTRIM", INTENTS, "MAXLEN", "=", 2)
        mark = len(self.process.log())
        self.process.start()
        hole = self.process.wait_for_log("event=bridge_hole .*count=(\\d+)", 10, mark)
        self.assertEqual(hole[1], "3")
        self.finished()
        self.assertEqual([signal["source"] for signal in self.signals()], ["s3", "s4"])
        self.assertEqual(self.group()["lag"], 0)
        # Said once: not again by the next start.
        mark = len(self.process.log())
        self.process.kill()
        self.process.start()
        self.reading(after=mark)
        self.assertNotIn("bridge_hole", self.process.log()[mark:])

    def test_trimmed_while_pending(self):
        self.process.kill()
        for i in range(3):
            self.send(intent(source=f"s{i}"))
        self.redis.cli("XREADGROUP", "GROUP", "breakwater", "a", "COUNT", 2, "STREAMS", INTENTS, ">")
        self.redis.cli("XTRIM", INTENTS, "MAXLEN", "=", 1)
        self.process.start()
        self.process.wait_for_log("event=bridge_bodiless .*count=2")
        self.finished()
        self.assertEqual([signal["source"] for signal in self.signals()], ["s2"])

    def test_two_instances_share_and_double_nothing(self):
        second = self.enterContext(Breakwater(self.redis.url, extra=CONFIG.replace('"raw_stream"', '"raw_stream"\nstream = "other"'),
                                              redis=REDIS, process='instance = "b"'))
        self.reading(second)
        ids = [self.send(intent(source=f"s{i}")) for i in range(200)]
        self.finished()
        self.assertEqual(sorted(self.by_source(COPY)), sorted(ids))
        self.assertEqual(self.redis.cli("XLEN", COPY), 200)
        self.assertEqual(self.group()["consumers"], 2)

    def test_in_health(self):
        self.process.terminate()
        self.process._extra = CONFIG + '[health]\ninterval = "200ms"\nanswer_within = "200ms"\n'
        self.process.start()
        self.reading()
        self.send(intent())
        self.send(intent(symbol="nope"))
        self.finished()
        told = lambda: self.process.api("GET", "/health")[1]["bridges"].get("trade-intent", {})
        found = wait_until(lambda: told() if told().get("delivered") == "1" else None, 10, "health tells of it")
        self.assertEqual((found["level"], found["dead"], found["stream"]), ("ok", "1", INTENTS))


if __name__ == "__main__":
    unittest.main()
