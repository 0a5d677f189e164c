"""What a check could change and belongs to no framework: Python's and numpy's random numbers."""

from __future__ import annotations

import random
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def random_numbers_restored() -> Iterator[None]:
    """Leave the global generators of Python and numpy as they were, also after an exception.

    Those of the frameworks are restored by each run (`parity.backends`). These two are shared: one
    network of a pair may end before the other, so no single run can restore them.
    """
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - networks use it
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
