"""The HTML report as a reader has it: in a real browser, by mouse and by keyboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import made_up
import pytest
from browser import EVERY_LOOK, Browser
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("report") / "report.html"
    made_up.made_up().save_html(file, made_up.SCRIPT)
    return file


def names(page: Any, table: str = "layer-table") -> list[str]:
    return [e.text for e in page.find_elements(By.CSS_SELECTOR, f"#{table} td.opens button")]


def head(page: Any, name: str) -> Any:
    buttons = page.find_elements(By.CSS_SELECTOR, "#layer-table th button")
    return next(button for button in buttons if button.text.startswith(name))


@EVERY_LOOK
def test_it_is_whole_readable_and_asks_for_nothing(
    browser: Browser, report: Path, width: int, scheme: str
) -> None:
    page = browser.open(report, width, scheme)
    assert page.find_element(By.TAG_NAME, "h1").text == "✗ Parity does not hold"
    for section in page.find_elements(By.TAG_NAME, "section"):
        assert section.is_displayed(), section.get_attribute("id")
    for table in page.find_elements(By.CSS_SELECTOR, ".tall"):
        assert browser.ask("return arguments[0].scrollWidth - arguments[0].clientWidth", table) == 0
    assert browser.requested() == [report.as_uri()]
    for opener in page.find_elements(By.CSS_SELECTOR, "summary"):
        opener.click()
    assert browser.faults() == []
    assert browser.said() == []


def test_names_that_mean_harm_are_shown_and_not_run(browser: Browser, report: Path) -> None:
    page = browser.open(report)
    assert made_up.SCRIPT in names(page)
    assert made_up.CLOSING in names(page)
    assert page.title == f"Parity: {made_up.SCRIPT}"
    assert page.find_elements(By.TAG_NAME, "img") == []
    links = [a.get_attribute("href") for a in page.find_elements(By.TAG_NAME, "a")]
    assert not any(link.startswith("javascript") for link in links)


@EVERY_LOOK
def test_a_click_on_a_head_sorts(browser: Browser, report: Path, width: int, scheme: str) -> None:
    page = browser.open(report, width, scheme)
    assert names(page)[0] == "stage.0.block.0.conv"
    head(page, "float64").click()
    assert names(page)[:2] == ["pool", "pool (call 1)"]
    assert head(page, "float64").find_element(By.XPATH, "..").get_attribute("aria-sort") == (
        "descending"
    )
    head(page, "float64").click()
    assert names(page)[0] == "stage.0.block.0.conv"
    # What has no figure comes last either way.
    assert names(page)[-1] == "empty"
    head(page, "verdict").click()
    assert names(page)[0] == "pool"
    assert head(page, "float64").find_element(By.XPATH, "..").get_attribute("aria-sort") == "none"


@EVERY_LOOK
def test_text_and_verdict_filter(browser: Browser, report: Path, width: int, scheme: str) -> None:
    page = browser.open(report, width, scheme)
    text, state, count = (
        page.find_element(By.CSS_SELECTOR, f"#layer-table {tag}")
        for tag in ("input", "select", "output")
    )
    text.send_keys("POOL avg")
    assert names(page) == ["pool", "pool (call 1)", "pool gradient"]
    assert count.text == "3 of 37 layer calls and 2 gradients"
    Select(state).select_by_value("failing")
    assert names(page) == ["pool", "pool (call 1)"]
    text.clear()
    Select(state).select_by_value("wrong by itself")
    assert names(page) == ["pool", made_up.SCRIPT]
    Select(state).select_by_value("rounding")
    assert names(page) == ["norm", "pool gradient", "norm gradient"]


def test_a_name_unfolds_its_tensors(browser: Browser, report: Path) -> None:
    page = browser.open(report)
    page.find_element(By.CSS_SELECTOR, "#layer-table input").send_keys("pool")
    second = page.find_elements(By.CSS_SELECTOR, "#layer-table td.opens button")[1]
    second.click()
    assert second.get_attribute("aria-expanded") == "true"
    more = page.find_element(By.CSS_SELECTOR, "#layer-table tr.more")
    for word in ("Outputs", "Inputs that the enclosing forward", "2.0e-01", "1 × 4 × 16 × 24"):
        assert word in more.text
    second.click()
    assert page.find_elements(By.CSS_SELECTOR, "#layer-table tr.more") == []


@EVERY_LOOK
def test_pointing_at_the_chart_shows_the_layer_and_a_click_goes_to_it(
    browser: Browser, report: Path, width: int, scheme: str
) -> None:
    page = browser.open(report, width, scheme)
    chart = page.find_element(By.ID, "chart")
    flag = chart.find_element(By.CSS_SELECTOR, "line.fault")
    page.execute_script("arguments[0].scrollIntoView({ block: 'center' })", chart)
    ActionChains(page).move_to_element(flag).perform()
    tip = chart.find_element(By.CLASS_NAME, "tip")
    assert tip.is_displayed()
    for word in ("pool", "AvgPool2d", "mismatch", "float32", "float64", "own error", "3.0e-01"):
        assert word in tip.text
    box, frame = tip.rect, chart.rect
    assert frame["x"] <= box["x"]
    assert box["x"] + box["width"] <= frame["x"] + frame["width"]
    ActionChains(page).click().perform()
    chosen = page.find_element(By.CSS_SELECTOR, "#layer-table tr.chosen")
    assert chosen.text.replace("\n", " ").split()[-2:] == ["✗", "mismatch"]
    assert page.switch_to.active_element.text == "pool"
    assert browser.said() == []


def test_the_keyboard_reaches_everything(browser: Browser, report: Path) -> None:
    page = browser.open(report)
    reached = []
    for _ in range(60):
        page.switch_to.active_element.send_keys(Keys.TAB)
        focus = page.switch_to.active_element
        reached.append(focus.get_attribute("id") or focus.get_attribute("class") or focus.text)
        if focus.get_attribute("id") == "chart":
            focus.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
            said = page.find_element(By.ID, "readout").text
            assert said.startswith("stage.0.block.1.conv, Conv2d, float32 6.0e-07")
            focus.send_keys(Keys.END, Keys.HOME, Keys.ENTER)
            assert page.switch_to.active_element.text == "stage.0.block.0.conv"
            break
    assert reached[0] == "skip"
    assert "map" in reached
    head(page, "float32").send_keys(Keys.ENTER)
    # The network itself: its float32 error is beyond all numbers.
    assert names(page)[0] == "the network itself"
    assert page.switch_to.active_element.text.startswith("float32")


def test_the_chart_shows_the_backward_pass_too(browser: Browser, report: Path) -> None:
    page = browser.open(report)
    page.find_element(By.CSS_SELECTOR, "#phases [value=backward]").click()
    chart = page.find_element(By.ID, "chart")
    chart.send_keys(Keys.END)
    assert page.find_element(By.ID, "readout").text.startswith("norm gradient")
    legend = page.find_element(By.ID, "legend").text.split("\n")
    assert legend == ["float32", "float64"]


def test_maps_are_drawn_with_scale_and_read_by_pointer_and_keyboard(
    browser: Browser, report: Path
) -> None:
    page = browser.open(report)
    card = page.find_element(By.ID, "first-card")
    assert "only at the border, the outermost row and column" in card.text
    assert "not finite on one side" in card.text
    canvas = card.find_element(By.CSS_SELECTOR, "canvas.map")
    colours = browser.ask(
        "const c = arguments[0], pen = c.getContext('2d');"
        "const at = (x, y) => [...pen.getImageData(x, y, 1, 1).data];"
        "return [c.width, c.height, at(0, 0), at(5, 5), at(9, 9), at(5, 0)]",
        canvas,
    )
    assert colours[:2] == [40, 16]
    unlike, inside, inside_too, border = map(tuple, colours[2:])
    assert inside == inside_too
    assert len({unlike, inside, border}) == 3
    for colour, kind in ((inside, "within"), (unlike, "unlike")):
        swatch = card.find_element(By.CSS_SELECTOR, f".swatch.{kind}")
        assert swatch.value_of_css_property("background-color") == f"rgba{(*colour[:3], 1)}"
    caption = card.find_element(By.TAG_NAME, "figcaption")
    assert caption.text == "own error, 16 × 40 places"
    canvas.send_keys(Keys.ARROW_RIGHT)
    assert caption.text == "row 0, column 0: not finite on one side"
    canvas.send_keys(Keys.ARROW_DOWN, Keys.ARROW_RIGHT)
    assert caption.text == "row 1, column 1: 0"


def test_diagnoses_carry_their_mend_as_code(browser: Browser, report: Path) -> None:
    page = browser.open(report)
    cards = page.find_elements(By.CSS_SELECTOR, "#diagnosis-cards .card")
    assert "exclusive=False)" in cards[0].find_element(By.TAG_NAME, "code").text
    link = cards[0].find_element(By.TAG_NAME, "a")
    assert link.get_attribute("href") == "https://github.com/PaddlePaddle/Paddle/issues/36920"
    assert cards[1].find_elements(By.TAG_NAME, "a") == []


@pytest.mark.parametrize(
    ("make", "headline", "sentence"),
    [
        (
            made_up.passing,
            "✓ Parity holds",
            (
                "All 2 layer calls agree, run in float32 and float64. "
                "1 differs in float32 by rounding alone: float64 agrees."
            ),
        ),
        (made_up.nothing, "✗ Parity does not hold", "No layer was compared."),
    ],
)
def test_short_results_have_short_pages(
    browser: Browser, tmp_path: Path, make: Any, headline: str, sentence: str
) -> None:
    file = tmp_path / "short.html"
    make().save_html(file)
    page = browser.open(file)
    assert page.find_element(By.TAG_NAME, "h1").text == headline
    assert page.find_element(By.ID, "sentence").text == sentence
    shown = {
        s.get_attribute("id")
        for s in page.find_elements(By.TAG_NAME, "section")
        if s.is_displayed()
    }
    assert shown == ({"depth", "layers", "how"} if make is made_up.passing else {"how"})
    assert browser.said() == []


def test_what_fails_in_no_layer_is_said_on_top(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "training.html"
    made_up.training_fails().save_html(file)
    page = browser.open(file)
    failing = len(made_up.training_fails().failures)
    assert f"But {failing} other comparisons fail." in page.find_element(By.ID, "sentence").text
    assert page.find_element(By.CSS_SELECTOR, "#first h2").text == "What fails"
    first = page.find_element(By.ID, "first-card").text.split("\n")[0]
    assert first == "step 3: gradient gradient.29: mismatch"
    page.find_element(By.ID, "step-chart").send_keys(Keys.END)
    assert page.find_element(By.ID, "step-readout").text.startswith("step 5, loss 1.7e-11")
    assert "float64 tolerance 1.0e-09" in page.find_element(By.ID, "step-chart").text
    assert browser.said() == []


def test_on_paper_the_whole_table_is_there(browser: Browser, report: Path) -> None:
    page = browser.open(report)
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    table = page.find_element(By.CSS_SELECTOR, "#layer-table .tall")
    assert browser.ask("return arguments[0].scrollHeight - arguments[0].clientHeight", table) == 0
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
