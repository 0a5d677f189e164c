"""The plugin in test runs of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import parity_toys  # noqa: F401 - frameworks stay loaded between runs; they cannot load twice
import pytest

import parity.check
import parity.dump
import parity.report.html
import parity.report.terminal
import parity.testing  # noqa: F401

Run = Callable[..., pytest.RunResult]
HERE = Path(__file__).parent
HEAD = f"""
import sys
sys.path.insert(0, {str(HERE)!r})
import parity_toys as toys
from parity import assert_parity, check_parity
from parity.inputs import random_input
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    # Whether the entry point is installed must not matter here.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(body: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(HEAD + body)
        options = ("-p", "parity.pytest_plugin", "-p", "no:cacheprovider", *options)
        return pytester.runpytest_inprocess(*options)

    return run


@pytest.mark.parametrize("ci", ["", "true"])  # where it is set, pytest shortens no message
def test_a_failure_is_the_report_and_the_tests_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, ci: str
) -> None:
    monkeypatch.setenv("CI", ci)
    result = run("""
def test_port(parity):
    x = random_input((1, 3, 97, 65))
    parity(toys.torch_stdc1(), toys.paddle_stdc1_of_paddleseg(), x)

def test_mended(parity):
    x = random_input((1, 3, 97, 65))
    assert parity(toys.torch_stdc1(), toys.paddle_stdc1(), x).counts()["match"] > 100
""")
    result.assert_outcomes(failed=1, passed=1)
    text = result.stdout.str()
    result.stdout.fnmatch_lines(
        [
            "PARITY DOES NOT HOLD*",
            "first divergence: features.2.skip (AvgPool2d)",
            "features.2.skip *AvgPool2d*mismatch",
            "*_tests_line.py:9: parity(toys.torch_stdc1(), toys.paddle_stdc1_of_paddleseg(), x)",
            "FAILED *::test_port - PARITY*",
        ]
    )
    assert "Traceback" not in text
    assert "check_parity(" not in text
    assert len(text.splitlines()) < 60


def test_assert_parity_without_the_fixture_and_options(run: Run) -> None:
    result = run("""
def test_port():
    model, other = toys.torch_model(), toys.paddle_wrong_epsilon()
    assert_parity(model, other, toys.images(), precision="float32")
    assert_parity(model, other, toys.images())

def test_other():
    assert check_parity(toys.torch_model(), toys.paddle_model(), toys.images())
""")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["first divergence: block.bn*", "*.py:10: assert_parity(*"])


def test_other_failures_stay_as_they_are(run: Run) -> None:
    result = run("""
def test_it(parity):
    assert {"a": 1} == {"a": 2}
""")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *assert {'a': 1} == {'a': 2}*"])


def test_html_reports_of_failures(run: Run, pytester: pytest.Pytester) -> None:
    result = run(
        """
import pytest
@pytest.mark.parametrize("n", [1, 2])
def test_port(parity, n):
    parity(toys.torch_model(), toys.paddle_wrong_pool() if n > 1 else toys.paddle_model(),
           toys.images())
""",
        "--parity-html=reports/today",
    )
    result.assert_outcomes(failed=1, passed=1)
    (page,) = (pytester.path / "reports" / "today").iterdir()
    assert page.name.endswith("test_port-2.html")
    assert "block.skip" in page.read_text()
    result.stdout.fnmatch_lines(["report: reports/today/*.html"])


def test_importing_it_loads_no_framework_and_no_numpy() -> None:
    code = (
        "import sys, parity.pytest_plugin\n"
        "heavy = ('torch', 'paddle', 'numpy', 'rich', 'parity.check')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run(  # noqa: S603 - our own text
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_it_is_registered_as_an_entry_point() -> None:
    text = (HERE.parents[1] / "pyproject.toml").read_text()
    assert '[project.entry-points.pytest11]\nstdc_parity = "parity.pytest_plugin"' in text
