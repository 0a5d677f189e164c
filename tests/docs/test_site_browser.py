"""The site as a reader has it: in a real browser, at two widths, in light and in dark."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import EVERY_LOOK, Browser
from mkdocs.commands.build import build
from mkdocs.config import load_config

ROOT = Path(__file__).parents[2]
PAGES = ("index.html", "tour/index.html", "formats/index.html", "port-your-own-network/index.html")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    build(load_config(str(ROOT / "mkdocs.yml"), strict=True, site_dir=str(folder)))
    return folder


@EVERY_LOOK
@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_whole_readable_and_asks_for_nothing(
    browser: Browser, site: Path, page: str, width: int, scheme: str
) -> None:
    browser.open(site / page, width, scheme)
    assert browser.faults() == []


def test_the_menu_opens_by_keyboard(browser: Browser, site: Path) -> None:
    from selenium.webdriver import ActionChains, Keys

    driver = browser.open(site / "index.html")
    for _ in range(12):
        ActionChains(driver).send_keys(Keys.TAB).perform()
        if browser.ask("return document.activeElement.textContent.trim()") == "Guides":
            break
    ActionChains(driver).send_keys(Keys.ENTER).perform()
    assert browser.ask("return document.querySelector('.dropdown-menu.show') !== null")
