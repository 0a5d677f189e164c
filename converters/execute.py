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

from converters.checkpoint import LazyTensor
from converters.dtypes import BY_NAME, DType
from converters.errors import ConverterError, InputError
from converters.formats import pdparams, read_checkpoint, torch_zip
from converters.plan import ConversionPlan, Entry, as_bytes
from converters.report import ConversionReport, FileFacts, facts_of
from converters.transforms import TRANSFORMS, from_float64, to_float64

Tensors = Iterable[tuple[str, DType, np.ndarray]]
Writer = Callable[[BinaryIO, Tensors, Mapping[str, str]], None]
Progress = Callable[[str], None]

WRITERS: dict[str, tuple[str, Writer]] = {
    ".pdparams": (pdparams.NAME, lambda file, tensors, _: pdparams.write(file, tensors)),
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
        if entry.target is not None and entry.action != "alias":
            progress(entry.target)
            array = target_array(plan.checkpoint, entry)
            if array is not None:
                yield entry.target, BY_NAME[entry.dtype], array


def target_array(source: Mapping[str, LazyTensor], entry: Entry) -> np.ndarray | None:
    """Return the tensor of an entry as the target holds it, None if it has none.

    A tensor that torch alone keeps (the count of batches) is made as zero.
    """
    if entry.source is None:
        made = entry.dtype != "" and entry.action == "missing"
        return np.zeros(entry.shape, BY_NAME[entry.dtype].numpy) if made else None
    found = source[entry.source]
    dtype = BY_NAME[entry.dtype]
    array = found.load()
    transform = TRANSFORMS[entry.transform]
    change = transform.undo if entry.inverse else transform.apply
    if change is None:
        raise ConverterError(f"{entry.source!r}: {entry.transform} has no way back")
    if dtype == found.type:
        return change(array, found.type)
    # Through double precision, so that a fold and the new type round together, once.
    return from_float64(change(to_float64(array, found.type), BY_NAME["float64"]), dtype)


def alias_targets(plan: ConversionPlan) -> dict[str, str]:
    """Return the second names that the target holds, each with the first name of its tensor."""
    return {
        entry.target: plan.layout.aliases[entry.target]
        for entry in plan.entries
        if entry.action == "alias" and entry.target is not None
    }


def verify(plan: ConversionPlan, path: Path, progress: Progress) -> None:
    """Read a written file back and compare every tensor with its source, bit for bit.

    Raises:
        ConverterError: a tensor or a key differs; the file must not be used.
    """
    written = read_checkpoint(path)
    wanted = {
        entry.target: entry
        for entry in plan.entries
        if entry.target is not None and (entry.source is not None or entry.dtype)
    }
    aliases = alias_targets(plan)
    if set(written) != set(wanted) | set(aliases):
        odd = sorted(set(written) ^ (set(wanted) | set(aliases)))
        raise ConverterError(f"{path}: the written file has other keys than planned: {odd[:5]}")
    for key, entry in wanted.items():
        progress(key)
        if not agrees(plan.checkpoint, entry, written[key]):
            raise ConverterError(
                f"{path}: {key!r} was not written as planned; the disk is at fault"
            )


def agrees(source: Mapping[str, LazyTensor], entry: Entry, written: LazyTensor) -> bool:
    """Return whether a written tensor, brought back, has the source's bits.

    Where there is no way back (a fold, a rounding) the conversion is done again and compared.
    """
    transform = TRANSFORMS[entry.transform]
    back = transform.apply if entry.inverse else transform.undo
    found = source[entry.source] if entry.source is not None else None
    if written.shape != entry.shape or written.dtype != entry.dtype:
        return False
    if found is None or back is None or found.dtype != entry.dtype:
        wanted = target_array(source, entry)
        return wanted is not None and np.array_equal(as_bytes(wanted), as_bytes(written.load()))
    returned = back(written.load(), written.type)
    return np.array_equal(as_bytes(found.load()), as_bytes(returned))


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
