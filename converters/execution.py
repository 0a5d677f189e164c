"""Carrying a plan out: one tensor at a time into a temporary file, verified, then renamed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from converters.checkpoint import COUNTERS, Checkpoint
from converters.dtypes import BY_NAME
from converters.elements import agrees, target_arrays
from converters.errors import ConverterError, InputError
from converters.files import put_in_place, temporary_beside
from converters.formats import read_checkpoint
from converters.formats.content import Content, Head
from converters.formats.writers import writer_for
from converters.output import Output
from converters.plan import ConversionPlan, Entry
from converters.report import ConversionReport, FileFacts
from converters.special_values import SpecialValues, counted

Progress = Callable[[str], None]
# Bytes read between two times that the pages of the mapped files are given back.
RELEASE = 64 << 20


def execute(
    plan: ConversionPlan,
    path: str | Path,
    *,
    form: str | None = None,
    max_shard_size: str | int | None = None,
    strict: bool = True,
    force: bool = False,
    verify: bool = True,
    progress: Progress = lambda _: None,
) -> ConversionReport:
    """Write a plan's target.

    No file gets its name before all were read back and every tensor, brought back, agreed bit for
    bit with the source. Until then an older file of that name stays as it is. One tensor is in
    memory at a time, and all files are hashed beside the work.

    Args:
        plan: what to do.
        path: the target; its suffix tells the format.
        form: the format, where the suffix is not to tell it: ``torch-legacy``, for instance.
        max_shard_size: bytes of tensors in a file, as 2GB; what holds more is written in shards
            with an index.
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
    odd: dict[str, SpecialValues] = {}
    output = output_of(plan, path, form, max_shard_size, progress, odd)
    output.check(sources, force=force)
    plan.checkpoint.digest()
    with temporary_beside(path, folder=True) as stage:
        written = output.write(stage)
        try:
            if verify:
                compare(plan, written.folder / output.leading, progress)
        finally:
            written.wait()
        whole, files = output.whole(written), output.files(written)
        # Before the files get their names: a source that went away leaves the target as it was.
        report = report_of(plan, whole, files, verified=verify, special_values=odd)
        put_in_place(stage, output.names, output.replaced, force=force)
    return report


def output_of(
    plan: ConversionPlan,
    path: Path,
    form: str | None = None,
    max_shard_size: str | int | None = None,
    progress: Progress = lambda _: None,
    odd: MutableMapping[str, SpecialValues] | None = None,
) -> Output:
    """Return the files that a plan's target will consist of; arguments as in :func:`execute`.

    Where ``odd`` is given, it gets the special values of tensors as they are written.

    Raises:
        InputError: the format is unknown, of the other framework, or lacks an element type.
    """
    writer, content = writer_for(path, plan.to, form), content_of(plan, progress)
    writer.require_types(path, content, plan.to)
    if odd is not None:
        content = counted(content, odd)
    return Output.of(path, writer, content, max_shard_size)


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
    # Nothing is known of the layers of a file that stays as it is but for its format.
    carried = {} if plan.layout.layers else dict(source.counters)
    return carried | {
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
            plan.checkpoint.require_unchanged()
            raise ConverterError(
                f"{path}: {entry.target!r} was not written as planned; the disk is at fault"
            )
        done(sum(written[key].nbytes for key in entry.targets))


def unwritten(path: Path) -> FileFacts:
    """Return the facts of a target that a dry run does not write."""
    return FileFacts(str(path), "", "", 0)


def report_of(
    plan: ConversionPlan,
    target: FileFacts,
    files: tuple[FileFacts, ...] = (),
    *,
    verified: bool = False,
    special_values: Mapping[str, SpecialValues] | None = None,
) -> ConversionReport:
    """Return the report of a plan, carried out if the target has a size."""
    source = plan.checkpoint
    try:
        for path in source.files:  # what nobody else could look at is not reported
            path.stat()
        size = sum(file.length for file in source.maps)
        facts = FileFacts(str(source.path), source.digest().result(), source.format, size)
        # Once all was read, the hashing's part too.
        source.require_unchanged()
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
        files=files,
        special_values=dict(special_values or {}),
    )
