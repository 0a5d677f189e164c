"""SIGTERM ends a command in order, whoever else would like to hear it."""

from __future__ import annotations

import subprocess
import sys

import pytest

ASKED = """
import os, signal, sys
from converters.stopping import end_in_order
end_in_order()
end_in_order()
for name in sys.argv[1:]:
    __import__(name)
try:
    os.kill(os.getpid(), signal.SIGTERM)
finally:
    print("in order")
"""


@pytest.mark.parametrize("loaded", [(), ("paddle",)])
def test_it_ends_in_order_after_paddle_was_loaded_too(loaded: tuple[str, ...]) -> None:
    """Paddle's own handler prints a trace, and leaves everything lying."""
    ended = subprocess.run(  # noqa: S603
        [sys.executable, "-W", "ignore", "-c", ASKED, *loaded],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (143, "in order\n", "")


def test_without_it_paddle_hears_the_signal() -> None:
    """The reason for it; once this fails, it may go."""
    code = ASKED.replace("end_in_order()\n", "").replace("import end_in_order", "import *")
    ended = subprocess.run(  # noqa: S603
        [sys.executable, "-W", "ignore", "-c", code, "paddle"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode < 0
    assert "in order" not in ended.stdout
