"""A parity result in a notebook: verdict, first divergence and the layers that matter."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from parity.report.terminal import figure, kinds, what_matters
from parity.result import shown

if TYPE_CHECKING:
    from parity.result import LayerResult, ParityResult


def as_fragment(result: ParityResult) -> str:
    """Give a result as a small piece of HTML without scripts or styles of its own."""
    return ""
