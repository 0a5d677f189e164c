"""Libraries that print from C++ whatever they are told."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def held_back() -> Iterator[None]:
    """Keep what the process prints, C++ too; show it on stderr if the block raises."""
    sys.stdout.flush()
    sys.stderr.flush()
    with tempfile.TemporaryFile() as kept:
        before = [(number, os.dup(number)) for number in (1, 2)]
        failed = False
        try:
            for number, _ in before:
                os.dup2(kept.fileno(), number)
            yield
        except Exception:
            failed = True
            raise
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, saved in before:
                os.dup2(saved, number)
                os.close(saved)
            if failed:
                kept.seek(0)
                sys.stderr.write(kept.read().decode(errors="replace"))
