"""SIGTERM ends a command in order, whoever else would like to hear it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from converters.stopping import code_of_end

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


def taken_for_its_own(signalled: BaseException) -> ImportError:
    """What Paddle makes of a signal that comes while it is loaded."""
    try:
        try:
            raise signalled
        except BaseException as cause:
            raise ImportError("initialization failed") from cause
    except ImportError as error:
        return error


@pytest.mark.parametrize(
    ("signalled", "code"),
    [(KeyboardInterrupt(), 130), (SystemExit(143), 143), (ValueError("no file"), None)],
)
def test_a_signal_amid_an_import_is_told_from_an_import_that_fails(
    signalled: BaseException, code: int | None
) -> None:
    assert code_of_end(taken_for_its_own(signalled)) == code
    assert code_of_end(signalled) == code


UNHEARD = """
import os, signal, weakref
from converters.stopping import end_in_order, was_asked
end_in_order()
class Kept: pass
kept = Kept()
watched = weakref.ref(kept, lambda _: os.kill(os.getpid(), signal.SIGTERM))
before = was_asked()
del kept
print(before, was_asked())
"""


def test_a_signal_that_python_passes_over_is_remembered() -> None:
    ended = subprocess.run(  # noqa: S603
        [sys.executable, "-c", UNHEARD], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, "False True\n")
    assert "SystemExit: 143" in ended.stderr
