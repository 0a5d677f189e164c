"""Carrying a plan out: one tensor at a time into a temporary file, verified, then renamed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import BinaryIO

import numpy as np

from converters.background import Background, digest_of
from converters.checkpoint import COUNTERS, Checkpoint
from converters.dtypes import BY_NAME
from converters.elements import agrees, target_arrays
from converters.errors import ConverterError, InputError
from converters.files import check_target, temporary_beside
from converters.formats import pdparams, read_checkpoint, safetensors_file, torch_zip
from converters.formats.content import Content, Head
from converters.plan import ConversionPlan, Entry
from converters.report import ConversionReport, FileFacts

Progress = Callable[[str], None]
Writer = Callable[[BinaryIO, Content], None]

WRITERS: dict[str, tuple[str, Writer]] = {
    ".pdparams": (pdparams.NAME, pdparams.write),
    ".pth": (torch_zip.NAME, torch_zip.write),
    ".pt": (torch_zip.NAME, torch_zip.write),
    ".safetensors": (safetensors_file.NAME, safetensors_file.write),
}
FRAMEWORK_SUFFIX = {"paddle": ".pdparams", "torch": ".pth"}
# Bytes that are gathered before they go to the file. From 2 MiB on Linux takes huge pages for them,
# which a virtual machine may first have to ask its host for: writing then takes twice as long.
BUFFER = 1 << 20
# Bytes read between two times that the pages of the mapped files are given back.
RELEASE = 64 << 20


def execute(
    plan: ConversionPlan,
    path: str | Path,
    *,
    strict: bool = True,
    force: bool = False,
    verify: bool = True,
    progress: Progress = lambda _: None,
) -> ConversionReport:
    """Write a plan's target.

    The file gets its name only after it was read back and every tensor, brought back, agreed bit
    for bit with the source. Until then an older file of that name stays as it is. One tensor is in
    memory at a time, and both files are hashed beside the work.

    Args:
        plan: what to do.
        path: the target; its suffix tells the format.
        strict: refuse a plan with problems; otherwise write what can be written.
        force: replace an existing file.
        verify: read the file back and compare.
        progress: told each key as it is written and as it is verified.

    Raises:
        RefusedError: the plan has problems and ``strict`` holds.
        InputError: the target exists, cannot be written, or has an unknown suffix.
    """
    path, sources = Path(path), plan.checkpoint.files
    if strict:
        plan.require_complete()
    plan.require_exact()
    form, writer = writer_for(plan, path)
    check_target(path, sources, force=force)
    plan.checkpoint.digest()
    with temporary_beside(path) as temporary:
        with temporary.open("wb", buffering=BUFFER) as file:
            written = Event()
            safe = Background(lambda: sync(file.fileno(), written))
            try:
                digest = write_hashed(writer, file, content_of(plan, progress), temporary)
            finally:
                written.set()
            try:
                if verify:
                    compare(plan, temporary, progress)
            finally:
                safe.result()
        facts = FileFacts(str(path), digest.result(), form, temporary.stat().st_size)
        temporary.replace(path)
    return report_of(plan, facts, verified=verify)


def sync(descriptor: int, written: Event) -> None:
    """Bring a file to the disk while it grows, and all of it once it is written."""
    while not written.wait(0.01):
        os.fdatasync(descriptor)
    os.fsync(descriptor)


def write_hashed(writer: Writer, file: BinaryIO, content: Content, path: Path) -> Background[str]:
    """Write a file and return its digest, which is counted while the file grows."""
    if writer is torch_zip.write:  # goes back to fill in checksums
        writer(file, content)
        file.flush()
        return digest_of(path)
    finished = Event()
    digest = digest_of(path, finished=finished)
    try:
        writer(file, content)
        file.flush()
    finally:
        finished.set()
    return digest


def writer_for(plan: ConversionPlan, path: Path) -> tuple[str, Writer]:
    """Return the format and the writer that a target's suffix stands for.

    Raises:
        InputError: the suffix is unknown, or of the other framework.
    """
    if path.suffix not in WRITERS:
        known = ", ".join(WRITERS)
        raise InputError(f"{path}: unknown suffix {path.suffix!r} for a target; choose of {known}")
    name, writer = WRITERS[path.suffix]
    if name != safetensors_file.NAME and (name == pdparams.NAME) != (plan.to == "paddle"):
        raise InputError(
            f"{path}: the suffix does not fit --to {plan.to}; use {FRAMEWORK_SUFFIX[plan.to]}"
        )
    return name, writer


@dataclass
class Releasing:
    """Gives the pages of mapped files back to the system as tensors are gone through."""

    checkpoints: Sequence[Checkpoint]
    left: int = RELEASE

    def __call__(self, read: int) -> None:
        """Count the bytes just read."""
        self.left -= read
        if self.left < 0:
            for checkpoint in self.checkpoints:
                checkpoint.release()
            self.left = RELEASE


def content_of(plan: ConversionPlan, progress: Progress) -> Content:
    """Return what the target will hold; its tensors are made as they are asked for."""
    entries = tuple(written_entries(plan))
    done = Releasing((plan.checkpoint,))

    def tensors() -> Iterator[np.ndarray]:
        for entry in entries:
            for key, array in target_arrays(plan.checkpoint, entry).items():
                progress(key)
                yield array
            done(sum(plan.checkpoint[key].nbytes for key in entry.sources))

    return Content(
        tuple(
            Head(key, BY_NAME[entry.dtype], entry.shape)
            for entry in entries
            for key in entry.targets
        ),
        tensors,
        alias_targets(plan),
        metadata_of(plan),
    )


def metadata_of(plan: ConversionPlan) -> dict[str, str]:
    """Return what is known of the network, to be carried along where a format has room for it."""
    facts = {
        "format": {"paddle": "pd", "torch": "pt"}[plan.to],
        "arch": plan.layout.arch,
        "variant": plan.layout.variant,
        "num_classes": str(plan.layout.num_classes or ""),
    }
    counters = counters_of(plan)
    if counters:
        facts[COUNTERS] = json.dumps(counters)
    return {name: value for name, value in facts.items() if value}


def counters_of(plan: ConversionPlan) -> dict[str, int]:
    """Return the counts of batches that the target has no tensor for, by torch's key."""
    source = plan.checkpoint
    dropped = {entry.source for entry in plan.entries if entry.action == "drop"}
    return {
        name: int(source[key].load())
        for name, key in plan.names.items()
        if key in dropped
        and name.rpartition(".")[2] == COUNTERS
        and (source[key].shape, source[key].dtype) == ((), "int64")
    }


def written_entries(plan: ConversionPlan) -> Iterable[Entry]:
    """Return the entries whose target's elements are written; a gap in the source has none."""
    return (
        entry
        for entry in plan.entries
        if entry.targets and entry.action != "alias" and (entry.sources or entry.dtype)
    )


def alias_targets(plan: ConversionPlan) -> dict[str, str]:
    """Return the second names that the target holds, each with the first name of its tensor."""
    return {
        key: plan.second_names[key]
        for entry in plan.entries
        if entry.action == "alias"
        for key in entry.targets
    }


def compare(plan: ConversionPlan, path: Path, progress: Progress) -> None:
    """Read a written file back and compare every tensor with its source, bit for bit.

    Raises:
        ConverterError: a tensor or a key differs; the file must not be used.
    """
    written = read_checkpoint(path)
    entries = tuple(written_entries(plan))
    wanted = {key for entry in entries for key in entry.targets} | set(alias_targets(plan))
    if set(written) != wanted:
        odd = sorted(set(written) ^ wanted)
        raise ConverterError(f"{path}: the written file has other keys than planned: {odd[:5]}")
    done = Releasing((written, plan.checkpoint))
    for entry in entries:
        for key in entry.targets:
            progress(key)
        if not agrees(plan.checkpoint, entry, written):
            raise ConverterError(
                f"{path}: {entry.target!r} was not written as planned; the disk is at fault"
            )
        done(sum(written[key].nbytes for key in entry.targets))


def unwritten(path: Path) -> FileFacts:
    """Return the facts of a target that a dry run does not write."""
    return FileFacts(str(path), "", "", 0)


def report_of(
    plan: ConversionPlan, target: FileFacts, *, verified: bool = False
) -> ConversionReport:
    """Return the report of a plan, carried out if the target has a size."""
    source = plan.checkpoint
    try:
        size = sum(path.stat().st_size for path in source.files)
        facts = FileFacts(str(source.path), source.digest().result(), source.format, size)
    except OSError as error:
        raise InputError(f"{source.path}: cannot be read ({error.strerror or error})") from error
    return ConversionReport(
        source=facts,
        target=target,
        arch=plan.layout.arch,
        variant=plan.layout.variant,
        num_classes=plan.layout.num_classes,
        entries=plan.entries,
        counts=plan.counts,
        wrapper=source.wrapper,
        skipped=dict(source.skipped),
        problems=plan.problems,
        verified=verified,
        inexact=plan.inexact,
        content=plan.layout.content,
        hints=plan.hints,
    )
