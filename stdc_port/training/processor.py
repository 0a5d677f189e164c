"""Paddle's matrix products on processors that its library does not know.

Builds of Paddle for CPUs bring Intel's MKL of 2019 (`libmklml_intel.so`), which looks at the
processor's maker before it looks at what the processor can do: on AMD's it takes its narrowest
code. `MKL_DEBUG_CPU_TYPE` names the code to take. Intel has not documented it, and ended it with
MKL 2020.1; a library without it does not notice. It is read at the first product of a process.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from pathlib import Path

VARIABLE = "MKL_DEBUG_CPU_TYPE"
_MAKERS = frozenset({"AuthenticAMD", "HygonGenuine"})
# MKL's numbers for its code for Skylake's servers and for Haswell, and what either makes use of.
_CODES = (
    ("7", frozenset({"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"})),
    ("5", frozenset({"avx2", "fma"})),
)
_FACTS = Path("/proc/cpuinfo")


def use_wide_vectors(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let MKL use what the processor has, unless the environment says something of it already.

    Measured on an EPYC with AVX-512: a product of 1024 × 1024 takes a fifth of the time, a
    training step half. Sums are rounded in another order, as on an Intel processor.

    Args:
        environment: to be changed; that of this process reaches its children, too.
    """
    if VARIABLE in environment or not _FACTS.is_file():
        return
    code = mkl_code(_FACTS.read_text(encoding="utf-8", errors="replace"))
    if code is not None:
        environment[VARIABLE] = code


def mkl_code(cpuinfo: str) -> str | None:
    """Number of MKL's fastest code that a processor can run, None where MKL finds it by itself.

    Args:
        cpuinfo: what Linux says of the processor; the first one settles it.
    """
    first = cpuinfo.partition("\n\n")[0].splitlines()
    facts = {key.strip(): value.split() for key, _, value in (row.partition(":") for row in first)}
    if not _MAKERS & {*facts.get("vendor_id", ())}:
        return None
    able = {*facts.get("flags", ())}
    return next((code for code, needs in _CODES if needs <= able), None)
