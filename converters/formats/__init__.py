"""Reading: which format a file has is told by its content, never by its name."""

from __future__ import annotations

import mmap
from pathlib import Path
from types import ModuleType
from typing import Any

from converters.checkpoint import Checkpoint
from converters.errors import InputError
from converters.formats import (
    pdparams,
    safetensors_file,
    sharded,
    torch_legacy,
    torch_tar,
    torch_zip,
)
from converters.formats.lookalikes import told_by_beginning
from converters.formats.wrappers import choose_tensors

# In this order: the legacy signature is also the beginning of a plain pickle.
FORMATS: tuple[ModuleType, ...] = (
    torch_zip,
    torch_legacy,
    torch_tar,
    safetensors_file,
    pdparams,
)


def read_checkpoint(path: str | Path, *, key: str | None = None) -> Checkpoint:
    """Read a checkpoint's table of tensors; the tensors themselves are read when asked for.

    Nothing of the file is ever run. Neither torch nor paddle is needed.

    Args:
        path: a torch file (zip, legacy or tar, whatever its suffix), .safetensors, .pdparams, or
            the index (``*.index.json``) of a checkpoint in shards.
        key: path of the dict inside the file to take ('ema' or 'model.net'); chosen by content
            if None.

    Raises:
        InputError: the file cannot be read, is damaged, asks to run code, or holds no tensors.
    """
    path = Path(path)
    data = map_file(path)
    if sharded.matches(data):
        return sharded.read(path, data, read_checkpoint)
    for form in FORMATS:
        if form.matches(data):
            content = read_content(form, path, data)
            chosen = choose_tensors(path, content, key)
            return Checkpoint(
                path,
                form.NAME,
                **vars(chosen),
                metadata=getattr(content, "metadata", {}),
                files=(path,),
                maps=(data,),
            )
    raise InputError(f"{path}: {told_by_beginning(data)}")


def read_content(form: ModuleType, path: Path, data: memoryview) -> Any:
    """Return what a file of a format holds.

    Raises:
        InputError: it is damaged or refused; the message names the file.
    """
    try:
        return form.read(path, data)
    except InputError as error:
        if str(error).startswith(f"{path}:"):
            raise
        raise InputError(f"{path}: {error}") from error


def map_file(path: Path) -> memoryview:
    """Map a file into memory.

    Raises:
        InputError: it does not exist, is no regular file, is empty, or may not be read.
    """
    try:
        if not (path.is_file() or path.is_dir()) and path.exists():
            raise InputError(f"{path}: is a pipe or a device; save the checkpoint as a file first")
        with path.open("rb") as file:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except ValueError as error:
        raise InputError(f"{path}: the file is empty; download or save it again") from error
    except OSError as error:
        what = error.strerror or error
        raise InputError(f"{path}: cannot be read ({what}){_mend(error)}") from error


def _mend(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "; check the path"
    return "; give a file in it" if isinstance(error, IsADirectoryError) else ""
