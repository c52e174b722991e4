"""What every Markdown file of the repository names exists: links, commands and their options, config keys, events,
endpoints of the API, metrics.

python3 readme.py ROOT BINARY    says what does not exist, each with file and line; exit code 1 if there is anything
python3 readme.py --self-test ROOT BINARY    each kind of mistake is found
"""

import functools
import pathlib
import re
import subprocess
import sys
import tempfile

SKIPPED = ("build", ".git")
# After a dot these are files, not config keys.
ENDINGS = ("cmake", "conf", "cpp", "deb", "hpp", "html", "json", "jsonl", "head", "log", "md", "py", "service", "sh",
           "so", "toml", "txt", "yml")


class Known:
    """What there is to be named."""

    def __init__(self, root, binary):
        self.root = root
        self.binary = binary
        read = lambda path: (root / path).read_text(encoding="utf-8")
        self.events = set(re.findall(r'event_info\{\s*event::\w+,\s*"(\w+)"', read("actors/support/events.cpp")))
        self.endpoints = set(re.findall(r'"(/[a-z/-]*)"', read("actors/api/routes.cpp")))
        self.endpoints |= {"/api/actors/<name>/kill", "/api/actors/<name>/hang"}
        self.keys, section = set(), ""
        for line in read("config/reference.md").splitlines():
            if heading := re.match(r"## \[+([\w.]+)\]+", line):
                section = heading[1]
            elif row := re.match(r"\| `(\w+)` \|", line):
                self.keys.add(f"{section}.{row[1]}")
        self.sections = {key.rpartition(".")[0] for key in self.keys}
        metrics = root / "config/prometheus/README.md"
        # A name that is no metric is a target or a file of ours.
        self.names = re.findall(r"breakwater_\w+", "\n".join(
            [metrics.read_text(encoding="utf-8") if metrics.exists() else ""] +
            [path.read_text(encoding="utf-8") for path in files(root, "CMakeLists.txt")]))

    @functools.cache
    def help(self, *words):
        """What `breakwater <words> --help` says; None: there is no such command."""
        asked = subprocess.run([self.binary, *words, "--help"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                               timeout=30)
        return asked.stdout if asked.returncode == 0 else None

    @functools.cache
    def subcommands(self, *words):
        _, _, listed = (self.help(*words) or "").partition("Subcommands:\n")
        return set(re.findall(r"(?m)^  ([a-z-]+)", listed))


def files(root, pattern):
    return [path for path in sorted(root.rglob(pattern)) if path.relative_to(root).parts[0] not in SKIPPED]


def anchor(heading):
    """What a heading is linked by."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def anchors(text):
    return {anchor(heading) for heading in re.findall(r"(?m)^#+ (.*)$", text)}


def wrong_links(known, path, line):
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", line)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, part = target.partition("#")
        there = (path.parent / name) if name else path
        if not there.exists():
            yield f"there is no {target}"
        elif part and part not in anchors(there.read_text(encoding="utf-8")):
            yield f"{name or 'this file'} has no heading #{part}"


def wrong_commands(known, code):
    for call in re.findall(r"(?:^|[\s/;(])breakwater ((?:[a-z|\\-]+)[^`#;&)]*)", code):
        words = call.replace("\\|", "|").split()
        command, rest = words[0], words[1:]
        if not re.fullmatch(r"[a-z-]+", command) or command.startswith("-"):
            continue
        if command not in known.subcommands():
            yield f"there is no command breakwater {command}"
            continue
        named = [command]
        below = known.subcommands(command)
        if below and rest and re.fullmatch(r"[a-z|-]+", rest[0]):
            for one in rest[0].split("|"):
                if one not in below:
                    yield f"there is no command breakwater {command} {one}"
            named.append(rest[0].split("|")[0])
        options = "".join([known.help(command) or ""] + [known.help(command, one) or "" for one in sorted(below)])
        for option in re.findall(r"--[a-z-]+", " ".join(rest)):
            if not re.search(rf"{option}\b(?!-)", options):
                yield f"breakwater {' '.join(named)} has no option {option}"


def wrong_keys(known, code):
    for key in re.findall(r"(?<![\w./<:-])[a-z_]+(?:\.[a-z_]+)+(?![\w./<(-])", code):
        section, _, leaf = key.rpartition(".")
        if section in known.sections and leaf not in ENDINGS and key not in known.keys and key not in known.sections:
            yield f"there is no config key {key}"


def wrong_events(known, line):
    for event in re.findall(r"\bevent=([a-z_]+)", line):
        if event not in known.events and not (event.endswith("_") and any(e.startswith(event) for e in known.events)):
            yield f"there is no event {event}"


def wrong_endpoints(known, code):
    for path in re.findall(r"(?<![\w.<-])(/(?:api|health|metrics)(?:/[\w<>-]+)*)(?![\w/]*\.)", code):
        given = re.sub(r"^/api/actors/(.+)/(kill|hang)$", r"/api/actors/<name>/\2", path)
        if given not in known.endpoints:
            yield f"the API has no {path}"


def wrong_metrics(known, code):
    for name in re.findall(r"(?<![\w/])breakwater_\w+", code):
        if name not in known.names:
            yield f"there is no metric or target {name}"


def problems_of(known, path):
    found, fence = [], None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("```"):
            fence = line if fence is None else None
            continue
        wrong = list(wrong_events(known, line))
        # What a program printed, in a fence without a language, is no command of ours unless it shows a prompt.
        printed = fence == "```" and not line.lstrip().startswith("$ ")
        checks = [wrong_endpoints, wrong_metrics] + ([] if printed else [wrong_commands])
        if fence is None:
            wrong += wrong_links(known, path, line)
            checks.append(wrong_keys)
        for code in re.findall(r"`([^`]+)`", line) if fence is None else [line]:
            for check in checks:
                wrong += check(known, code)
        found += [f"{path.relative_to(known.root)}:{number}: {what}" for what in wrong]
    return found


def self_test(known):
    """One line of each mistake, and lines that are right."""
    lines = {
        "[gone](no/such/file.md)": "there is no no/such/file.md",
        "[gone](#no-such-heading)": "this file has no heading #no-such-heading",
        "`breakwater dance`": "there is no command breakwater dance",
        "`breakwater spool status|dance --config FILE`": "there is no command breakwater spool dance",
        "`breakwater demo --forever`": "breakwater demo has no option --forever",
        "`aggregator.no_such_key`": "there is no config key aggregator.no_such_key",
        "`event=no_such_event`": "there is no event no_such_event",
        "`GET /api/no-such-thing`": "the API has no /api/no-such-thing",
        "`breakwater_no_such_total`": "there is no metric or target breakwater_no_such_total",
    }
    right = ["# A heading, of course", "[here](#a-heading-of-course), `redis.url`, `event=redis_lost`, `event=redis_`",
             "`breakwater breaker status|reset --name orders`, `/health`, `/api/actors/feed/okx/kill`, `audit.head`",
             "`feeds.<exchange>.url`, [web](https://example.org)", "```", "have breakwater wait", "```"]
    lines["```\n$ breakwater jump"] = "there is no command breakwater jump"
    with tempfile.TemporaryDirectory(prefix="breakwater-readme-") as folder:
        known.root = pathlib.Path(folder)
        page = known.root / "README.md"
        page.write_text("\n".join([*right, *lines]), encoding="utf-8")
        expected, number = [], len(right)
        for line, what in lines.items():
            number += 1 + line.count("\n")
            expected.append(f"README.md:{number}: {what}")
        found = problems_of(known, page)
    return [f"not found: {what}" for what in expected if what not in found] + \
           [f"found where nothing is wrong: {what}" for what in found if what not in expected]


def main(words):
    testing = words[:1] == ["--self-test"]
    root, binary = words[1:] if testing else words
    known = Known(pathlib.Path(root), binary)
    found = self_test(known) if testing else [what for path in files(known.root, "*.md") for what in problems_of(known, path)]
    for what in found:
        print(what)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
