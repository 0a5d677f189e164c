"""Parity as a test's assertion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parity.result import ParityResult


class ParityError(AssertionError):
    """Parity was not shown; the text is the terminal's report.

    Attributes:
        result: What the check found.
    """

    def __init__(self, result: ParityResult) -> None:
        """Report a result that is false."""
        from parity.report.terminal import as_text

        self.result = result
        super().__init__(as_text(result).rstrip())


def assert_parity(
    torch_module: Any, paddle_layer: Any, inputs: Any, **options: Any
) -> ParityResult:
    """Check parity and fail the test unless it holds; see `check_parity` for the arguments.

    With the pytest plugin, a failure shows the test's line and the report, and no traceback.

    Raises:
        ParityError: Parity was not shown; the text says where and how far it is off.
    """
    # Keeps this frame out of pytest's traceback: the caller's line and the text matter.
    __tracebackhide__ = True
    from parity.check import check_parity

    result = check_parity(torch_module, paddle_layer, inputs, **options)
    if not result:
        raise ParityError(result)
    return result
