"""What the release before left on disk, taken over by the binary of today; and what that writes, read back as the release
before reads it, for the day somebody goes back. rollback.py does the latter with that release's own binary.
"""

import json
import re
import shutil
import struct
import subprocess
import tempfile
import unittest

from delivery_test import CONFIG, Delivery, Story
from release_fixture import RETAINED, WAITING, post
from support import REPOSITORY, STREAM, breakwater, id_key

RELEASE = REPOSITORY / "tests/fixtures/releases/0.1.0"
TABLES = ("batches", "runs", "state", "parts", "dead")
IDS = {"acknowledged", "forgotten", "last", "mark", "seen-last"}
NUMBERS = {"sequence", "seen-added"}


class Heir(Story):
    """A story that begins with what the release left: its data_dir, and the Redis beside it."""

    def __init__(self):
        super().__init__(persistent=True, spool='retain = "720h"')
        self.numbers.count = RETAINED + WAITING

    def begin(self):
        for command in json.loads((RELEASE / "redis.json").read_text()):
            self.redis.cli(*command)
        super().begin()

    def make_process(self, *how):
        process = super().make_process(*how)
        start = process.start

        def take_over_and_start():
            if not process.data_dir.exists():
                shutil.copytree(RELEASE / "data", process.data_dir)
                (process.data_dir / "spool").chmod(0o750)
            start()

        process.start = take_over_and_start
        return process


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def rows_of(spool):
    """Every table of an LMDB environment: {name: {key: value}}."""
    with tempfile.TemporaryDirectory(prefix="breakwater-dump-") as folder:  # to look at one makes a lock beside it
        shutil.copy(spool / "data.mdb", folder)
        dump = subprocess.run(["mdb_dump", "-a", folder], check=True, capture_output=True, text=True).stdout
    tables, rows, key = {}, None, None
    for line in dump.splitlines():
        if line.startswith("database="):
            rows = tables.setdefault(line.removeprefix("database="), {})
        elif line.startswith(" "):
            if key is None:
                key = bytes.fromhex(line)
            else:
                rows[key], key = bytes.fromhex(line), None
    return tables


class Reader:
    """Reads a spool as 0.1.0 does: whatever it would not understand fails here. `records` is what it finds, by id."""

    def __init__(self, spool):
        self.tables = rows_of(spool)
        of = {name: self.tables[f"{name}:{STREAM}"] for name in TABLES}
        extra = set(self.tables) - {"meta"} - {f"{name}:{STREAM}" for name in TABLES}
        assert not extra, f"tables that 0.1.0 does not know: {extra}"
        assert set(self.tables["meta"]) == {b"format", b"uuid"}, self.tables["meta"].keys()
        self.format, self.uuid = self.tables["meta"][b"format"], self.tables["meta"][b"uuid"]
        batches = {key: self._batch(key, value) for key, value in of["batches"].items()}
        self.records = {}
        for key, value in of["runs"].items():
            ms, n = struct.unpack(">QQ", key)
            sequence, begin, count, _ = struct.unpack("<QIIQ", value)
            records = batches[struct.pack(">Q", sequence)][begin:begin + count]
            assert len(records) == count, "a run ends behind its batch"
            self.records.update({f"{ms}-{n + i}": record for i, record in enumerate(records)})
        self.state = {}
        for name, value in of["state"].items():
            name = name.decode()
            if name in IDS:
                self.state[name] = "%d-%d" % struct.unpack(">QQ", value)
            elif name in NUMBERS:
                self.state[name], = struct.unpack(">Q", value)
            else:
                assert name == "position", f"a state 0.1.0 does not know: {name}"
                self.state[name] = value.decode()
        self.parts, self.dead = of["parts"], of["dead"]

    @staticmethod
    def _batch(key, value):
        crc, count, sequence = struct.unpack_from("<IIQ", value)
        assert crc == crc32c(value[4:]), "a checksum is not what 0.1.0 computes"
        assert key == struct.pack(">Q", sequence)
        wire, begin, records = value[16 + 8 * count:], 0, []
        for i in range(count):
            end, fields = struct.unpack_from("<II", value, 16 + 8 * i)
            texts, rest = [], wire[begin:end]
            while rest:
                head, rest = rest.split(b"\r\n", 1)
                length = int(head.removeprefix(b"$"))
                texts.append(rest[:length].decode())
                assert rest[length:length + 2] == b"\r\n"
                rest = rest[length + 2:]
            assert len(texts) == 2 * fields
            records.append(dict(zip(texts[::2], texts[1::2])))
            begin = end
        assert begin == len(wire)
        return records


def shape(value):
    """Of JSON: names and kinds, without what they are."""
    if isinstance(value, dict):
        return {name: shape(below) for name, below in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def without_numbers(text):
    return re.sub(r"\d+", "0", text)


def state_of(path):
    """A breaker's newest state: what the slots of its file hold, each with its generation, and a checksum."""
    slots = []
    data = path.read_bytes()
    for at in (0, 16 << 10):
        if found := re.match(rb"(\d+) (\d+) [0-9a-f]{8}\n", data[at:]):
            text = data[at + found.end():][:int(found[2])]
            slots.append((int(found[1]), json.loads(text)))
    return max(slots)[1]


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


class Upgrade(Delivery):
    def test_everything_is_taken_over(self):
        left = json.loads((RELEASE / "status.json").read_text())
        audited = lines_of(RELEASE / "data/audit.jsonl")
        with Heir() as story:
            story.arrived()
            self.assert_each_once(story)
            entries = story.entries()
            self.assertEqual(entries[-1][0], left["streams"][0]["last_id"], "what waited got the ids it had")
            self.assertEqual(story.told.status()["uuid"], left["uuid"])
            story.feed(50)  # the open minutes and the place in the raw stream stand where they were
            self.assert_each_once(story)
            self.assert_nothing_said(story, "publisher_intruder", "publisher_hole", "spool_quarantined", "raw_hole",
                                     "minutes_unreadable", "audit_broken", "breaker_forgot", "publisher_not_owner")

            status, answer = story.process.api("GET", "/api/circuit-breaker/status?breaker=orders")
            breaker = answer["circuit_breaker"]
            self.assertEqual((breaker["state"], breaker["trigger_reason"]), ("FORCED_OPEN", "maintenance of the executor"))
            before = lines_of(RELEASE / "data/breaker-redis.history.jsonl")
            history = story.process.api("GET", "/api/circuit-breaker/history?breaker=redis")[1]["history"]
            self.assertEqual([move["number"] for move in history[-len(before):]],
                             [move["number"] for move in reversed(before)])
            post(story.process, "/api/circuit-breaker/reset?breaker=orders&override=true&reason=done")
            self.assertEqual(story.process.terminate(), 0)

            verified = breakwater("audit", "verify", "--config", story.process.config)
            self.assertEqual(verified.returncode, 0, verified)
            now = story.process.audit()
            self.assertEqual(now[:len(audited)], audited)
            self.assertEqual([line["number"] for line in now], list(range(1, len(now) + 1)))
            self.assertGreater(len(now), len(audited) + 2)

    def test_the_release_before_reads_what_is_written_today(self):
        with Heir() as story:
            story.arrived()
            story.feed(20)
            post(story.process, "/api/circuit-breaker/reset?breaker=orders&override=true&reason=done")
            post(story.process, "/api/circuit-breaker/open?breaker=orders&reason=again")
            story.spool_up(25)
            self.assertEqual(story.process.terminate(), 0)
            data, total = story.process.data_dir, story.numbers.count

            then, now = Reader(RELEASE / "data/spool"), Reader(data / "spool")
            self.assertEqual((now.format, now.uuid), (then.format, then.uuid))
            self.assertLessEqual(then.state.keys(), now.state.keys())
            self.assertEqual(without_numbers(now.state["position"]), without_numbers(then.state["position"]))
            # Open minutes: "NAME minute", and a state of 0.1.0's version and length.
            forms = [{(without_numbers(key.decode()), value[0], len(value)) for key, value in of.parts.items()}
                     for of in (now, then)]
            self.assertEqual(*forms)
            ids = sorted(now.records, key=id_key)
            waiting = [each for each in ids if id_key(each) > id_key(now.state["acknowledged"])]
            self.assertEqual(story.numbers.found((each, now.records[each]) for each in waiting),
                             list(range(total - 25, total)))
            fields = {tuple(record) for record in then.records.values()}
            self.assertLessEqual({tuple(record) for record in now.records.values()}, fields)

            for name in ("redis", "orders"):
                self.assertEqual(shape(state_of(data / f"breaker-{name}.state")),
                                 shape(state_of(RELEASE / f"data/breaker-{name}.state")))
                file = f"breaker-{name}.history.jsonl"
                shapes = [shape(line) for line in lines_of(RELEASE / "data" / file)]
                for line in lines_of(data / file):
                    self.assertIn(shape(line), shapes)
            self.assertEqual({tuple(line) for line in story.process.audit()},
                             {tuple(line) for line in lines_of(RELEASE / "data/audit.jsonl")})
            self.assertEqual(len((data / "audit.head").read_text()), len((RELEASE / "data/audit.head").read_text()))
            files = [{path.name for path in folder.iterdir()} - {"lock"} for folder in (data, RELEASE / "data")]
            self.assertEqual(*files)


if __name__ == "__main__":
    unittest.main()
