"""A real browser for the tests of the page: Debian's chromium, led by Selenium."""
import contextlib
import shutil
import threading
import time

import pytest

from tinycnn.explore import Server


def started(width=1280, height=1400):
    """A browser without a window; skips where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs Selenium: pip install selenium")
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not program or not driver:
        pytest.skip("needs chromium and chromedriver: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                     f"--window-size={width},{height}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options, webdriver.ChromeService(driver))


@contextlib.contextmanager
def serving(subject):
    """A Server for `subject` that answers in a thread of its own."""
    server = Server(subject)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Reader:
    """Somebody who looks at the page and presses what is on it."""

    def __init__(self, driver):
        self.driver = driver

    def open(self, address):
        """Open the page and wait for its first picture."""
        self.driver.get(address)
        self.wait("explorer.record !== undefined")

    def wait(self, condition, seconds=20):
        """Until an expression of JavaScript is true, and everything that was asked is answered."""
        end = time.monotonic() + seconds
        while not self.driver.execute_script(f"return {condition}"):
            assert time.monotonic() < end, f"the page did not come to {condition}: {self.message()}"
            time.sleep(0.02)

    def find(self, selector):
        """The first element of a CSS selector."""
        return self.driver.find_element("css selector", selector)

    def texts(self, selector):
        """The texts of all elements of a CSS selector."""
        return [element.text for element in self.driver.find_elements("css selector", selector)]

    def press(self, selector, answered=False):
        """Click on an element; with `answered`, wait for a new record."""
        self.driver.execute_script("window.before = explorer.record")
        element = self.find(selector)
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center', inline: 'center'})", element)
        element.click()
        if answered:
            self.wait("explorer.record !== before")

    def press_unit(self, operation, map, row, column, sides):
        """Click on one number of one map, of (height, width) `sides`, in the canvas of an operation; maps in one column."""
        from selenium.webdriver import ActionChains
        canvas = self.find(f'[data-operation="{operation}"]')
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center', inline: 'center'})", canvas)
        height, width = sides
        x = (column + 0.5) * 64 / width - canvas.size["width"] / 2
        y = map * 68 + (row + 0.5) * 64 / height - canvas.size["height"] / 2
        ActionChains(self.driver).move_to_element_with_offset(canvas, x, y).click().perform()

    def draw(self, *points):
        """Draw a line with the mouse, through points that count from the middle of the pad."""
        from selenium.webdriver import ActionChains
        self.driver.execute_script("window.before = explorer.record")
        pad = self.find("#pad")
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", pad)
        chain = ActionChains(self.driver, duration=20).move_to_element_with_offset(pad, *points[0]).click_and_hold()
        for x, y in points[1:]:
            chain = chain.move_to_element_with_offset(pad, x, y)
        chain.release().perform()
        self.wait("explorer.record !== before")

    def choose(self, selector, value, answered=True):
        """Choose an option of a list by its value."""
        from selenium.webdriver.support.select import Select
        self.driver.execute_script("window.before = explorer.record")
        Select(self.find(selector)).select_by_value(value)
        if answered:
            self.wait("explorer.record !== before")

    def number(self, name, within=""):
        """The number that stands on the page under a name."""
        return as_number(self.find(f'{within} [data-name="{name}"]').text)

    def table(self, name):
        """The numbers of a table of numbers, six digits each, row by row."""
        cells = self.driver.find_elements("css selector", f'[data-name="{name}"] td')
        return [as_number(cell.get_attribute("data-value")) for cell in cells]

    def message(self):
        """What the page complains of."""
        return self.find("#message").text


def as_number(text):
    """A number as the page writes it."""
    return float(text.strip().removesuffix("%").replace("−", "-").replace("∞", "inf"))
