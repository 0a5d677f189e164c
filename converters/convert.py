"""Conversion of a file in one call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from converters.checkpoint import Checkpoint
from converters.errors import InputError
from converters.execution import (
    Progress,
    execute,
    report_of,
    unwritten,
)
from converters.formats import read_mapped, safetensors_file
from converters.formats.writers import suffix_for
from converters.layouts.names import NAMINGS, NATIVE
from converters.mapped import MappedFile
from converters.plan import ConversionPlan, Framework, plan_conversion
from converters.planning.repack import may_be_repacked, repacked
from converters.planning.source import Source
from converters.report import ConversionReport
from converters.user_rules import UserRules


def convert_file(
    src: str | Path,
    dst: str | Path | None = None,
    *,
    to: Framework | None = None,
    arch: str = "auto",
    layout: str = "native",
    dtype: str = "keep",
    key: str | None = None,
    variant: str = "auto",
    form: str | None = None,
    max_shard_size: str | int | None = None,
    strict: bool = True,
    force: bool = False,
    dry_run: bool = False,
    verify: bool = True,
    allow_inexact: bool = False,
    target: Any = None,
    rules: UserRules | None = None,
    progress: Progress = lambda _: None,
) -> ConversionReport:
    """Convert a checkpoint file, every tensor accounted for.

    Args:
        src: a torch file (zip or legacy), .safetensors or .pdparams.
        dst: the target; ``src`` with the suffix of the format or the target framework if None.
        to: the target framework; the one that ``src`` is not of if None.
        arch: the network's name, ``auto`` to tell it by the keys.
        layout: naming of the target's keys: native, authors, paddleseg, mmseg, mmseg-first.
        dtype: element type of floating-point tensors in the target, or ``keep``.
        key: path of the dict inside the source to take; chosen by content if None.
        variant: whose implementation of STDC ``src`` is; ``auto`` to tell it by names and keys.
        form: format of the target: ``pdparams``, ``torch-zip``, ``torch-legacy`` (for PyTorch 1.5
            and older) or ``safetensors``; told by its suffix if None.
        max_shard_size: bytes of tensors in a file, as 2GB; a target that holds more is written in
            shards, with an index.
        strict: write nothing when a key is unaccounted for or a shape disagrees.
        force: replace an existing target.
        dry_run: write nothing at all.
        verify: read the target back and compare every tensor before it gets its name.
        allow_inexact: the target's network may compute something else; the report says what.
        target: a network of the target framework whose layers settle every layout, or where to
            find one: ``pkg.mod:factory``.
        rules: the user's own renames, drops and layer kinds, from ``read_rules``.
        progress: told each key as it is written and as it is verified.

    Raises:
        RefusedError: the plan has problems and ``strict`` holds; all are listed.
        InputError: source or target cannot be used.
    """
    plan = plan_file(
        src,
        to=to,
        arch=arch,
        layout=layout,
        dtype=dtype,
        key=key,
        variant=variant,
        allow_inexact=allow_inexact,
        target=target,
        rules=rules,
        repack=bool(form or max_shard_size),
    )
    path = default_target(Path(src), dst, plan.to, form)
    if dry_run:
        return report_of(plan, unwritten(path))
    return execute(
        plan,
        path,
        form=form,
        max_shard_size=max_shard_size,
        strict=strict,
        force=force,
        verify=verify,
        progress=progress,
    )


def plan_file(
    src: str | Path,
    *,
    to: Framework | None = None,
    layout: str = "native",
    key: str | None = None,
    target: Any = None,
    opened: MappedFile | None = None,
    repack: bool = False,
    **options: Any,
) -> ConversionPlan:
    """Plan the conversion of a file; arguments as in :func:`convert_file`.

    ``opened`` is the file where somebody opened it before; ``repack`` says that another format is
    wanted, for which a file may stay within its framework.

    Raises:
        InputError: the source, the target network or an argument cannot be used.
    """
    checkpoint = read_mapped(opened or MappedFile.of(Path(src)), key=key)
    if repack and target is None and to and may_be_repacked(checkpoint, to, layout):
        rules = options.get("rules") or UserRules()
        return repacked(checkpoint, to, options.get("dtype", "keep"), rules)
    to, origin = direction(checkpoint, to, layout)
    if isinstance(target, str):
        from converters.model import build_model

        target = build_model(target, to)
    return plan_conversion(
        checkpoint, to=to, layout=layout, target=target, origin=origin, **options
    )


def other_framework(checkpoint: Checkpoint) -> Framework:
    """Return where a checkpoint goes if nobody says."""
    return "paddle" if checkpoint.framework == "torch" else "torch"


def direction(
    checkpoint: Checkpoint, to: Framework | None, layout: str | None
) -> tuple[Framework, Framework | None]:
    """Return where a checkpoint goes, and where it comes from if that is not the other framework.

    Args:
        checkpoint: the source.
        to: the target framework if somebody says.
        layout: naming of the target's keys if somebody says; with one, a file may also go from a
            framework to the same.

    Raises:
        InputError: the source is of the target framework, and has the names that are asked for.
    """
    naming = NAMINGS.get(layout or "")
    wanted = to or (naming.framework if naming else "")
    if wanted != checkpoint.framework or (layout in (None, "native") and to is None):
        chosen = wanted or other_framework(checkpoint)
        return ("paddle" if chosen == "paddle" else "torch"), None
    foreign = Source.of(checkpoint, wanted, UserRules()).native().naming is not NATIVE
    if foreign or layout not in (None, "native"):
        return checkpoint.framework, checkpoint.framework
    if checkpoint.format != safetensors_file.NAME:
        raise InputError(
            f"{checkpoint.path}: is {checkpoint.framework}'s already; --layout gives it other "
            "names, --format or --max-shard-size another form"
        )
    return checkpoint.framework, None


def default_target(
    source: Path, target: str | Path | None, to: Framework, form: str | None = None
) -> Path:
    """Return the target, by default the source with the suffix of the format or framework."""
    return Path(target) if target is not None else source.with_suffix(suffix_for(to, form))
