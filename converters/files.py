"""The file that is written: under a temporary name until it is known to be right."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        os.close(handle)
        # mkstemp makes a private file; the target gets what a plain open would have given it.
        mask = os.umask(0)
        os.umask(mask)
        Path(name).chmod(0o666 & ~mask)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error
    try:
        yield Path(name)
    except OSError as error:
        raise InputError(f"{path}: not written ({error.strerror or error})") from error
    finally:
        with suppress(FileNotFoundError):
            Path(name).unlink()
