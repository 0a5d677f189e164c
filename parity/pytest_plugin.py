"""The pytest plugin: a fixture, and failures that show the report instead of a traceback.

It loads in every test run of an environment, so it imports nothing until a test asks for parity.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from parity.result import ParityResult
    from parity.testing import ParityError


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--parity-html`."""
    parser.getgroup("parity", "parity of torch and paddle networks").addoption(
        "--parity-html",
        metavar="DIR",
        type=Path,
        help="write an HTML report of every failed parity check into this folder",
    )


@pytest.fixture
def parity() -> Callable[..., ParityResult]:
    """Give `parity.assert_parity`: fails the test unless both networks compute the same.

    A test calls `parity(torch_module, paddle_layer, inputs, **options)`, the options being those of
    `check_parity`, and gets the result if parity holds.
    """
    from parity.testing import assert_parity

    return assert_parity


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a failed parity check speak for itself."""
    report = yield
    error = None if call.excinfo is None else _parity_error(call.excinfo.value)
    if report.failed and call.excinfo is not None and error is not None:
        report.longrepr = _spoken(item, call.excinfo, error)
    return report


def _spoken(item: pytest.Item, raised: pytest.ExceptionInfo[Any], error: ParityError) -> Any:
    place = raised.traceback.filter(raised)[-1]
    where = f"{_shown(place.path)}:{place.lineno + 1}: {str(place.statement).strip()}"
    shown: Any = raised.getrepr(style="native")
    text = "\n".join([str(error), "", *_written(item, error), where, ""])
    shown.reprtraceback.reprentries[0].lines[:] = [text]
    # Where the variable CI is set, pytest's summary shows all of the message: one line.
    shown.reprcrash.message = str(error).partition("\n")[0]
    return shown


def _parity_error(error: BaseException) -> ParityError | None:
    # Whoever raised one has loaded its class.
    module = sys.modules.get("parity.testing")
    return error if module is not None and isinstance(error, module.ParityError) else None


def _shown(path: Any) -> str:
    here = Path.cwd()
    return str(Path(path).relative_to(here) if Path(path).is_relative_to(here) else path)


def _written(item: pytest.Item, error: ParityError) -> list[str]:
    folder: Path | None = item.config.getoption("--parity-html")
    if folder is None:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^\w.-]+", "-", item.nodeid).strip("-")
    path = folder / f"{name}.html"
    error.result.save_html(path, item.nodeid)
    return [f"report: {path}"]
