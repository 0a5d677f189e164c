"""The plan of a file that stays within its framework and gets another format: all is copied."""

from __future__ import annotations

from collections.abc import Hashable

from converters.checkpoint import Checkpoint
from converters.entries import Entry
from converters.layouts import Layout
from converters.layouts.names import NATIVE
from converters.plan import ConversionPlan, Framework
from converters.planning.passage import Passage
from converters.planning.source import Source
from converters.user_rules import UserRules


def may_be_repacked(checkpoint: Checkpoint, to: Framework | None, layout: str) -> bool:
    """Return whether a file is known to be of the framework that it is to go to, and named so.

    A safetensors file is of either; only its metadata tell for certain.
    """
    told = not checkpoint.format.startswith("safetensors") or "format" in checkpoint.metadata
    if not told or to != checkpoint.framework or layout != "native":
        return False
    return Source.of(checkpoint, to, UserRules()).native().naming is NATIVE


def repacked(checkpoint: Checkpoint, to: Framework, dtype: str, rules: UserRules) -> ConversionPlan:
    """Return the plan that copies every tensor, whatever it is; a shared one stays shared.

    Args:
        checkpoint: of the framework that it goes to.
        to: that framework.
        dtype: element type of floating-point tensors in the target, or ``keep``.
        rules: renames and drops of keys.

    Raises:
        InputError: two keys get the same name, or a rule fits no key.
    """
    source, passage = Source.of(checkpoint, to, rules), Passage(to, to, dtype)
    entries: list[Entry] = []
    firsts: dict[Hashable, str] = {}
    seconds: dict[str, str] = {}
    for name, key in source.names.items():
        tensor = checkpoint[key]
        if name in source.dropped:
            reason = source.dropped[name]
            entries.append(Entry(key, None, "drop", tensor.shape, tensor.dtype, reason))
            continue
        held = (tensor.identity, tensor.shape, tensor.type)
        if tensor.identity is not None and firsts.setdefault(held, name) != name:
            seconds[name] = firsts[held]
            reason = f"the same tensor as {firsts[held]!r}"
            entries.append(Entry(key, name, "alias", tensor.shape, tensor.dtype, reason))
            continue
        action = "copy" if name == key else "rename"
        kind = passage.target_type(tensor).name
        entries.append(Entry(key, name, action, tensor.shape, kind))
    problems = (f"assumed: {checkpoint.doubt}",) if checkpoint.doubt else ()
    return ConversionPlan(
        checkpoint, to, said_of(checkpoint), tuple(entries), problems, source.names, seconds
    )


def said_of(checkpoint: Checkpoint) -> Layout:
    """Return what a file says of its network itself, without its layers."""
    facts = checkpoint.metadata
    classes = facts.get("num_classes", "")
    return Layout(
        (),
        arch=facts.get("arch", "generic"),
        variant=facts.get("variant", ""),
        num_classes=int(classes) if classes.isdecimal() and classes.isascii() else None,
    )
