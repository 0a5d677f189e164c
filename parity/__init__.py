"""Parity of a torch and a paddle network, shown layer by layer.

Importing this package loads neither framework, and what it offers only when that is asked for: its
pytest plugin is imported in every test run.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parity.check import check_parity
    from parity.layer_result import Between, LayerResult
    from parity.precision import State
    from parity.record import NetworkError, Record, Trace
    from parity.result import Diagnosis, ParityResult
    from parity.testing import ParityError, assert_parity

_HOMES = {
    "Between": "parity.layer_result",
    "Diagnosis": "parity.result",
    "LayerResult": "parity.layer_result",
    "NetworkError": "parity.record",
    "ParityError": "parity.testing",
    "ParityResult": "parity.result",
    "Record": "parity.record",
    "State": "parity.precision",
    "Trace": "parity.record",
    "assert_parity": "parity.testing",
    "check_parity": "parity.check",
}

__all__ = [
    "Between",
    "Diagnosis",
    "LayerResult",
    "NetworkError",
    "ParityError",
    "ParityResult",
    "Record",
    "State",
    "Trace",
    "assert_parity",
    "check_parity",
]


def __getattr__(name: str) -> Any:
    """Load what is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'parity' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
