"""A headless Chromium, and what a test wants to know of an opened page."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

if TYPE_CHECKING:
    from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
#: Widths and colour schemes in which every page is looked at.
EVERY_LOOK = pytest.mark.parametrize(
    ("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]
)
# The sandbox does not start for root, which is who runs CI.
ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")


def programs() -> tuple[str, str] | None:
    """Find Chromium and its driver; None where either is missing."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


# Text and what lies behind it, by the formula of WCAG 2.
CONTRAST = """
const parse = (text) => text.match(/[\\d.]+/g).map(Number);
const light = (colour) => {
  const [r, g, b] = colour.slice(0, 3).map((v) => v / 255)
    .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (element) => {
  for (let one = element; one; one = one.parentElement) {
    const colour = parse(getComputedStyle(one).backgroundColor);
    if (colour.length < 4 || colour[3] > 0.99) return colour;
  }
  return [255, 255, 255];
};
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const weak = [];
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
  const style = getComputedStyle(element);
  const ink = element.closest("svg") ? style.fill : style.color;
  const [a, b] = [light(parse(ink)), light(behind(element))].sort((x, y) => y - x);
  const contrast = (a + 0.05) / (b + 0.05);
  if (contrast < 4.5) weak.push(`${walker.currentNode.data.trim()}: ${contrast.toFixed(2)}`);
}
return weak;
"""


class Browser:
    """One browser for many pages."""

    def __init__(self, browser: str, driver: str) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = browser
        for argument in ARGUMENTS:
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(driver))

    def open(self, file: Path, width: int = 1280, scheme: str = "light") -> webdriver.Chrome:
        """Open a file in a window of some width and colour scheme."""
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        for kind in ("browser", "performance"):
            self.driver.get_log(kind)
        self.driver.get(file.as_uri())
        return self.driver

    def said(self) -> list[str]:
        """Give what the page wrote to the console since it was opened: errors, refusals."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requested(self) -> list[str]:
        """Give the addresses that were asked for since the page was opened."""
        events = (json.loads(e["message"])["message"] for e in self.driver.get_log("performance"))
        return [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]

    def faults(self) -> list[str]:
        """Give what no opened page may have: overflow, weak contrast, requests elsewhere."""
        overflow = self.ask(
            "const root = document.documentElement; return root.scrollWidth - root.clientWidth"
        )
        elsewhere = [url for url in self.requested() if not url.startswith(("file:", "data:"))]
        wider = [f"{overflow} pixels wider than the window"] if overflow > 0 else []
        return [*wider, *self.ask(CONTRAST), *elsewhere]

    def ask(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page and give what it returns."""
        return self.driver.execute_script(script, *arguments)
