"""Parity of a torch and a paddle network, shown layer by layer.

Importing this package loads neither framework.
"""

from parity.check import check_parity
from parity.precision import State
from parity.record import NetworkError, Record, Trace
from parity.result import Between, Diagnosis, LayerResult, ParityResult
from parity.testing import assert_parity

__all__ = [
    "Between",
    "Diagnosis",
    "LayerResult",
    "NetworkError",
    "ParityResult",
    "Record",
    "State",
    "Trace",
    "assert_parity",
    "check_parity",
]
