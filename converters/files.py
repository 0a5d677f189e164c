"""The file that is written: under a temporary name until it is known to be right."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from converters.errors import InputError


def check_target(path: Path, sources: tuple[Path, ...], *, force: bool) -> None:
    """Refuse a target that would overwrite something.

    Raises:
        InputError: it is a source, a folder, or exists without ``force``; or its folder does not.
    """
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}; make it first")
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a file")
    if path.exists() and any(source.exists() and path.samefile(source) for source in sources):
        raise InputError(f"{path}: source and target are the same file; name another with -o")
    if path.exists() and not force:
        raise InputError(f"{path}: exists already; --force replaces it, -o names another")


@contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """Yield a temporary file in the target's folder; it is gone afterwards, whatever happens.

    Raises:
        InputError: the folder cannot be written to, or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}.part")
    try:
        temporary.touch(exist_ok=False)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error
    try:
        yield temporary
    except OSError as error:
        raise InputError(f"{path}: not written ({error.strerror or error})") from error
    finally:
        temporary.unlink(missing_ok=True)
