"""Chromium without a screen: pages as people meet them, every answer that they got, and pictures of them."""

import io
import json
import shutil
from contextlib import contextmanager

import numpy
from PIL import Image
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from support.archive import ROOT

SCREENS = ROOT / ".build" / "test-results" / "screens"
DESK, PHONE = (1280, 860), (390, 844)
# Icons that the viewer asks for at the root of the site, and its typeface at Google: nothing is missing without them.
# A study without a picture has no thumbnail, and the list shows an empty place.
HARMLESS = ("/assets/", "fonts.googleapis.com", "fonts.gstatic.com", "/favicon.ico", "/thumbnail?")


class Browser:
    """One profile of its own, as somebody who was never here."""

    def __init__(self, base, size=DESK, language="en-US"):
        program, driver = shutil.which("chromium"), shutil.which("chromedriver")
        # No skipping: without a browser nobody has looked at the pages.
        assert program and driver, "chromium and chromium-driver are missing: scripts/setup-packages test"
        self.base = base
        self.answers = []  # (status, method, url)
        self.console = []
        options = webdriver.ChromeOptions()
        options.binary_location = program
        # WebGL2 comes from SwiftShader by itself; the usual flags for it take it away.
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking",
                         "--disable-component-update", "--no-first-run", f"--lang={language}",
                         f"--window-size={size[0]},{size[1]}"):
            options.add_argument(argument)
        options.add_experimental_option("prefs", {"intl.accept_languages": language})
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(driver))
        self.driver.set_page_load_timeout(240)
        self.driver.set_script_timeout(120)
        if size[0] < 500:  # narrower than a window can be
            self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
                "width": size[0], "height": size[1], "deviceScaleFactor": 2, "mobile": True})
            self.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})

    def close(self):
        self.driver.quit()

    # Going and waiting.

    def open(self, path="/"):
        self.driver.get(self.base + path)

    @property
    def path(self):
        return self.driver.current_url.removeprefix(self.base)

    def wait(self, what, seconds=120, why=""):
        """Waits until `what()` is something; the assertion says what was there instead."""
        def ask(_):
            try:
                return what()
            except StaleElementReferenceException:
                return None
        try:
            return WebDriverWait(self.driver, seconds, poll_frequency=0.1).until(ask)
        except TimeoutException:
            self.screenshot("failed")
            self.collect()
            bad = [answer for answer in self.answers if answer[0] >= 400]
            raise AssertionError(
                f"waited {seconds} s: {why or what}; at {self.driver.current_url}; refused: {bad[:10]}; "
                f"console: {self.console[-10:]}; page: {self.text('body')[:1500]!r}") from None

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector, seconds=120):
        """The first element that is shown."""
        return self.wait(
            lambda: next((found for found in self.all(selector) if found.is_displayed()), None), seconds, selector)

    def text(self, selector):
        return self.driver.execute_script(
            "return document.querySelector(arguments[0])?.innerText ?? ''", selector)

    def script(self, text, *arguments):
        return self.driver.execute_script(text, *arguments)

    def press(self, *keys):
        webdriver.ActionChains(self.driver).send_keys(*keys).perform()

    # What went over the wire.

    def collect(self):
        """Every answer since the browser began, as (status, method, url)."""
        methods = getattr(self, "_methods", {})
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                methods[message["params"]["requestId"]] = message["params"]["request"]["method"]
            elif message["method"] == "Network.responseReceived":
                answer = message["params"]["response"]
                self.answers.append(
                    (answer["status"], methods.get(message["params"]["requestId"], "GET"), answer["url"]))
        self._methods = methods
        self.console += [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]
        return self.answers

    def refusals(self, since=0):
        """Answers that say no, but the harmless ones; `since` leaves out as many answers."""
        return [answer for answer in self.collect()[since:]
                if answer[0] >= 400 and not any(word in answer[2] for word in HARMLESS)]

    # Looking.

    def screenshot(self, name):
        SCREENS.mkdir(parents=True, exist_ok=True)
        png = self.driver.get_screenshot_as_png()
        (SCREENS / f"{name}.png").write_bytes(png)
        return png

    def pixels(self, selector, name=None):
        """What is painted where an element is, as an array."""
        box = self.script("const b = document.querySelector(arguments[0])?.getBoundingClientRect();"
                          "return b && [b.left, b.top, b.right, b.bottom, devicePixelRatio]", selector)
        if not box:
            return numpy.zeros((1, 1, 3))
        png = self.screenshot(name) if name else self.driver.get_screenshot_as_png()
        image = Image.open(io.BytesIO(png)).convert("RGB")
        return numpy.asarray(image.crop([int(edge * box[4]) for edge in box[:4]]))

    # Signing in.

    def sign_in(self, name, password, path="/"):
        self.open(path)
        self.one("#name").send_keys(name)
        self.one("#password").send_keys(password + Keys.ENTER)


@contextmanager
def browser(base, **options):
    made = Browser(base, **options)
    try:
        yield made
    finally:
        made.close()


def is_picture(pixels):
    """Whether there is an image: many shades over a good part of the place, not one colour with some writing on it."""
    if pixels.size < 1000:
        return False
    grey = pixels.mean(axis=2)
    shades = numpy.unique(grey.astype(int)).size
    return shades > 24 and float((grey > 24).mean()) > 0.05
