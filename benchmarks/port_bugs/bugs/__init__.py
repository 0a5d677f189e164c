"""The planted bugs, one module a network."""

from __future__ import annotations

from benchmarks.port_bugs.bug import Bug
from benchmarks.port_bugs.bugs import encoder, hourglass, residual, stdc, tagger

BUGS: tuple[Bug, ...] = (
    *stdc.BUGS,
    *residual.BUGS,
    *encoder.BUGS,
    *tagger.BUGS,
    *hourglass.BUGS,
)
