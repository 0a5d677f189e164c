"""Small files that a person wrote or was given: rules, recipes. Read whole, and with care."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

from converters.errors import InputError

# Of a file, and of dots in a line: a key of many parts takes the square of its length in memory.
MOST_BYTES, MOST_DOTS = 1 << 20, 500


def small_text(path: Path, most: int = MOST_BYTES) -> str:
    """Return the text of a small file.

    Args:
        path: of it.
        most: bytes that it may have.

    Raises:
        InputError: it cannot be read, is a pipe or a device, is large, or no text.
    """
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: is no regular file")
        if path.stat().st_size > most:
            raise InputError(f"{path}: has more than {most >> 20} MiB; expected a small text file")
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is no UTF-8 text ({error.reason})") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error


def small_json(path: Path, most: int = MOST_BYTES) -> Any:
    """Return what a small JSON file says.

    Args:
        path: of it.
        most: bytes that it may have.

    Raises:
        InputError: as `small_text`; or it is not JSON, or is nested without end.
    """
    try:
        return json.loads(small_text(path, most))
    except (ValueError, RecursionError) as error:
        reason = "nested without end" if isinstance(error, RecursionError) else error
        raise InputError(f"{path}: cannot be read as JSON ({reason})") from error


def toml_in(text: str) -> dict[str, Any]:
    """Return what a TOML text says.

    Raises:
        ValueError: it is not TOML, or is nested without end.
        ImportError: an old Python has no reader of it.
    """
    try:
        tomllib = importlib.import_module("tomllib")
    except ImportError:
        tomllib = importlib.import_module("tomli")
    if any(line.count(".") > MOST_DOTS for line in text.splitlines()):
        raise ValueError(f"a line has more than {MOST_DOTS} dots")
    try:
        found: dict[str, Any] = tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested without end") from error
    return found
