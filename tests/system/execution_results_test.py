"""Results of executed intents, written by somebody to a stream, reach the breaker `orders`: each once, whatever dies."""

import unittest

from support import Breakwater, PrivateRedis, wait_until

RESULTS = "quantum:stream:execution.result"
CONFIG = """
[breaker.orders]
failure_threshold = 5
"""
REDIS = 'command_timeout = "500ms"\nbackoff_initial = "50ms"\nbackoff_max = "300ms"\n'


class ExecutionResults(unittest.TestCase):
    def setUp(self):
        self.redis = self.enterContext(PrivateRedis(persistent=True))
        self.process = self.enterContext(Breakwater(self.redis.url, extra=CONFIG, redis=REDIS))
        self.reading()

    def reading(self, after=0):
        self.process.wait_for_log("event=redis_reads_connected", 10, after)
        wait_until(lambda: self.reader() is not None, 10, "a blocking read is under way")

    def reader(self):
        """The connection that a read blocks, by its id."""
        for line in self.redis.cli("CLIENT", "LIST").splitlines():
            words = dict(word.partition("=")[::2] for word in line.split())
            if words["name"] == "breakwater:a:read" and words["cmd"] == "xread" and "b" in words["flags"]:
                return words["id"]
        return None

    def results(self, *statuses):
        for status in statuses:
            self.redis.cli("XADD", RESULTS, "*", "status", status, "symbol", "BTCUSDT")

    def breaker(self):
        return self.process.api("GET", "/api/circuit-breaker/status?breaker=orders")[1]["circuit_breaker"]

    def counted(self, failures, successes=0):
        def both():
            seen = self.breaker()["statistics"]
            return (seen["failures"], seen["successes"])
        wait_until(lambda: both() >= (failures, successes), 10, f"{failures} failures are counted")
        self.assertEqual(both(), (failures, successes))

    def test_five_failed_executions_in_a_row_open_the_breaker(self):
        self.results("rejected", "error", "filled", "new", "rejected", "failed", "error", "rejected")
        self.counted(6, 1)
        self.assertEqual(self.breaker()["state"], "CLOSED")
        self.results("rejected")
        wait_until(lambda: self.breaker()["state"] == "OPEN", 5, "the circuit opens")
        self.assertEqual(self.breaker()["trigger_reason"], "execution rejected BTCUSDT")

    def test_each_result_counts_once_over_deaths_of_process_reader_connection_and_redis(self):
        self.results("rejected", "rejected")
        self.counted(2)

        self.process.kill()
        self.results("filled", "rejected")
        mark = len(self.process.log())
        self.process.start()
        self.reading(mark)
        self.counted(3, 1)

        mark = len(self.process.log())
        self.redis.cli("CLIENT", "KILL", "ID", self.reader())
        self.process.wait_for_log("event=redis_reads_lost", 5, mark)
        self.results("rejected")
        self.counted(4, 1)
        self.assertEqual(self.process.redis_manager()["reconnects"], 0, "the other connection stood")

        self.redis.kill()
        self.redis.start()
        self.results("rejected")
        self.counted(5, 1)


if __name__ == "__main__":
    unittest.main()
