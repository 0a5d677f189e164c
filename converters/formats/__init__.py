"""Reading: which format a file has is told by its content, never by its name."""

from __future__ import annotations

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
from converters.mapped import MappedFile

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
    return read_mapped(MappedFile.of(Path(path)), key=key)


def read_mapped(file: MappedFile, *, key: str | None = None) -> Checkpoint:
    """Read the table of tensors of an open file; see :func:`read_checkpoint`.

    Raises:
        InputError: it is damaged, asks to run code, or holds no tensors.
    """
    path, data = file.path, memoryview(file)
    if sharded.matches(data):
        return sharded.read(file, read_mapped)
    for form in FORMATS:
        if form.matches(data):
            content = read_content(form, file)
            chosen = choose_tensors(path, content, key)
            return Checkpoint(
                path,
                form.NAME,
                **vars(chosen),
                metadata=getattr(content, "metadata", {}),
                files=(path,),
                maps=(file,),
            )
    raise InputError(f"{path}: {told_by_beginning(data)}")


def read_content(form: ModuleType, file: MappedFile) -> Any:
    """Return what a file of a format holds.

    Raises:
        InputError: it is damaged, refused or just being changed; the message names the file.
    """
    path = file.path
    try:
        return form.read(path, memoryview(file))
    except InputError as error:
        file.require_unchanged()
        if str(error).startswith(f"{path}:"):
            raise
        raise InputError(f"{path}: {error}") from error
