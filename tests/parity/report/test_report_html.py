from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from importlib import resources
from typing import TYPE_CHECKING, Any

import made_up
import parity_toys as toys
import pytest

from converters import InputError
from parity import check_parity
from parity.report.html import SCRIPTS, as_html

if TYPE_CHECKING:
    from pathlib import Path

PAGE = resources.files("parity.report").joinpath("page")


class Page(HTMLParser):
    """Collects what the file's tags hold."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = [("", {})]
        self.texts: dict[str, str] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - the parser calls it so
        self.tags.append(("", {}))

    def handle_data(self, data: str) -> None:
        tag, attributes = self.tags[-1]
        name = attributes.get("id") or tag
        self.texts[name] = self.texts.get(name, "") + data

    @property
    def data(self) -> Any:
        return json.loads(self.texts["data"])


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(as_html(made_up.made_up(), made_up.SCRIPT))


def test_names_that_mean_harm_open_no_tag(page: Page) -> None:
    scripts = [attributes for tag, attributes in page.tags if tag == "script"]
    assert [script.get("type") for script in scripts] == ["application/json", None]
    assert not any(tag == "img" for tag, _ in page.tags)
    assert page.texts["title"] == f"Parity: {made_up.SCRIPT}"
    assert any(layer["name"] == made_up.CLOSING for layer in page.data["layers"])


def test_the_page_carries_the_json_report_with_long_lists_summed_up(page: Page) -> None:
    whole = made_up.made_up().to_json(made_up.SCRIPT)
    left_out = {"step_tol64": 0, "steps": 0, "failures": 0, "failing": len(whole["failures"])}
    assert {**page.data, **left_out} == {**json.loads(json.dumps(whole)), **left_out}
    assert page.data["failing"] == len(whole["failures"])
    assert page.data["failures"] == whole["failures"][:50]
    last = page.data["steps"][-1]
    failing = [t for t in whole["steps"][-1]["tensors"] if t["state"] == "mismatch"]
    assert (last["failing"], len(last["tensors"])) == (len(failing), 50)
    assert last["largest"]["gradient"]["name"] == "gradient.39"
    assert last["loss"] == 0.7


def test_the_policy_allows_this_style_and_script_alone(page: Page) -> None:
    policy = next(a["content"] for tag, a in page.tags if tag == "meta" and "http-equiv" in a)
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for name in ("style", "script"):
        digest = hashlib.sha256(page.texts[name].encode()).digest()
        assert f"{name}-src 'sha256-{base64.b64encode(digest).decode()}'" in policy


def test_nothing_is_fetched_and_nothing_is_read_as_markup(page: Page) -> None:
    links = [(tag, a) for tag, a in page.tags if {"src", "href"} & set(a)]
    assert [a["href"] for _, a in links] == ["data:,", "#layers"]
    code = "".join(PAGE.joinpath(name).read_text() for name in SCRIPTS)
    for word in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "fetch(",
    ):
        assert word not in code
    assert not re.search(r"url\(|@import", page.texts["style"])


def test_without_scripts_the_text_is_there(page: Page) -> None:
    assert "PARITY DOES NOT HOLD" in page.texts["pre"]
    assert made_up.SCRIPT in page.texts["pre"]


def test_the_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    result = check_parity(toys.torch_model(), toys.paddle_wrong_pool(), toys.images())
    file = tmp_path / "report.html"
    file.write_text("old")
    result.save_html(file, "a title")
    assert Page(file.read_text(encoding="utf-8")).data["first_divergence"] == "block.skip"
    assert list(tmp_path.iterdir()) == [file]
    with pytest.raises(InputError, match="absent"):
        result.save_html(tmp_path / "absent" / "report.html")


def test_a_large_network_stays_small() -> None:
    # As many as STDC2-Seg has with all checks: each call and tensor failing, eight with a map.
    result = made_up.many(calls=540, tensors=800)
    assert len(as_html(result).encode()) < 2_000_000
