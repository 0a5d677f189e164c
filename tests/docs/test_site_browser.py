"""The site as a reader has it: in a real browser, at two widths, in light and in dark."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests/parity/report"))
from browser import CONTRAST, Browser, programs  # noqa: E402 - shared with the report

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGES = ("index.html", "tour/index.html", "formats/index.html", "port-your-own-network/index.html")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    build(load_config(str(ROOT / "mkdocs.yml"), strict=True, site_dir=str(folder)))
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = programs()
    if found is None:
        pytest.skip("no browser: install chromium and chromium-driver to try the site in one")
    browser = Browser(*found)
    yield browser
    browser.driver.quit()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_whole_readable_and_asks_for_nothing(
    browser: Browser, site: Path, page: str, width: int, scheme: str
) -> None:
    browser.open(site / page, width, scheme)
    assert browser.ask("return document.documentElement.scrollWidth") <= width
    assert browser.ask(CONTRAST) == []
    assert [url for url in browser.requested() if not url.startswith(("file:", "data:"))] == []


def test_the_menu_opens_by_keyboard(browser: Browser, site: Path) -> None:
    from selenium.webdriver import ActionChains, Keys

    driver = browser.open(site / "index.html")
    for _ in range(12):
        ActionChains(driver).send_keys(Keys.TAB).perform()
        if browser.ask("return document.activeElement.textContent.trim()") == "Guides":
            break
    ActionChains(driver).send_keys(Keys.ENTER).perform()
    assert browser.ask("return document.querySelector('.dropdown-menu.show') !== null")
