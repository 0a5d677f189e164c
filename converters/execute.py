"""Carrying a plan out: one tensor at a time into a temporary file, verified, then renamed."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from converters.dtypes import BY_NAME, DType
from converters.elements import agrees, target_arrays
from converters.errors import ConverterError, InputError
from converters.formats import pdparams, read_checkpoint, torch_zip
from converters.plan import ConversionPlan
from converters.report import ConversionReport, FileFacts, facts_of

Tensors = Iterable[tuple[str, DType, np.ndarray]]
Writer = Callable[[BinaryIO, Tensors, Mapping[str, str]], None]
Progress = Callable[[str], None]

WRITERS: dict[str, tuple[str, Writer]] = {
    ".pdparams": (
        pdparams.NAME,
        lambda file, tensors, aliases: pdparams.write(file, with_second_names(tensors, aliases)),
    ),
    ".pth": (torch_zip.NAME, torch_zip.write),
    ".pt": (torch_zip.NAME, torch_zip.write),
}
FRAMEWORK_SUFFIX = {"paddle": ".pdparams", "torch": ".pth"}


def execute(
    plan: ConversionPlan,
    path: str | Path,
    *,
    strict: bool = True,
    force: bool = False,
    progress: Progress = lambda _: None,
) -> ConversionReport:
    """Write a plan's target.

    The file gets its name only after it was read back and every tensor, brought back, agreed bit
    for bit with the source. Until then an older file of that name stays as it is.

    Args:
        plan: what to do.
        path: the target; its suffix tells the format.
        strict: refuse a plan with problems; otherwise write what can be written.
        force: replace an existing file.
        progress: told each key as it is written and as it is verified.

    Raises:
        RefusedError: the plan has problems and ``strict`` holds.
        InputError: the target exists, cannot be written, or has an unknown suffix.
    """
    path = Path(path)
    if strict:
        plan.require_complete()
    form, writer = writer_for(plan, path)
    check_target(plan, path, force=force)
    with temporary_beside(path) as temporary:
        with temporary.open("wb") as file:
            writer(file, tensors_of(plan, progress), alias_targets(plan))
            file.flush()
            os.fsync(file.fileno())
        verify(plan, temporary, progress)
        facts = replace(facts_of_file(temporary, form), path=str(path))
        temporary.replace(path)
    return report_of(plan, str(path), facts)


def writer_for(plan: ConversionPlan, path: Path) -> tuple[str, Writer]:
    """Return the format and the writer that a target's suffix stands for.

    Raises:
        InputError: the suffix is unknown, or of the other framework.
    """
    if path.suffix not in WRITERS:
        known = ", ".join(WRITERS)
        raise InputError(f"{path}: unknown suffix {path.suffix!r} for a target; choose of {known}")
    if (path.suffix == ".pdparams") != (plan.to == "paddle"):
        raise InputError(
            f"{path}: the suffix does not fit --to {plan.to}; use {FRAMEWORK_SUFFIX[plan.to]}"
        )
    return WRITERS[path.suffix]


def check_target(plan: ConversionPlan, path: Path, *, force: bool) -> None:
    """Refuse a target that would overwrite something.

    Raises:
        InputError: it is the source, a folder, or exists without ``force``; or its folder does not.
    """
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}; make it first")
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a file")
    if path.exists() and plan.checkpoint.path.exists() and path.samefile(plan.checkpoint.path):
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


def tensors_of(plan: ConversionPlan, progress: Progress) -> Tensors:
    """Yield the target's tensors one at a time."""
    for entry in plan.entries:
        if entry.action != "alias":
            for key, array in target_arrays(plan.checkpoint, entry).items():
                progress(key)
                yield key, BY_NAME[entry.dtype], array


def with_second_names(tensors: Tensors, aliases: Mapping[str, str]) -> Tensors:
    """Yield tensors, and after each the same under its second names."""
    for key, dtype, array in tensors:
        yield key, dtype, array
        for second, first in aliases.items():
            if first == key:
                yield second, dtype, array


def alias_targets(plan: ConversionPlan) -> dict[str, str]:
    """Return the second names that the target holds, each with the first name of its tensor."""
    firsts = plan.layout.second_names(plan.to)
    return {
        key: firsts[key]
        for entry in plan.entries
        for key in entry.targets
        if entry.action == "alias"
    }


def verify(plan: ConversionPlan, path: Path, progress: Progress) -> None:
    """Read a written file back and compare every tensor with its source, bit for bit.

    Raises:
        ConverterError: a tensor or a key differs; the file must not be used.
    """
    written = read_checkpoint(path)
    entries = [entry for entry in plan.entries if entry.sources or entry.dtype]
    wanted = {entry.targets: entry for entry in entries if entry.targets}
    keys = {key for targets in wanted for key in targets}
    aliases = alias_targets(plan)
    if set(written) != keys | set(aliases):
        odd = sorted(set(written) ^ (keys | set(aliases)))
        raise ConverterError(f"{path}: the written file has other keys than planned: {odd[:5]}")
    for targets, entry in wanted.items():
        for key in targets:
            progress(key)
        if not agrees(plan.checkpoint, entry, written):
            raise ConverterError(
                f"{path}: {entry.target!r} was not written as planned; the disk is at fault"
            )


def facts_of_file(path: Path, form: str) -> FileFacts:
    """Return size and SHA-256 of a file."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return FileFacts(str(path), digest.hexdigest(), form, path.stat().st_size)


def report_of(
    plan: ConversionPlan, target: str, written: FileFacts | None = None
) -> ConversionReport:
    """Return the report of a plan, carried out if ``written`` is given."""
    source, planned = facts_of(plan, target)
    if plan.checkpoint.path.is_file():
        source = facts_of_file(plan.checkpoint.path, plan.checkpoint.format)
    return ConversionReport(
        source=source,
        target=written or planned,
        arch=plan.layout.arch,
        variant=plan.layout.variant,
        num_classes=plan.layout.num_classes,
        entries=plan.entries,
        counts=plan.counts,
        wrapper=plan.checkpoint.wrapper,
        skipped=dict(plan.checkpoint.skipped),
        problems=plan.problems,
        verified=written is not None,
    )
