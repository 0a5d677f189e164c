"""The page of a run, as a reader has it: in a real browser, at two widths, in light and in dark."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from browser import EVERY_LOOK, Browser

from stdc_port.training.metrics import Evaluation
from stdc_port.training.recipe import load_recipe
from stdc_port.training.run_page import write_page
from stdc_port.training.runlog import RunLog, Step

SCRIPT = "<script>document.title = 'run'</script>"
PARTS = ("ohem", "ohem16", "ohem32", "bce", "dice")


def evaluation() -> Evaluation:
    rng = np.random.default_rng(5)
    matrix = rng.integers(0, 900, (19, 19)) + np.diag(rng.integers(0, 9000, 19))
    matrix[[16, 17]] = 0
    return Evaluation(matrix, 24, (0.5,))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    log = RunLog(folder, lambda _: None, every=1000)
    log.begin(0)
    rng = np.random.default_rng(3)
    for step in range(280):
        parts = {name: float(np.exp(-step / 90) + rng.uniform(0, 0.3)) for name in PARTS}
        rate = 0.01 * (1 - step / 280) ** 0.9
        log.step(Step(step, rate, sum(parts.values()), parts, 8.0, 0.1, 0.5))
        if step % 70 == 69:
            log.evaluation(step + 1, evaluation())
    log.remark(100, f"a loss that is not finite, in {SCRIPT}")
    log.end()
    return write_page(folder, load_recipe("generated", ()), evaluation())


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_it_holds_figures_curves_classes_remarks_and_recipe(page: Path) -> None:
    found, result = Page(page.read_text("utf-8")), evaluation()
    assert f"mIoU {100 * result.miou:.2f} %" in found.text
    assert found.tags.count("svg") == 3
    assert found.tags.count("meter") == result.present.sum()
    assert "script" not in found.tags
    assert SCRIPT in found.text
    assert "checkpoint_every" in found.text
    assert "Absent from the set, in no mean: train, motorcycle." in found.text
    assert len(set(found.ids)) == len(found.ids)


def test_a_run_without_a_line_has_a_page(tmp_path: Path) -> None:
    empty = Evaluation(np.zeros((19, 19), np.int64), 1, (1.0,))
    found = Page(write_page(tmp_path, load_recipe("generated", ()), empty).read_text("utf-8"))
    assert "mIoU none" in found.text


@EVERY_LOOK
def test_it_is_whole_readable_and_asks_for_nothing(
    browser: Browser, page: Path, width: int, scheme: str
) -> None:
    browser.open(page, width, scheme)
    assert browser.faults() == []
    assert browser.said() == []
    small = """return [...document.querySelectorAll('svg text')]
      .filter((one) => one.getBoundingClientRect().height < 9).map((one) => one.textContent)"""
    assert browser.ask(small) == []
    clipped = """return [...document.querySelectorAll('svg')].flatMap((svg) => {
      const frame = svg.getBoundingClientRect();
      return [...svg.querySelectorAll('text')].filter((one) => {
        const box = one.getBoundingClientRect();
        return box.left < frame.left || box.right > frame.right || box.top < frame.top;
      }).map((one) => one.textContent);
    })"""
    assert browser.ask(clipped) == []
    # The drawing has most of the room that its words leave.
    panels = (
        "return [...document.querySelectorAll('svg')].map((svg) => "
        "svg.querySelector('[id$=patch_2]').getBoundingClientRect().width / svg.clientWidth)"
    )
    assert min(browser.ask(panels)) > 0.6


def test_the_recipe_opens_by_keyboard(browser: Browser, page: Path) -> None:
    from selenium.webdriver import ActionChains, Keys

    driver = browser.open(page)
    ActionChains(driver).send_keys(Keys.TAB).send_keys(Keys.ENTER).perform()
    assert browser.ask("return document.querySelector('details').open")
    ActionChains(driver).send_keys(Keys.TAB).perform()
    assert browser.ask("return document.activeElement.tagName") == "PRE"
