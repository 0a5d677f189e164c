"""Reads one broken file under guard: time, memory, code, and files elsewhere."""

from __future__ import annotations

import os
import re
import resource
import signal
import site
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECONDS = 5
MEBIBYTE = 2**20
# What a file may take beside twice its size.
ALLOWANCE = 200 * MEBIBYTE
# The broken files have up to 100 MiB, few of them; what grows beyond this is cut off by the system.
LARGEST = 256 * MEBIBYTE
# Events of the interpreter that reading a file has no business with.
FORBIDDEN = re.compile(
    r"os\.(system|exec|fork|forkpty|posix_spawn|spawn|startfile|kill|putenv|chmod|chown|link|symlink)"
    r"|subprocess\.|socket\.|ctypes\.|pty\.|pickle\.find_class|"
    r"ftplib|smtplib|urllib|webbrowser"
)
# Where modules may be loaded from, at first need.
PLACES = (*site.getsitepackages(), Path(os.__file__).parent, Path(__file__).parents[2])
INSTALLED = tuple(os.path.realpath(place) + os.sep for place in PLACES)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

Refusals = type[Exception] | tuple[type[Exception], ...]
FINE = frozenset({"read", "refused", "match", "mismatch"})


class TooLongError(BaseException):
    """The file took longer than it may; no `except Exception` may catch it."""


@dataclass(frozen=True)
class Outcome:
    """What became of one file.

    Attributes:
        kind: "read" or the verdict on what was read, "refused", or what went wrong.
        detail: the message or the traceback.
    """

    kind: str
    detail: str = ""

    @property
    def fine(self) -> bool:
        """Whether that is what shall happen to a broken file."""
        return self.kind in FINE


class Guard:
    """Watches this process; one for its whole life, since audit hooks cannot be taken off.

    Args:
        folder: the only one in which files may be written.
    """

    def __init__(self, folder: Path) -> None:
        self._inside = os.path.realpath(folder)
        self._seen: list[str] = []
        self._watching = False
        sys.addaudithook(self._event)
        signal.signal(signal.SIGALRM, self._too_long)

    def _event(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._watching and self._forbids(event, arguments):
            self._seen.append(f"{event} {arguments!r}"[:300])

    def _forbids(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event == "exec":
            return not installed(arguments[0])
        if event == "code.__new__":
            # A compiled module makes code, of no content, for its tracebacks.
            return not str(arguments[1]).endswith(".pyx")
        if event == "shutil.rmtree":
            return not self._is_inside(arguments[0])
        if event == "import":
            return arguments[0].split(".")[0] in {"torch", "paddle"}
        if event == "open":
            return self._writes(*arguments)
        return FORBIDDEN.match(event) is not None

    def _writes(self, path: Any, mode: str | None, flags: int) -> bool:
        writing = bool(flags & WRITING) if mode is None else bool(set(mode) & set("wax+"))
        if not writing or isinstance(path, int):
            return False
        return not self._is_inside(path)

    def _is_inside(self, path: Any) -> bool:
        return os.path.realpath(os.fsdecode(path)).startswith(self._inside + os.sep)

    @staticmethod
    def _too_long(*_: object) -> None:
        raise TooLongError

    def __call__(
        self, use: Callable[[Path], str | None], path: Path, refusals: Refusals
    ) -> Outcome:
        """Use a file and say what came of it.

        Args:
            use: what to do with it; a word that it returns is its verdict.
            path: the file.
            refusals: the errors that stand for a refusal.
        """
        self._seen.clear()
        before = reset_peak()
        self._watching = True
        signal.alarm(SECONDS)
        try:
            outcome = told(use, path, refusals)
        except TooLongError:
            outcome = Outcome("hang", f"more than {SECONDS} s")
        finally:
            signal.alarm(0)
            self._watching = False
        if self._seen:
            return Outcome("forbidden", "; ".join(self._seen))
        used = peak() - before
        if outcome.fine and used > 2 * path.stat().st_size + ALLOWANCE:
            return Outcome("memory", f"{used / MEBIBYTE:.0f} MiB")
        return outcome


def installed(code: Any) -> bool:
    """Return whether code that is run comes from a module of this installation."""
    name = code.co_filename
    return os.path.isabs(name) and os.path.realpath(name).startswith(INSTALLED)  # noqa: PTH117


def told(use: Callable[[Path], str | None], path: Path, refusals: Refusals) -> Outcome:
    """Return whether a file was read or refused in one clear line, or what happened instead."""
    try:
        verdict = use(path)
    except refusals as error:
        lines = str(error).split("\n")
        told = all(line.isprintable() and len(line) < 1000 for line in lines)
        clear = told and str(path.parent) in str(error)
        return Outcome("refused" if clear else "unclear", str(error))
    except TooLongError:
        raise
    except BaseException:  # noqa: BLE001 - whatever it is, it should not have happened
        return Outcome("crash", traceback.format_exc())
    return Outcome(verdict or "read")


def limit() -> None:
    """Set the limits of the system for this process."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST, LARGEST))
    resource.setrlimit(resource.RLIMIT_AS, (8 * 2**30, 8 * 2**30))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def reset_peak() -> int:
    """Let the peak of the memory in use begin anew, and return what is in use, in bytes."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return peak()


def peak() -> int:
    """Return the most memory that was in use, in bytes."""
    text = Path("/proc/self/status").read_text(encoding="ascii")
    (found,) = re.findall(r"VmHWM:\s+(\d+) kB", text)
    return int(found) * 1024
