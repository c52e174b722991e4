"""GET /metrics of a real process, judged by promtool; the example rules and the dashboard name nothing that is not told."""

import http.client
import json
import pathlib
import re
import subprocess
import time
import unittest

from support import REPOSITORY, Breakwater, PrivateRedis, Simulator, wait_until

CONFIG = REPOSITORY / "config"
PROMETHEUS = CONFIG / "prometheus"
BRIDGE = '[[bridge]]\nname = "trade-intent"\nfrom = "quantum:stream:trade.intent"\n'
OFTEN = '[health]\ninterval = "500ms"\nanswer_within = "400ms"\n'
NAME = re.compile(r"\b(?:breakwater|process)_[a-z0-9_]+\b")
AFTER_NAME = re.compile(r"_(?:bucket|sum|count)$")


def promtool(*words, text=None):
    """Runs promtool; returns (exit code, all it said)."""
    done = subprocess.run(["promtool", *map(str, words)], input=text, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def listed():
    """The metrics of the list in config/prometheus/README.md, by name: its type."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", (PROMETHEUS / "README.md").read_text(), re.MULTILINE)
    return dict(rows)


class Scrape:
    """One answer of /metrics."""

    def __init__(self, port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/metrics")
            answer = connection.getresponse()
            self.status, self.type, self.text = answer.status, answer.getheader("Content-Type"), answer.read().decode()
        finally:
            connection.close()
        self.families = re.findall(r"^# TYPE (\w+) (\w+)$", self.text, re.MULTILINE)
        self.samples = {}
        for line in self.text.splitlines():
            if not line.startswith("#"):
                sample, value = line.rsplit(" ", 1)
                self.samples[sample] = float(value)

    def of(self, name):
        """The samples of a family, by their labels."""
        return {s[len(name):]: value for s, value in self.samples.items() if re.match(rf"{name}(\{{|$)", s)}

    def total(self, name):
        return sum(self.of(name).values())


class Metrics(unittest.TestCase):
    def setUp(self):
        self.redis = self.enterContext(PrivateRedis())
        self.exchanges = self.enterContext(Simulator("--interval", "100ms"))

    def start(self, extra="", **how):
        process = self.enterContext(Breakwater(self.redis.unix_url, self.exchanges.urls, OFTEN + BRIDGE + extra,
                                               redis='health_interval = "500ms"\nbackoff_initial = "200ms"\nbackoff_max = "500ms"\n', **how))
        process.wait_for_log("event=api_listening")
        return process

    def scrape(self, process):
        return Scrape(process.api_port)

    def test_what_is_told_is_clean_moves_and_stands_still_with_redis(self):
        process = self.start()
        every = lambda name: self.scrape(process).total(name)
        wait_until(lambda: every("breakwater_publisher_acknowledged_records_total") > 50, 20, "records in Redis")
        wait_until(lambda: every("breakwater_bridge_last_read_timestamp_seconds") > 0, 10, "the bridge reads")
        wait_until(lambda: every("breakwater_health_actor_level{}") >= 0 and
                   self.scrape(process).of("breakwater_health_actor_level"), 10, "a health tick")
        first = self.scrape(process)

        self.assertEqual((first.status, first.type), (200, "text/plain; version=0.0.4; charset=utf-8"))
        self.assertEqual(promtool("check", "metrics", text=first.text), (0, ""))
        names = [name for name, _ in first.families]
        self.assertEqual(len(names), len(set(names)), "a family is told twice")
        types = listed()
        for name, kind in first.families:
            self.assertEqual(types.get(name), kind, f"{name} in config/prometheus/README.md")
        self.assertEqual(first.of("breakwater_scrape_incomplete"), {"": 0})
        self.assertEqual(set(first.of("breakwater_feed_connected").values()), {1})
        self.assertEqual(first.of("breakwater_breaker_state")['{breaker="redis",state="CLOSED"}'], 1)
        self.assertLess(abs(first.samples["process_start_time_seconds"] - time.time()), 60)

        # Counters move, histograms fill, times of successes advance.
        counters = ("breakwater_feed_frames_total", "breakwater_feed_candles_total",
                    "breakwater_aggregator_records_total", "breakwater_publisher_accepted_records_total",
                    "breakwater_publisher_acknowledged_records_total", "breakwater_publisher_transactions_total",
                    "breakwater_redis_operations_total", "breakwater_breaker_allowed_calls_total",
                    "breakwater_api_requests_total", "process_cpu_seconds_total")
        histograms = ("breakwater_publisher_frame_to_reply_seconds", "breakwater_redis_command_seconds",
                      "breakwater_redis_ping_seconds", "breakwater_spool_commit_seconds",
                      "breakwater_health_answer_seconds", "breakwater_api_request_seconds")
        needs_redis = ("breakwater_redis_last_ping_timestamp_seconds", "breakwater_redis_last_reply_timestamp_seconds",
                       "breakwater_publisher_last_acknowledged_timestamp_seconds",
                       "breakwater_bridge_last_read_timestamp_seconds",
                       "breakwater_notices_last_written_timestamp_seconds")
        goes_on = ("breakwater_feed_last_data_timestamp_seconds", "breakwater_aggregator_last_record_timestamp_seconds",
                   "breakwater_publisher_last_kept_timestamp_seconds", "breakwater_spool_last_commit_timestamp_seconds",
                   "breakwater_health_last_tick_timestamp_seconds")
        moving = counters + tuple(name + "_count" for name in histograms) + needs_redis + goes_on

        def still(since, which):
            now = self.scrape(process)
            return [name for name in which if not now.total(name) > since.total(name)]

        wait_until(lambda: not still(first, moving), 20, "everything moves")
        second = self.scrape(process)
        for name in histograms:
            self.assertEqual(second.total(name + "_count"),
                             sum(v for s, v in second.samples.items()
                                 if s.startswith(name + "_bucket") and 'le="+Inf"' in s), name)
        # Each record is counted, and with a time that can be one.
        delay = second.of("breakwater_publisher_frame_to_reply_seconds_sum")
        self.assertLess(sum(delay.values()) / second.total("breakwater_publisher_frame_to_reply_seconds_count"), 5)

        self.redis.kill()
        wait_until(lambda: self.scrape(process).of("breakwater_redis_connected") == {"": 0}, 10, "Redis is missed")
        time.sleep(0.3)  # what was under way
        away = self.scrape(process)
        wait_until(lambda: not still(away, goes_on), 10, "what needs no Redis goes on")
        self.assertEqual(sorted(still(away, needs_redis)), sorted(needs_redis))
        now = self.scrape(process)
        self.assertGreater(now.total("breakwater_spool_waiting_records"), 0)
        self.assertGreater(now.samples['breakwater_events_total{event="redis_lost",level="warn"}'], 0)

        self.redis.start()
        wait_until(lambda: not still(now, needs_redis), 20, "and goes on with it")
        wait_until(lambda: every("breakwater_spool_waiting_records") < 50, 10, "the spool drains")
        self.assertEqual(promtool("check", "metrics", text=self.scrape(process).text), (0, ""))

    def test_who_hangs_is_left_out_and_counted(self):
        process = self.start("[chaos]\nenabled = true\n[supervisor]\ngrace = \"20s\"\n")
        wait_until(lambda: self.scrape(process).of("breakwater_feed_connected"), 10, "feeds")
        self.assertEqual(process.api("POST", "/api/actors/feed/okx/hang")[0], 202)
        began = time.monotonic()
        told = self.scrape(process)
        self.assertLess(time.monotonic() - began, 4)
        self.assertEqual(told.of("breakwater_scrape_incomplete"), {"": 1})
        self.assertNotIn('{exchange="okx"}', told.of("breakwater_feed_connected"))
        self.assertIn('{exchange="binance"}', told.of("breakwater_feed_connected"))
        self.assertEqual(promtool("check", "metrics", text=told.text), (0, ""))


class Examples(unittest.TestCase):
    def test_the_rules_are_valid_and_each_fires_when_it_should(self):
        for words in (("check", "rules", PROMETHEUS / "alerts.yml"),
                      ("check", "config", PROMETHEUS / "prometheus.yml"),
                      ("test", "rules", PROMETHEUS / "alerts_test.yml")):
            code, said = promtool(*words)
            self.assertEqual(code, 0, said)
        rules = re.findall(r"^      - alert: (\w+)$", (PROMETHEUS / "alerts.yml").read_text(), re.MULTILINE)
        tested = set(re.findall(r'alertname="(\w+)"', (PROMETHEUS / "alerts_test.yml").read_text()))
        self.assertEqual(set(rules), tested)
        self.assertEqual(len(rules), len(set(rules)))

    def test_rules_and_dashboard_name_only_metrics_that_are_told(self):
        known = listed()

        def is_told(name):
            return name in known or known.get(AFTER_NAME.sub("", name)) == "histogram"

        def expressions():
            text = (PROMETHEUS / "alerts.yml").read_text()
            for block in re.findall(r"^        expr: (.*(?:\n          .*)*)", text, re.MULTILINE):
                yield "alerts.yml", block
            dashboard = json.loads((CONFIG / "grafana" / "breakwater.json").read_text())
            for panel in dashboard["panels"]:
                self.assertTrue(panel["type"] == "row" or panel["targets"], panel["title"])
                for target in panel.get("targets", []):
                    yield panel["title"], target["expr"]
            for variable in dashboard["templating"]["list"]:
                yield variable["name"], variable.get("definition", "")
            for note in dashboard["annotations"]["list"]:
                yield note["name"], note["expr"]

        count = 0
        for where, expression in expressions():
            for name in NAME.findall(expression):
                count += 1
                self.assertTrue(is_told(name), f"{where}: {name} is not told")
        self.assertGreater(count, 100)


if __name__ == "__main__":
    unittest.main(verbosity=2)
