"""A real headless Chromium for tests of the status page: chromedriver by the WebDriver protocol, standard library only."""

import base64
import json
import os
import pathlib
import shutil
import signal
import time
import urllib.error
import urllib.request

from support import Process, free_port, wait_until

CHROMIUM = ("chromium", "chromedriver")
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # WebDriver's mark of a reference to an element
KEYS = {"Tab": "\ue004", "Enter": "\ue007", "Escape": "\ue00c", "Space": " ", "Shift": "\ue008"}


def browser_is_there():
    return all(map(shutil.which, CHROMIUM))


class Browser(Process):
    """One window. What it does is seen by script(); elements are named by CSS selectors."""

    def start(self):
        port = free_port()
        self._url = f"http://127.0.0.1:{port}"
        self._session = None
        own = {"HOME": str(self.folder), "TMPDIR": str(self.folder), "XDG_CONFIG_HOME": str(self.folder),
               "XDG_CACHE_HOME": str(self.folder)}
        self._spawn("chromedriver", f"--port={port}", env={**os.environ, **own})
        self.wait_for(self._listens, 20, "chromedriver is ready")
        options = {"args": ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run",
                            "--disable-background-networking", f"--user-data-dir={self.folder / 'profile'}"]}
        session = self._call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}}})
        self._session = f"/session/{session['sessionId']}"
        self.colours("light")

    def __exit__(self, *_):
        try:
            if self._session:
                self._call("DELETE", self._session)
        except OSError:
            pass  # it is gone already
        self._end_what_is_left()
        super().__exit__()

    def _end_what_is_left(self):
        """Chromium's processes outlive a chromedriver that was killed; ours have our folder in their command line."""
        for command in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if f"--user-data-dir={self.folder}".encode() in command.read_bytes():
                    os.kill(int(command.parent.name), signal.SIGKILL)
            except OSError:
                pass

    def _listens(self):
        try:
            return self._call("GET", "/status")["ready"]
        except OSError:
            return False

    def _call(self, method, path, body=None):
        text = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, text, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=90) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {json.load(error)['value']['message']}") from None

    def _ask(self, method, path, body=None):
        return self._call(method, self._session + path, body)

    def command(self, name, **parameters):
        """One command of the DevTools protocol."""
        return self._ask("POST", "/goog/cdp/execute", {"cmd": name, "params": parameters})

    def open(self, url):
        self._ask("POST", "/url", {"url": url})

    def script(self, body, *arguments):
        """What the function body returns; its arguments are in `arguments`."""
        return self._ask("POST", "/execute/sync", {"script": body, "args": list(arguments)})

    def _element(self, selector):
        return self._ask("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT]

    def click(self, selector):
        """As a person does: it must be in sight, and nothing above it."""
        self.script("document.querySelector(arguments[0]).scrollIntoView({block: 'center'})", selector)
        self._ask("POST", f"/element/{self._element(selector)}/click", {})

    def double_click(self, selector):
        self.script("document.querySelector(arguments[0]).scrollIntoView({block: 'center'})", selector)
        button = [{"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
        self._actions("pointer", [{"type": "pointerMove", "x": 0, "y": 0, "origin": {ELEMENT: self._element(selector)}},
                                  *button, *button])

    def type(self, selector, text):
        self._ask("POST", f"/element/{self._element(selector)}/value", {"text": text})

    def press(self, *names):
        """Keys, wherever the focus is: names of KEYS or characters; "Shift+Tab"."""
        steps = []
        for name in names:
            keys = [KEYS.get(one, one) for one in (name.split("+") if len(name) > 1 else [name])]
            steps += [{"type": "keyDown", "value": key} for key in keys]
            steps += [{"type": "keyUp", "value": key} for key in reversed(keys)]
        self._actions("key", steps)

    def _actions(self, kind, steps):
        self._ask("POST", "/actions", {"actions": [{"type": kind, "id": kind, "actions": steps}]})

    def text(self, selector):
        """Of all that match, joined; also what is out of sight."""
        return self.script("return [...document.querySelectorAll(arguments[0])].map((one) => one.textContent).join(' | ')",
                           selector)

    def wait(self, condition, what, timeout=10):
        """Until the JavaScript expression is true."""
        wait_until(lambda: self.script(f"return Boolean({condition})"), timeout, what)

    def wait_for_text(self, selector, part, timeout=10):
        try:
            wait_until(lambda: part in self.text(selector), timeout, f"{selector} shows {part!r}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it shows {self.text(selector)!r}") from None

    def size(self, width, height=900):
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def colours(self, scheme):
        """"light" or "dark", as the system prefers them. Nothing moves, so that clicks hit."""
        self.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme},
                                                             {"name": "prefers-reduced-motion", "value": "reduce"}])

    def accessibility(self):
        """What a screen reader is told: a list of (role, name)."""
        nodes = self.command("Accessibility.getFullAXTree")["nodes"]
        return [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes
                if not node["ignored"] and "role" in node]

    def console(self):
        """What the console had to complain of since the last time."""
        return [line for line in self._ask("POST", "/se/log", {"type": "browser"})
                if line["level"] in ("WARNING", "SEVERE")]

    def picture(self, name):
        """Into the folder that BREAKWATER_SCREENSHOTS names, if it does."""
        folder = os.environ.get("BREAKWATER_SCREENSHOTS")
        if folder:
            time.sleep(0.3)  # what is in sight is laid out first
            shot = self.command("Page.captureScreenshot", format="png")["data"]
            (pathlib.Path(folder) / f"{name}.png").write_bytes(base64.b64decode(shot))
