"""What can be written, a row a format: by whom, what it holds, and whose files they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from converters.dtypes import BY_NAME, PADDLE_TYPES
from converters.errors import InputError
from converters.formats import pdparams, safetensors_file, torch_legacy, torch_zip
from converters.formats.content import Content

Write = Callable[[BinaryIO, Content], None]


@dataclass(frozen=True)
class Writer:
    """A format that can be written.

    Attributes:
        name: as reports give it and ``--format`` takes it.
        write: writes a content into a file.
        frameworks: who reads such files.
        suffixes: that stand for the format where none is named.
        types: names of the element types that it holds.
        grows: a byte once written stays as it is, so that a hash can follow.
        seconds: a second name is a key of the file, not a word of its metadata.
    """

    name: str
    write: Write
    frameworks: tuple[str, ...]
    suffixes: tuple[str, ...]
    types: frozenset[str]
    grows: bool = True
    seconds: bool = True

    def require_types(self, path: Path, content: Content, to: str) -> None:
        """Refuse element types that the format has not, and name those of the framework that have.

        Raises:
            InputError: all tensors of such types are named.
        """
        odd = [(one.key, one.type.name) for one in content.heads if one.type.name not in self.types]
        if odd:
            some = ", ".join(f"{key!r} ({kind})" for key, kind in odd[:5])
            more = f" and {len(odd) - 5} more" if len(odd) > 5 else ""
            mend = "leave them out with a drop in --rules" + others({kind for _, kind in odd}, to)
            raise InputError(f"{path}: a {self.name} file cannot hold {some}{more}; {mend}")


TORCH = ("torch",)
WRITERS = {
    writer.name: writer
    for writer in (
        Writer(pdparams.NAME, pdparams.write, ("paddle",), (".pdparams",), PADDLE_TYPES),
        Writer(
            torch_zip.NAME,
            torch_zip.write,
            TORCH,
            (".pth", ".pt", ".bin"),
            frozenset(BY_NAME),
            grows=False,  # goes back to fill in checksums
        ),
        Writer(
            torch_legacy.NAME,
            torch_legacy.write,
            TORCH,
            (),
            frozenset(kind.name for kind in BY_NAME.values() if kind.storage),
        ),
        Writer(
            safetensors_file.NAME,
            safetensors_file.write,
            ("torch", "paddle"),
            (".safetensors",),
            frozenset(kind.name for kind in BY_NAME.values() if kind.safetensors),
            seconds=False,
        ),
    )
}
BY_SUFFIX = {suffix: writer for writer in WRITERS.values() for suffix in writer.suffixes}
# What a target gets as its suffix where nothing is said.
DEFAULT_SUFFIX = {"paddle": ".pdparams", "torch": ".pth"}


def others(kinds: set[str], to: str) -> str:
    """Return which formats of a framework hold element types, as the end of a sentence."""
    names = [one.name for one in WRITERS.values() if to in one.frameworks and kinds <= one.types]
    return f", or write {' or '.join(names)}: --format" if names else ""


def writer_for(path: Path, to: str, form: str | None = None) -> Writer:
    """Return the writer of a target.

    Args:
        path: the target.
        to: its framework.
        form: the format's name; told by the suffix if None.

    Raises:
        InputError: the suffix is unknown, or stands for another format or framework.
    """
    if form is not None and form not in WRITERS:
        raise InputError(f"unknown format {form!r}; choose of {', '.join(WRITERS)}")
    told = BY_SUFFIX.get(path.suffix)
    writer = WRITERS[form] if form else told
    if writer is None:
        known = ", ".join(BY_SUFFIX)
        raise InputError(
            f"{path}: unknown suffix {path.suffix!r} for a target; choose of {known}, "
            "or say the --format"
        )
    if to not in writer.frameworks:
        what = f"--format {form}" if form else "the suffix"
        raise InputError(f"{path}: {what} does not fit --to {to}; use {DEFAULT_SUFFIX[to]}")
    if told is not None and told.frameworks != writer.frameworks:
        raise InputError(
            f"{path}: the suffix stands for {told.name}, not for {writer.name}; "
            f"use {suffix_for(to, form)}"
        )
    return writer


def suffix_for(to: str, form: str | None = None) -> str:
    """Return the suffix that a target gets where nobody names one."""
    suffixes = WRITERS[form].suffixes if form in WRITERS else ()
    return suffixes[0] if suffixes else DEFAULT_SUFFIX[to]
