"""Whether two dumps can be compared, and what a reader of the comparison should know."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from parity.dump.manifest import DumpError, told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from parity.dump.manifest import Input, Manifest
    from parity.dump.reader import Dump

#: What float32 leaves of a value that a conversion computed in double precision.
FOLD_ROUNDING = 6e-8
#: What a dump says of weights that come from no file (`parity/job/stdc.py`).
SEEDED = re.compile(r"seeded weights \((\d+)\)")


@dataclass(frozen=True)
class Described:
    """A dump, or one that is about to be written.

    Attributes:
        path: The file.
        manifest: What it says of itself.
    """

    path: Path
    manifest: Manifest


def refuse_incompatible(ours: Dump, theirs: Dump | Described) -> None:
    """Refuse a dump of paddle's that was not made of the inputs, weights and precisions of torch's.

    Raises:
        DumpError: Lists what differs, and says how to mend it; or torch's is not of torch.
    """
    if ours.manifest.framework != "torch" or theirs.manifest.framework != "paddle":
        found = ours.manifest.framework, theirs.manifest.framework
        raise DumpError(
            f"{ours.path} is of {found[0]}, and {theirs.path} would be of {found[1]}: make torch's "
            "dump first, and paddle's on it"
        )
    reasons = [*_other_inputs(ours, theirs), *_other_weights(ours, theirs)]
    if not set(ours.manifest.precisions) & set(theirs.manifest.precisions):
        here, there = _runs(ours.manifest), _runs(theirs.manifest)
        reasons.append(f"{ours.path} holds {here} alone, {theirs.path} {there}")
    if reasons:
        raise DumpError(f"{'; '.join(reasons)}. Make the second from the first: {_mend(ours)}")


def _mend(ours: Dump) -> str:
    # A dump brings its inputs along, and its weights where no file holds them.
    source, framework = ours.manifest.weights_from, "--framework paddle"
    if ours.manifest.weights_stored:
        return f"stdc-parity dump {ours.path} {framework}"
    if seeded := SEEDED.fullmatch(source):
        options = f"--input {ours.path} --seed {seeded[1]} {framework}"
        return f"stdc-parity dump {options}, with the --arch of the first"
    return f"stdc-parity dump {source} --input {ours.path} {framework}"


def _other_inputs(ours: Dump, theirs: Dump | Described) -> Iterator[str]:
    mine, others = ours.manifest.inputs, theirs.manifest.inputs
    if len(mine) != len(others):
        yield f"{ours.path} was made of {len(mine)} inputs, {theirs.path} of {len(others)}"
        return
    for index, (one, other) in enumerate(zip(mine, others, strict=True)):
        if one == other:
            continue
        here, there = (f"{told(given)}{given.name and f', {given.name}'}" for given in (one, other))
        what = "has other values" if _alike(one, other) else "is another"
        yield f"input {index} {what}: {here} in {ours.path}, {there} in {theirs.path}"
    if mine != others and Counter(mine) == Counter(others):
        yield "they are the same inputs in another order"


def _alike(one: Input, other: Input) -> bool:
    return (one.shape, one.dtype, one.name) == (other.shape, other.dtype, other.name)


def _other_weights(ours: Dump, theirs: Dump | Described) -> Iterator[str]:
    mine, others = ours.manifest, theirs.manifest
    if mine.weights_sha256 != others.weights_sha256 and not others.own_weights:
        yield (
            f"{ours.path} was made with other weights ({mine.weights_from}) than {theirs.path} "
            f"({others.weights_from})"
        )


def notes(ours: Dump, theirs: Dump) -> Iterator[str]:
    """Yield what is worth knowing and no failure."""
    for dump in (ours, theirs):
        yield from dump.manifest.notes
    if ours.manifest.device != theirs.manifest.device:
        sides = (dump.manifest for dump in (ours, theirs))
        yield "; ".join(f"{side.framework} ran on {where(side)}" for side in sides)
    if ours.manifest.checks != theirs.manifest.checks:
        alone = min((ours, theirs), key=lambda dump: len(dump.manifest.checks))
        yield f"{alone.path} holds no gradients: make it with --check backward to compare them"
    if set(ours.manifest.precisions) != set(theirs.manifest.precisions):
        alone = min((ours, theirs), key=lambda dump: len(dump.manifest.precisions))
        yield f"{alone.path} holds {_runs(alone.manifest)} alone: only that was compared"
    if ours.manifest.weights_sha256 != theirs.manifest.weights_sha256:
        yield (
            f"{theirs.path} was made with weights of its own ({theirs.manifest.weights_from}): "
            "that they are torch's shows only in what they compute. Where a conversion folded "
            f"values and rounded them to float32, float64 differs by up to {FOLD_ROUNDING:.0e}; "
            "torch's side made from the same file has the same values, and a dump made of torch's "
            "weights with --converted compares the file bit for bit"
        )


def _runs(manifest: Manifest) -> str:
    return " and ".join(manifest.precisions)


def where(manifest: Manifest) -> str:
    """Say where a dump was made: 'cuda (name NVIDIA H100, tf32 off, cudnn 90100)'."""
    facts = (f"{name} {fact}" for name, fact in manifest.device.items() if name != "kind")
    return f"{manifest.device['kind']} ({', '.join(facts)})"
