"""Parity as a test's assertion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parity.check import check_parity

if TYPE_CHECKING:
    from parity.result import ParityResult


def assert_parity(
    torch_module: Any, paddle_layer: Any, inputs: Any, **options: Any
) -> ParityResult:
    """Check parity and fail the test unless it holds; see `check_parity` for the arguments.

    Raises:
        AssertionError: Parity was not shown; the text says where and how far it is off.
    """
    # Keeps this frame out of pytest's traceback: the caller's line and the text matter.
    __tracebackhide__ = True
    result = check_parity(torch_module, paddle_layer, inputs, **options)
    if not result:
        from parity.report.terminal import as_text

        raise AssertionError(as_text(result))
    return result
