"""What all tests have: pytest's own fixture for testing plugins, a browser, one way of rounding.

Commands tell Paddle's library what the processor can do, in the environment, which their children
inherit. A process that has multiplied before does not hear of it and rounds otherwise; so a test
that compares a training here with one in a child needs it said before anything else. One thread,
unless more are asked for: small kernels would wait for cores that others hold.
"""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

import pytest

from stdc_port.training.processor import use_wide_vectors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from browser import Browser

pytest_plugins = ["pytester"]
os.environ.setdefault("OMP_NUM_THREADS", "1")
use_wide_vectors()


def pytest_collection_finish() -> None:
    """Spare every later garbage collection the million objects of both frameworks."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    gc.unfreeze()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start one browser for a module's pages."""
    from browser import Browser, programs

    found = programs()
    if found is None:
        pytest.skip("no browser: install chromium and chromium-driver to try the pages in one")
    browser = Browser(*found)
    yield browser
    browser.driver.quit()
