"""Alerts of the whole process: into the log, the audit log, a Redis stream, a webhook and /api/alerts."""

import json
import unittest

from support import Breakwater, PrivateRedis, Webhook, wait_until

STREAM = "quantum:stream:alerts"
HEALTH = "quantum:stream:health.breakwater"


def config(url, more=""):
    return (f'[alerts]\ninterval = "200ms"\nwebhook_url = "{url}"\nno_record_for = "1h"\n{more}'
            '[health]\ninterval = "500ms"\nanswer_within = "400ms"\n')


class Alerts(unittest.TestCase):
    def setUp(self):
        self.redis = self.enterContext(PrivateRedis(persistent=True))

    def alerts(self, breakwater):
        status, told = breakwater.api("GET", "/api/alerts")
        self.assertEqual((status, told["status"], told["count"]), (200, "ok", len(told["alerts"])))
        return told

    def wait_for_redis(self, breakwater):
        breakwater.wait_for_log("event=api_listening")
        wait_until(lambda: breakwater.redis_manager()["connected"], 10, "connected")

    def entries(self):
        return [fields for _, fields in self.redis.entries(STREAM)]

    def test_redis_away_is_told_everywhere_once_and_its_end_too(self):
        bodies = []  # of all requests; the first two fail

        def takes(_, body):
            bodies.append(json.loads(body))
            return (500 if len(bodies) <= 2 else 204), {}

        with Webhook("/hook?token=hush-hush", takes) as webhook, \
                Breakwater(self.redis.unix_url, {}, config(webhook.url)) as breakwater:
            self.wait_for_redis(breakwater)
            self.assertEqual(self.alerts(breakwater)["alerts"], [])
            self.redis.stop()

            wait_until(lambda: self.alerts(breakwater)["alerts"], 15, "the alert")
            alert = self.alerts(breakwater)["alerts"][0]
            self.assertEqual((alert["rule"], alert["state"], alert["level"]), ("redis_away", "raised", "critical"))
            self.assertIn("redis-cli", alert["what_to_do"])
            # With Redis down the webhook, the log and the audit log have it; two failures are tried again.
            wait_until(lambda: len(bodies) == 3, 15, "the third try")
            self.assertEqual({(body["rule"], body["number"]) for body in bodies}, {("redis_away", alert["number"])})
            wait_until(lambda: self.alerts(breakwater)["webhook"] == "ok", 10, "the webhook took it")
            breakwater.wait_for_log(r'ERROR .*event=alert_raised rule="?redis_away')
            raised = [line for line in breakwater.audit() if line["what"] == "alert_raised"]
            self.assertEqual(len(raised), 1)

            self.redis.start()
            wait_until(lambda: self.alerts(breakwater)["recent"], 40, "the end of the alert")
            self.assertEqual(self.alerts(breakwater)["alerts"], [])
            wait_until(lambda: self.redis.cli("EXISTS", STREAM) and len(self.entries()) == 2, 40, "both entries")
            told = self.entries()
            self.assertEqual([(one["rule"], one["state"]) for one in told],
                             [("redis_away", "raised"), ("redis_away", "cleared")])
            self.assertEqual(told[0]["raised_at"], told[1]["raised_at"])
            self.assertGreater(told[1]["cleared_at"], told[1]["raised_at"])
            wait_until(lambda: bodies[-1]["state"] == "cleared", 10, "the webhook hears of the end")
            self.assertEqual(len(bodies), 4)
            breakwater.wait_for_log(r" INFO .*event=alert_cleared rule=\"?redis_away")
            self.assertNotIn("hush-hush", breakwater.log())

    def test_an_order_of_an_operator_is_an_alert_when_it_stands_long(self):
        extra = config("", 'breaker_open_for = "1s"\n')
        with Breakwater(self.redis.unix_url, {}, extra) as breakwater:
            self.wait_for_redis(breakwater)
            breakwater.api("POST", "/api/circuit-breaker/open?breaker=orders&reason=news")
            wait_until(lambda: self.alerts(breakwater)["alerts"], 10, "the alert")
            told = self.alerts(breakwater)
            self.assertEqual(told["webhook"], "off")
            alert = told["alerts"][0]
            self.assertEqual((alert["rule"], alert["subject"]), ("breaker_open", "orders"))
            self.assertIn("FORCED_OPEN", alert["text"])
            self.assertIn("breakwater breaker reset --name orders", alert["what_to_do"])
            breakwater.api("POST", "/api/circuit-breaker/reset?breaker=orders&override=true&reason=over")
            wait_until(lambda: self.alerts(breakwater)["recent"], 10, "the end of the alert")
            self.assertEqual(breakwater.api("POST", "/api/alerts")[0], 405)

    def test_each_health_tick_is_an_entry(self):
        with Breakwater(self.redis.unix_url, {}, config("")):
            wait_until(lambda: self.redis.cli("XLEN", HEALTH) > 2, 15, "entries")
            newest = self.redis.entries(HEALTH)[-1][1]
            self.assertEqual(list(newest), ["time", "status", "instance", "version", "parts", "why"])
            self.assertEqual(json.loads(newest["parts"])["redis"], "ok")


if __name__ == "__main__":
    unittest.main(verbosity=2)
