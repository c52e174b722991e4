"""The Debian package as CPack makes it: what is in it, what its scripts do to a service, and that unit, man page and
completion say what the binary of today can."""

import gzip
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from support import BINARY, REPOSITORY, breakwater

PACKAGING = REPOSITORY / "app/packaging"
VERBS = {"breaker": ("status", "history", "reset", "open"), "spool": ("status", "verify", "dead", "take-over"),
         "audit": ("verify",)}
OF_EVERYBODY = {"--help", "--version"}


def run(*words, **how):
    return subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True, **how).stdout


def commands():
    """Every command and verb, with the options its --help names."""
    top = breakwater("--help").stdout
    names = re.findall(r"(?m)^  (\w+) ", top[top.index("Subcommands:"):])
    found = {}
    for name in names:
        for words in [(name,), *((name, verb) for verb in VERBS.get(name, ()))]:
            text = breakwater(*words, "--help").stdout
            assert (name in VERBS) == ("Subcommands:" in text) or len(words) == 2, f"{name} has verbs of its own now"
            found[words] = set(re.findall(r"(?m)^  (?:-\w,)?(--[\w-]+)", text)) - OF_EVERYBODY
    return found


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="breakwater-package-")))
        run("cpack", "-G", "DEB", "--config", BINARY.parent / "CPackConfig.cmake", "-B", cls.folder)
        cls.deb, = cls.folder.glob("*.deb")
        cls.root = cls.folder / "root"
        run("dpkg-deb", "-x", cls.deb, cls.root)
        run("dpkg-deb", "-e", cls.deb, cls.folder / "control")

    def control(self, name):
        return (self.folder / "control" / name).read_text()

    def test_it_is_named_after_the_version_and_asks_for_what_the_binary_needs(self):
        version = breakwater("--version").stdout.split()[1]
        fields = dict(re.findall(r"(?m)^([\w-]+): (.+)$", self.control("control")))
        self.assertEqual((fields["Package"], fields["Version"]), ("breakwater", version))
        architecture = run("dpkg", "--print-architecture").strip()
        self.assertEqual(self.deb.name, f"breakwater_{version}_{architecture}.deb")
        for needed in ("adduser", "ca-certificates", "libcaf-core", "libhiredis", "liblmdb0", "libssl3", "libsystemd0", "libc6"):
            self.assertIn(needed, fields["Depends"])
        changes = gzip.decompress((self.root / "usr/share/doc/breakwater/changelog.gz").read_bytes()).decode()
        self.assertTrue(changes.startswith("breakwater ("), changes)

    def test_its_files_belong_to_root_and_only_the_config_is_nobody_elses(self):
        listed = {}
        for line in run("dpkg-deb", "-c", self.deb).splitlines():
            mode, owner, *_, path = line.split(maxsplit=5)
            listed[path.removeprefix(".").rstrip("/")] = mode
            self.assertEqual(owner, "root/root", line)
        expected = {"/usr/bin/breakwater": "-rwxr-xr-x", "/lib/systemd/system/breakwater.service": "-rw-r--r--",
                    "/etc/breakwater": "drwxr-x---", "/etc/breakwater/contracts": "drwxr-x---",
                    "/etc/breakwater/breakwater.toml": "-rw-r-----",
                    "/usr/share/man/man1/breakwater.1.gz": "-rw-r--r--",
                    "/usr/share/bash-completion/completions/breakwater": "-rw-r--r--"}
        for name in ("README.md.gz", "reference.md.gz", "breakwater.toml.gz", "changelog.gz", "copyright",
                     "contracts/trade.intent.json", "prometheus/alerts.yml", "grafana/breakwater.json"):
            expected[f"/usr/share/doc/breakwater/{name}"] = "-rw-r--r--"
        self.assertEqual({path: listed.get(path) for path in expected}, expected)
        for path, mode in listed.items():
            if path not in expected:
                self.assertIn(mode, ("drwxr-xr-x", "-rw-r--r--"), path)
        self.assertEqual(self.control("conffiles").split(), ["/etc/breakwater/breakwater.toml"])

    def test_its_binary_is_the_one_that_was_built_without_what_only_debuggers_read(self):
        installed = self.root / "usr/bin/breakwater"
        self.assertEqual(run(installed, "--version"), breakwater("--version").stdout)
        self.assertNotIn(".symtab", run("readelf", "-SW", installed))
        self.assertIn("BIND_NOW", run("readelf", "-dW", installed))

    def test_its_config_is_one(self):
        checked = breakwater("check", "--config", self.root / "etc/breakwater/breakwater.toml")
        self.assertEqual((checked.returncode, checked.stderr), (0, ""))
        self.assertIn('data_dir = "/var/lib/breakwater"', checked.stdout)
        # What is commented out is valid as well, and meant for this version.
        text = (PACKAGING / "breakwater.toml").read_text()
        opened = self.folder / "opened.toml"
        secret = self.folder / "secret"
        secret.write_text("s3cret-s3cret-s3cret\n")
        secret.chmod(0o600)
        opened.write_text(re.sub(r'(?m)^#(?=\[|\w+ = )', "", text).replace("/etc/breakwater/redis.password", str(secret))
                          .replace("/etc/breakwater/api.token", str(secret)))
        checked = breakwater("check", "--config", opened)
        self.assertEqual(checked.returncode, 0, checked.stderr)
        self.assertIn('name = "trade-intent"', checked.stdout)

    def test_its_scripts_are_shell_and_start_nothing_on_a_first_install(self):
        for name in ("postinst", "prerm", "postrm"):
            path = self.folder / "control" / name
            run("sh", "-n", path)
            self.assertEqual(path.stat().st_mode & 0o777, 0o755)
            self.assertRegex(path.read_text(), r"\A#!/bin/sh\n")
            self.assertIn("\nset -e\n", path.read_text())
            for unknown in ((), ("dance",)):
                self.assertEqual(subprocess.run([path, *unknown], capture_output=True).returncode, 1, name)
        self.assertNotRegex(self.control("postinst"), r"systemctl.* (start|enable)\b.*\$unit")
        self.assertRegex(self.control("postinst"), r'if \[ -n "\$2" \] && allowed restart; then\n +systemctl --no-block try-restart')


class Unit(unittest.TestCase):
    def setUp(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="breakwater-unit-")))
        self.text = (PACKAGING / "breakwater.service").read_text()
        self.unit = folder / "breakwater.service"
        self.unit.write_text(self.text.replace("/usr/bin/breakwater", str(BINARY)))

    def test_systemd_has_nothing_to_say_of_it(self):
        verified = subprocess.run(["systemd-analyze", "verify", "--man=no", self.unit], capture_output=True, text=True)
        self.assertEqual((verified.returncode, verified.stdout, verified.stderr), (0, "", ""))

    def test_it_exposes_little(self):
        judged = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=16",
                                 self.unit], capture_output=True, text=True)
        self.assertEqual(judged.returncode, 0, judged.stdout[-500:] + judged.stderr)
        self.assertRegex(judged.stdout, r"Overall exposure level for breakwater.service: [01]\.\d OK")

    def test_it_fits_the_process(self):
        settings = dict(re.findall(r"(?m)^(\w+)=(.*)$", self.text))
        in_force = breakwater("check", "--config", PACKAGING / "breakwater.toml").stdout
        health = in_force[in_force.index("[health]"):]
        seconds = {name: int(re.search(rf'(?m)^{name} = "(\d+)s"$', health)[1]) for name in ("interval", "answer_within")}
        watchdog = int(settings["WatchdogSec"].removesuffix("s"))
        self.assertGreaterEqual(watchdog, 2 * seconds["interval"] + seconds["answer_within"])
        self.assertEqual((settings["Type"], settings["Restart"]), ("notify", "on-failure"))
        # What only somebody who edits the config can mend is not tried again and again.
        refused = breakwater("run", "--config", "/nonexistent/breakwater.toml")
        self.assertEqual(settings["RestartPreventExitStatus"], str(refused.returncode))


class Words(unittest.TestCase):
    """Man page and completion against --help."""

    @classmethod
    def setUpClass(cls):
        cls.commands = commands()

    def test_the_man_page_names_every_command_and_option(self):
        source = (PACKAGING / "breakwater.1").read_text()
        text = source.replace("\\-", "-")
        parts = re.split(r"(?m)^\.SS (\w+)$", text[text.index(".SH COMMANDS"):text.index(".SH EXIT")])
        of = dict(zip(parts[1::2], parts[2::2]))
        self.assertEqual(set(of), {words[0] for words in self.commands})
        for name, part in of.items():
            options = set().union(*(found for words, found in self.commands.items() if words[0] == name))
            # Options that are introduced; others' may be spoken of.
            told = set(re.findall(r"(?m)^\.TP\n\.BI? (--[\w-]+)", part))
            self.assertEqual(told, options, name)
            for verb in VERBS.get(name, ()):
                self.assertRegex(part, rf"(?m)^\.B {verb}$|\( {verb} \)")
        for option in re.findall(r"(?m)^  (?:-\w,)?(--[\w-]+)", breakwater("--help").stdout):
            self.assertIn(option, text[:text.index(".SH COMMANDS")])
        for section in ("EXIT STATUS", "ENVIRONMENT", "FILES"):
            self.assertIn(f".SH {section}\n", text)

    @unittest.skipUnless(shutil.which("man"), "man is not installed")
    def test_the_man_page_is_set_without_complaint(self):
        shown = subprocess.run(["man", "--warnings", "-l", PACKAGING / "breakwater.1"], capture_output=True, text=True,
                               env={"MANWIDTH": "100", "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"})
        self.assertEqual((shown.returncode, shown.stderr), (0, ""))
        self.assertIn("take-over", shown.stdout)

    def complete(self, *words):
        """What Tab offers behind these words, of which the last is begun."""
        script = """
          _init_completion() { words=("${COMP_WORDS[@]}"); cword=$COMP_CWORD; cur=${words[cword]}; prev=${words[cword-1]}; }
          _filedir() { COMPREPLY=(FILES); }
          source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _breakwater; printf '%s\\n' "${COMPREPLY[@]}"
        """
        return set(run("bash", "-c", script, "bash", PACKAGING / "breakwater.bash-completion", "breakwater",
                       *words).split())

    def test_the_completion_offers_every_command_and_option(self):
        first = set(re.findall(r"(?m)^  (?:-\w,)?(--[\w-]+)", breakwater("--help").stdout))
        offered = self.complete("")
        self.assertEqual({word for word in offered if word[0] != "-"}, {words[0] for words in self.commands})
        self.assertLessEqual(first, offered)
        for words, options in self.commands.items():
            with self.subTest(words=words):
                offered = self.complete(*words, "")
                verbs = set(VERBS[words[0]]) if len(words) == 1 and words[0] in VERBS else set()
                self.assertEqual(offered, options | verbs | {"--help"})

    def test_the_completion_knows_what_options_take(self):
        self.assertEqual(self.complete("di"), {"diagnose"})
        self.assertEqual(self.complete("run", "--config", "x"), {"FILES"})
        self.assertEqual(self.complete("breaker", "reset", "--name", ""), {"redis", "orders"})
        kinds = breakwater("simulate", "--help").stdout
        self.assertEqual(self.complete("simulate", "--fault", ""),
                         set(re.findall(r"(?m)^ +(\w+): ", kinds[kinds.index("--fault"):kinds.index("--faults")])))
        self.assertEqual(self.complete("breaker", "--config", "x", "reset", "--o"), {"--override"})
        self.assertEqual(self.complete("breaker", "reset", "--override", "--j"), {"--json"})
        self.assertEqual(self.complete("diagnose", "--json", "x", "--c"), {"--config"})


if __name__ == "__main__":
    unittest.main()
