"""Results shown by print, IPython and notebooks: the terminal's words, escaped and bounded."""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter
from safetensors.numpy import save_file

from converters import (
    convert_file,
    diff_checkpoints,
    inspect_checkpoint,
    plan_conversion,
    read_checkpoint,
)
from converters.inspect import TensorTable
from converters.notebook import LINES, ROWS, as_html
from converters.shown import Shown

SCRIPT = "<script>alert(1)</script>"
ALLOWED = {"p", "strong", "pre", "table", "caption", "thead", "tbody", "tr", "th", "td"}


class Page(HTMLParser):
    """The elements of a fragment, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert {name for name, _ in attrs} <= {"style"}
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(shape).standard_normal(shape).astype("float32")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One result of every kind, of a file whose keys are HTML, and of one with many."""
    root = tmp_path_factory.mktemp("shown")
    keys = [f"{SCRIPT}.{place}" for place in range(200)]
    a = {f"{key}.{part}": numbers(4) for key in keys for part in ("weight", "bias")}
    save_file(a, root / "a.safetensors")
    save_file({key: value + 1 for key, value in a.items()}, root / "b.safetensors")
    first, second = (read_checkpoint(root / f"{name}.safetensors") for name in "ab")
    seen = inspect_checkpoint(root / "a.safetensors")
    asked: dict[str, Any] = {"to": "paddle", "arch": "generic"}
    return {
        "plan": plan_conversion(first, origin="torch", **asked),
        "report": convert_file(first.path, root / "a.pdparams", strict=False, **asked),
        "inspection": seen,
        "tensors": TensorTable(seen.tensors),
        "difference": diff_checkpoints(first, second),
    }


KINDS = ("plan", "report", "inspection", "tensors", "difference")


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_stays_text_and_many_keys_stay_few_rows(results: dict[str, Any], kind: str) -> None:
    page = Page(results[kind]._repr_html_())
    assert set(page.tags) <= ALLOWED
    assert SCRIPT in page.text
    assert page.tags.count("tr") <= 3 * ROWS
    assert max(len(text.splitlines()) for text in page.text.split(SCRIPT)) <= LINES + 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_notebook_gets_words_and_a_table_and_no_repr(results: dict[str, Any], kind: str) -> None:
    formatter = DisplayFormatter()
    formatter.active_types = ["text/plain", "text/html"]
    shown, _ = formatter.format(results[kind])
    assert set(shown) == {"text/plain", "text/html"}
    assert f"{type(results[kind]).__name__}(" not in shown["text/plain"]
    assert len(shown["text/plain"].splitlines()) <= LINES + 1
    assert shown["text/html"] == results[kind]._repr_html_()


def test_a_plan_shows_every_fate_with_its_keys(results: dict[str, Any]) -> None:
    told = str(results["plan"])
    for action, count in results["plan"].counts.items():
        assert any(line.split()[:2] == [action, str(count)] for line in told.splitlines())
    assert f"{SCRIPT}.0.weight" in told
    assert "… 395 more" in told


def test_what_is_cut_off_is_counted() -> None:
    from rich.console import Group
    from rich.text import Text

    made = as_html(Group(*(Text(f"line {place}") for place in range(LINES + 7))))
    assert Page(made).text.endswith("… 7 more")
    assert f"line {LINES}\n" not in made


def test_neither_rich_nor_a_framework_is_loaded_until_something_is_shown(tmp_path: Path) -> None:
    save_file({"fc.weight": numbers(2, 3), "fc.bias": numbers(2)}, tmp_path / "net.safetensors")
    code = (
        "import sys, converters\n"
        "assert not {'rich', 'numpy', 'torch', 'paddle'} & set(sys.modules)\n"
        "report = converters.convert_file('net.safetensors', to='paddle', arch='generic')\n"
        "assert not {'rich', 'html', 'torch', 'paddle'} & set(sys.modules)\n"
        "assert 'transpose' in report._repr_html_()\n"
        "assert not {'torch', 'paddle'} & set(sys.modules)\n"
    )
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_result_that_a_terminal_shows_is_shown_by_a_notebook() -> None:
    from stdc_port.export.compare import Export
    from stdc_port.export.latency import Latency
    from stdc_port.training import ablation, metrics, parts, pipeline, prediction

    results = [Export, Latency, ablation.Ablation, metrics.Evaluation]
    results += [parts.Part, pipeline.Outcome, prediction.Predicted]
    assert [one.__name__ for one in results if not issubclass(one, Shown)] == []


def test_an_evaluation_is_a_table_of_classes() -> None:
    from stdc_port.training.metrics import Evaluation

    found = Evaluation(np.diag([3, 1]), 2, (1.0,), ("road", SCRIPT))
    page = Page(found._repr_html_())
    assert set(page.tags) <= ALLOWED
    assert "2 images at scale 1" in page.text
    assert SCRIPT in page.text
    assert "100.00" in str(found)
