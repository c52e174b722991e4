"""The status page in a real Chromium: what it shows, how it follows, what it orders, and who can use it."""

import os
import re
import time
import unittest

from browser import Browser, browser_is_there
from support import Breakwater, PrivateRedis, Simulator, wait_until

REDIS = 'connect_timeout = "500ms"\ncommand_timeout = "500ms"\nbackoff_initial = "50ms"\nbackoff_max = "300ms"\n'
CONFIG = """
[[bridge]]
to = "signals"
[health]
interval = "500ms"
answer_within = "400ms"
[alerts]
interval = "500ms"
"""
TOKEN = "t0ken-of-the-test-0123456789"
MARKUP = '<img src="x" onerror="document.title=1"><script>document.title=1</script>'
SECTIONS = ("attention", "alerts", "breakers", "redis", "spool", "feeds", "prices", "bridges", "position", "actors", "log")
# What a person has to be told by name.
NAMED = {"button", "textbox", "searchbox", "checkbox", "combobox", "link", "dialog", "table", "meter", "region",
         "navigation", "image", "DisclosureTriangle"}
# Each visible text with a colour of its own: its contrast to what lies behind it. Answers the worst.
WORST_CONTRAST = r"""
const channels = (text) => text.match(/[\d.]+/g).map(Number);
const light = (rgb) => rgb.slice(0, 3).map((c) => c / 255).map((c) => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
  .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
const behind = (node) => {
  for (; node; node = node.parentElement) {
    const rgb = channels(getComputedStyle(node).backgroundColor);
    if (rgb.length === 3 || rgb[3] === 1) return rgb;
  }
  return [255, 255, 255];
};
let worst = {ratio: 99, count: 0};
for (const node of document.querySelectorAll("body *")) {
  const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
  if (!own || !node.checkVisibility({contentVisibilityAuto: true}) || node.closest(".skip, .unseen")) continue;
  const [a, b] = [light(channels(getComputedStyle(node).color)), light(behind(node))];
  const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
  ++worst.count;
  if (ratio < worst.ratio) worst = {...worst, ratio, text: node.textContent.slice(0, 40), tag: node.outerHTML.slice(0, 90)};
}
return worst;
"""


def setUpModule():
    """One browser for all: it takes seconds to start."""
    if not browser_is_there():
        raise AssertionError("chromium and chromium-driver are missing: app/install_packages.sh tests/packages.txt installs them")
    global browser
    browser = unittest.enterModuleContext(Browser())


class Page(unittest.TestCase):
    """The page of a process that starts with the class; each test opens it anew."""

    api = ""

    @classmethod
    def setUpClass(cls):
        cls.redis = cls.enterClassContext(PrivateRedis())
        cls.exchanges = cls.enterClassContext(Simulator("--interval", "200ms"))
        cls.process = cls.enterClassContext(cls.make_process())
        cls.process.wait_for_log("Connected to Redis", 10)

    @classmethod
    def make_process(cls):
        return Breakwater(cls.redis.url, cls.exchanges.urls, CONFIG, redis=REDIS)

    def setUp(self):
        browser.size(1280)
        browser.colours("light")
        self.open()

    def tearDown(self):
        # A refused order and a process that is gone are the network's complaints; all others are the page's.
        ours = [line["message"] for line in browser.console()
                if "Failed to load resource" not in line["message"] and "ERR_" not in line["message"]]
        self.assertEqual(ours, [], "the console of the browser is quiet")
        self.assertEqual(browser.script("return byId('fault').textContent"), "")
        for name in ("redis", "orders"):
            self.post("reset", breaker=name, override=True, reason="the test is over", check=False)

    def open(self):
        browser.open(f"http://127.0.0.1:{self.process.api_port}/")
        browser.script("window.neverReloaded = true")
        browser.wait_for_text("#link", "live")
        browser.wait_for_text("#breaker-cards", "orders")

    def post(self, action, check=True, **body):
        status, answer = self.process.api("POST", f"/api/circuit-breaker/{action}", body, self.headers())
        if check:
            self.assertEqual(status, 200, answer)

    def headers(self):
        return {}

    def orders(self, what):
        """What the audit log has of these orders, the newest first."""
        lines = self.process.api("GET", "/api/audit?limit=100")[1]["audit"]
        return [line["details"] for line in lines if line["what"] == what]

    def wait_for_state(self, breaker, state, timeout=15):
        browser.wait_for_text(f'article[aria-label="Breaker {breaker}"] [data-slot=state]', state, timeout)

    def ask(self, action, breaker):
        """Opens the dialog."""
        browser.click(f'[aria-label="{action} breaker {breaker}…"]')
        browser.wait("byId('order').open", "the dialog opens")


class WhatItShows(Page):
    def test_every_section_has_its_figures(self):
        browser.wait("overall === 'ok' && byId('attention-list').childElementCount === 0", "all is well", 30)
        browser.wait_for_text("#price-table tbody", "BTCUSDT", 15)
        self.assertEqual(browser.script("return [...document.querySelectorAll('main > section')].map((one) => one.id)"),
                         list(SECTIONS))
        browser.wait_for_text("#redis-facts", self.process._redis_url.split("//")[1].split("/")[0])
        for exchange in ("binance", "bybit", "coinbase", "okx", "kraken"):
            row = browser.text(f'[aria-label="Symbols at {exchange}"] tbody tr')
            self.assertRegex(row, r"BTCUSDT(subscribed|stale)(< 1 s|\d+ s)", exchange)
            self.assertRegex(browser.text("#price-table thead"), exchange)
        self.assertRegex(browser.text("#price-table tbody tr:first-child"), r"USDT[\d.,]+\d.*\([+-]?\d+\.\d\)")
        browser.wait_for_text("#spool-cards", "records/s")
        self.assertRegex(browser.text("#spool-cards"), r"(?s)publisher.*% full: .* of 64 MiB")
        self.assertIn("trade-intent", browser.text("#bridge-cards"))
        self.assertIn("UNKNOWN", browser.text("#position-status"))
        self.assertIn("breaker/orders", browser.text("#actor-table tbody"))
        self.assertRegex(browser.text("#restarts"), r"restarts? within .*; more than \d+ end the process")
        self.assertRegex(browser.text("#happenings"), r"\d\d:\d\d:\d\d(INFO|WARN|ERROR)\[\S+\] .*event=\w+")
        self.assertEqual(browser.text("#breaker-cards h3"), "redis | orders")
        self.assertRegex(browser.script("return byId('redis-facts').querySelector('[title]').title"),
                         r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC$")
        for width in (1280, 360):
            for colours in ("light", "dark"):
                browser.size(width, 4000)
                browser.colours(colours)
                browser.picture(f"healthy-{colours}-{width}")

    def test_ages_tick_and_the_filters_filter(self):
        age = lambda: browser.script("return byId('process-facts').children[3].textContent")
        before = age()
        wait_until(lambda: age() != before, 5, "the age of the last tick ticks")
        rows = lambda: browser.text("#feed-cards tbody th")
        browser.type("#feed-filter", "eth")
        self.assertEqual(set(rows().split(" | ")), {"ETHUSDT"})
        browser.type("#price-filter", "sol")
        wait_until(lambda: browser.text("#price-table tbody th") == "SOLUSDT", 10, "the prices are filtered")
        browser.click("#feed-trouble")
        self.assertEqual(rows(), "")

    def test_the_list_of_happenings_can_be_paused(self):
        browser.click("#pause")
        before = browser.text("#happenings li")
        self.post("open", breaker="orders", reason="a line for the log")
        browser.wait_for_text("#pause", "new")
        self.assertEqual(browser.text("#happenings li"), before)
        browser.click("#pause")
        browser.wait_for_text("#happenings li:first-child, #happenings li:nth-child(2)", "a line for the log")


class WhatItFollows(Page):
    def test_redis_goes_and_comes_back_without_a_reload(self):
        self.wait_for_state("redis", "CLOSED")
        self.redis.stop()
        self.wait_for_state("redis", "OPEN", 20)
        browser.wait_for_text("#redis-phase", "backing_off")
        browser.wait_for_text("#attention-list", "redis")
        browser.wait_for_text("#alert-list", "What to do: Start Redis")
        browser.wait_for_text('article[aria-label="Breaker redis"]', "tries again in")
        browser.wait_for_text('[aria-label="History of breaker redis"]', "OPEN from CLOSED by breaker")
        browser.wait_for_text("#tile-spool", "waiting")
        self.assertRegex(browser.script("return document.querySelector('.time-line').getAttribute('aria-label')"),
                         r"^Share of the time: .*OPEN \d")
        for width in (1280, 360):
            for colours in ("light", "dark"):
                browser.size(width, 4000)
                browser.colours(colours)
                browser.picture(f"redis-away-{colours}-{width}")
        browser.size(1280)
        self.redis.start()
        self.wait_for_state("redis", "CLOSED", 20)
        browser.wait_for_text('[aria-label="History of breaker redis"]', "CLOSED from HALF_OPEN")
        browser.wait_for_text("#redis-phase", "ready")
        browser.wait_for_text("#tile-spool", "empty")
        self.assertTrue(browser.script("return window.neverReloaded"))

    def test_a_process_that_is_gone_is_seen_and_its_return_too(self):
        self.process.kill()
        browser.wait_for_text("#link", "connecting again")
        browser.wait("document.body.classList.contains('old')", "everything is grey")
        browser.wait_for_text("#banner", "No connection to breakwater. All of this is data of ")
        self.assertRegex(browser.text("#overall"), "^was ")
        self.assertIn("no connection", browser.script("return document.title"))
        banner = browser.text("#banner")
        wait_until(lambda: browser.text("#banner") != banner, 5, "its age goes on")
        browser.picture("process-away")
        self.process.start()
        browser.wait_for_text("#link", "live", 15)
        browser.wait("byId('banner').hidden && !document.body.classList.contains('old')", "all is as before")
        self.assertTrue(browser.script("return window.neverReloaded"))


class WhatItOrders(Page):
    def fill(self, reason="", override=False, sure=True, name="Jörg of the night shift"):
        browser.script("byId('order-name').value = ''")
        browser.type("#order-name", name)
        if reason:
            browser.type("#order-reason", reason)
        if override:
            browser.click("#order-override")
        if sure:
            browser.click("#order-sure")

    def test_it_resets_a_breaker_once_however_often_is_clicked(self):
        self.post("open", breaker="redis", reason="by night")
        self.wait_for_state("redis", "FORCED_OPEN")
        before = len(self.orders("breaker_reset"))
        self.ask("Reset", "redis")
        self.fill(reason="the desk is staffed again")
        browser.picture("dialog")
        browser.double_click("#order-send")
        browser.wait_for_text("#order-answer", "Done at")
        self.wait_for_state("redis", "CLOSED")
        told, = self.orders("breaker_reset")[:len(self.orders("breaker_reset")) - before]
        self.assertLessEqual({"granted": "yes", "reason": "the desk is staffed again",
                              "who": "Jörg of the night shift"}.items(), told.items())
        browser.click("#order-close")
        self.assertFalse(browser.script("return byId('order').open"))

    def test_it_opens_a_breaker_only_with_a_reason_and_a_confirmation(self):
        self.ask("Open", "orders")
        browser.click("#order-send")
        self.assertEqual(browser.script("return document.activeElement.id"), "order-reason")
        self.fill(reason="maintenance", sure=False)
        browser.click("#order-send")
        self.assertEqual(browser.script("return document.activeElement.id"), "order-sure")
        self.assertEqual(self.process.api("GET", "/health")[1]["breakers"]["orders"]["state"], "CLOSED")
        browser.click("#order-sure")
        browser.click("#order-send")
        browser.wait_for_text("#order-answer", "Done at")
        self.wait_for_state("orders", "FORCED_OPEN")
        self.assertEqual(self.orders("breaker_force_open")[0]["reason"], "maintenance")

    def test_a_refusal_comes_with_its_reasons_and_can_be_overridden(self):
        for _ in range(5):
            self.post("report", breaker="orders", ok=False, reason="rejected by the exchange")
        self.wait_for_state("orders", "OPEN")
        before = len(self.orders("breaker_reset"))
        self.ask("Reset", "orders")
        self.assertIn("A reset would be refused now", browser.text("#order-state"))
        self.fill()
        browser.double_click("#order-send")
        browser.wait_for_text("#order-answer", "Refused: the reset was refused")
        self.assertGreater(browser.script("return byId('order-answer').querySelectorAll('li').length"), 0)
        self.assertIn("failure", browser.text("#order-answer li"))
        self.assertEqual(len(self.orders("breaker_reset")), before + 1, "the second click sent nothing")
        browser.picture("refusal")
        browser.click("#order-override")
        browser.click("#order-sure")
        browser.click("#order-send")
        self.assertEqual(browser.script("return document.activeElement.id"), "order-reason", "an override needs a reason")
        browser.type("#order-reason", "mended by hand")
        browser.click("#order-send")
        browser.wait_for_text("#order-answer", "by override")
        self.wait_for_state("orders", "CLOSED")
        self.assertLessEqual({"granted": "yes", "override": "yes", "reason": "mended by hand"}.items(),
                             self.orders("breaker_reset")[0].items())

    def test_markup_from_outside_is_text(self):
        self.post("open", breaker="orders", reason=MARKUP)
        browser.wait_for_text('[aria-label="History of breaker orders"]', MARKUP)
        browser.wait_for_text('article[aria-label="Breaker orders"] dl', MARKUP)
        browser.wait_for_text("#happenings", MARKUP)
        self.assertEqual(browser.script("return document.querySelectorAll('img, body script:not([nonce])').length"), 0)
        self.assertNotEqual(browser.script("return document.title"), "1")

    def test_the_keyboard_is_enough(self):
        focused = lambda: browser.script("return document.activeElement.getAttribute('aria-label') || document.activeElement.id "
                                         "|| document.activeElement.className")
        browser.press("Tab")
        self.assertEqual(focused(), "skip", "the first stop skips to the content")
        self.assertGreater(browser.script("return parseFloat(getComputedStyle(document.activeElement).outlineWidth)"), 1)
        browser.press("Enter")
        self.assertEqual(browser.script("return location.hash"), "#main")
        for _ in range(40):
            browser.press("Tab")
            if focused() == "Open breaker orders…":
                break
        self.assertEqual(focused(), "Open breaker orders…")
        browser.press("Enter")
        browser.wait("byId('order').open", "the dialog opens")
        self.assertEqual(focused(), "order-reason")
        for _ in range(12):
            browser.press("Tab")
            self.assertTrue(browser.script("return document.activeElement === document.body || order.contains(document.activeElement)"),
                            f"the focus stays in the dialog, and is on {focused()}")
        browser.press("Escape")
        browser.wait("!byId('order').open", "Esc closes")
        self.assertEqual(focused(), "Open breaker orders…", "the focus is where it was")
        browser.press("Enter", *"by keys", "Tab", "Tab", "Space")
        self.assertEqual(focused(), "order-sure")
        browser.press("Enter")
        browser.wait_for_text("#order-answer", "Done at")
        self.assertEqual(focused(), "order-close")
        browser.press("Enter")
        browser.wait("!byId('order').open", "Enter closes")
        self.wait_for_state("orders", "FORCED_OPEN")


class WhoCanUseIt(Page):
    def test_a_phone_scrolls_in_one_direction(self):
        browser.wait_for_text("#price-table tbody", "BTCUSDT", 15)
        for width in (320, 360, 768):
            browser.size(width, 700)
            self.assertLessEqual(browser.script("return document.documentElement.scrollWidth"), width)
        browser.size(320, 600)
        self.ask("Reset", "redis")
        self.assertLessEqual(browser.script("return byId('order').getBoundingClientRect().right"), 320)
        self.assertLessEqual(browser.script("return byId('order').scrollWidth - byId('order').clientWidth"), 0)
        browser.picture("dialog-320")

    def test_texts_have_contrast_by_day_and_by_night(self):
        self.post("open", breaker="orders", reason="to see its colours")
        self.wait_for_state("orders", "FORCED_OPEN")
        for scheme in ("light", "dark"):
            browser.colours(scheme)
            worst = browser.script(WORST_CONTRAST)
            self.assertGreater(worst["count"], 100)
            self.assertGreaterEqual(worst["ratio"], 4.5, worst)
        ground = lambda: browser.script("return getComputedStyle(document.body).backgroundColor")
        dark = ground()
        browser.script("byId('theme').value = 'light'; byId('theme').dispatchEvent(new Event('change'))")
        self.assertNotEqual(ground(), dark, "the switch outweighs the system")
        self.open()
        self.assertNotEqual(ground(), dark, "and is remembered")
        browser.script("byId('theme').value = ''; byId('theme').dispatchEvent(new Event('change'))")

    def test_a_screen_reader_is_told_what_everything_is(self):
        browser.wait_for_text("#price-table tbody", "BTCUSDT", 15)
        told = browser.accessibility()
        roles = [role for role, _ in told]
        for role in ("banner", "navigation", "main", "contentinfo", "table", "columnheader", "rowheader", "meter", "status"):
            self.assertIn(role, roles)
        self.assertIn(("heading", "Circuit breakers"), told)
        self.assertIn(("button", "Reset breaker redis…"), told)
        self.assertIn(("image", browser.script("return document.querySelector('.time-line').getAttribute('aria-label')")),
                      [(role.replace("img", "image"), name) for role, name in told])
        self.ask("Open", "redis")
        everything = told + browser.accessibility()
        self.assertIn(("dialog", "Open breaker redis"), everything)
        self.assertIn(("textbox", "Reason"), everything)
        self.assertEqual([role for role, name in everything if role in NAMED and not name.strip()], [])
        browser.press("Escape")
        self.post("open", breaker="orders", reason="to be spoken")
        browser.wait_for_text("#announce", "FORCED_OPEN")
        quiet = "return [...document.querySelectorAll('[aria-live], [role=status], [role=alert]')].map((one) => one.id)"
        self.assertEqual(browser.script(quiet), ["announce", "order-answer"], "nothing that ticks is spoken")


class WithAToken(Page):
    @classmethod
    def setUpClass(cls):
        cls.redis = cls.enterClassContext(PrivateRedis())
        cls.exchanges = None
        cls.process = cls.enterClassContext(cls.make_process())
        cls.process.wait_for_log("Connected to Redis", 10)

    @classmethod
    def make_process(cls):
        token_file = cls.redis.folder / "token"
        token_file.touch(0o600)
        token_file.write_text(TOKEN + "\n")
        return Breakwater(cls.redis.url, extra=CONFIG, redis=REDIS, api=f'token_file = "{token_file}"\n')

    def headers(self):
        return {"Authorization": f"Bearer {TOKEN}"}

    def try_token(self, token):
        browser.type("#order-token", token)
        browser.click("#order-send")

    def test_it_is_asked_for_when_needed_and_goes_nowhere_else(self):
        browser.wait("tokenNeeded", "health says that a token is needed")
        self.ask("Open", "orders")
        browser.type("#order-reason", "with a token")
        browser.click("#order-sure")
        browser.click("#order-send")
        self.assertEqual(browser.script("return document.activeElement.id"), "order-token", "it is needed")
        self.try_token("wrong")
        browser.wait_for_text("#order-answer", "the token is wrong")
        browser.picture("token-wrong")
        self.assertEqual(browser.script("return byId('order-token').value"), "")
        self.try_token(TOKEN)
        browser.wait_for_text("#order-answer", "Done at")
        browser.click("#order-close")
        self.wait_for_state("orders", "FORCED_OPEN")
        self.ask("Reset", "orders")
        self.assertFalse(browser.script("return byId('order-token').checkVisibility()"), "it is known")
        browser.click("#order-close")
        kept = browser.script("return [location.href, JSON.stringify(localStorage), JSON.stringify(sessionStorage)]")
        self.assertNotIn(TOKEN, " ".join(kept))
        self.open()
        self.assertIsNone(browser.script("return token"), "it was not kept")

    def test_it_is_kept_in_the_tab_when_the_operator_wants_it(self):
        self.ask("Open", "orders")
        browser.type("#order-reason", "with a token")
        browser.click("#order-sure")
        browser.click("#token-keep")
        self.try_token(TOKEN)
        browser.wait_for_text("#order-answer", "Done at")
        self.open()
        self.assertEqual(browser.script("return token"), TOKEN)
        self.ask("Reset", "orders")
        browser.click("#token-forget")
        self.assertIsNone(browser.script("return sessionStorage.getItem('breakwater.token')"))
        self.assertTrue(browser.script("return byId('order-token').checkVisibility()"))


if __name__ == "__main__":
    unittest.main()
