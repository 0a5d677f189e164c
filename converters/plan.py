"""Planning a conversion: every key's fate, decided before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from converters.checkpoint import Checkpoint
from converters.entries import ACTIONS, Entry
from converters.errors import InputError, RefusedError
from converters.few import MOST
from converters.layouts import Layout
from converters.layouts.network import framework_of, keys_of
from converters.planning.aim import aim_at
from converters.planning.engine import plan_entries
from converters.planning.hints import ASSUMED, hints
from converters.planning.settle import settle_layout
from converters.planning.source import Source, without_prefix
from converters.planning.suggested import suggested
from converters.planning.target_names import named
from converters.shown import Shown
from converters.user_rules import UserRules

if TYPE_CHECKING:  # rich is loaded where something is shown
    from rich.console import RenderableType

__all__ = [
    "ACTIONS",
    "ConversionPlan",
    "Entry",
    "Framework",
    "detect",
    "native_keys",
    "plan_conversion",
    "without_prefix",
]

Framework = Literal["torch", "paddle"]


@dataclass(frozen=True)
class ConversionPlan(Shown):
    """What a conversion will do.

    Attributes:
        checkpoint: where the tensors come from.
        to: the framework they go to.
        layout: the network.
        entries: every source key and every target key, each in exactly one.
        problems: what forbids a strict conversion, one line each.
        names: key in the source by the name that this project has for it.
        second_names: second name → first name of tensors that the target holds twice.
        inexact: what the target's network computes differently, one line each.
        allowed: the user allows it to.
        hints: what to know when the target is loaded, one line each.
        mend: rules that would confirm what was assumed, ready to be pasted.
    """

    checkpoint: Checkpoint
    to: Framework
    layout: Layout
    entries: tuple[Entry, ...]
    problems: tuple[str, ...]
    names: Mapping[str, str] = field(default_factory=dict)
    second_names: Mapping[str, str] = field(default_factory=dict)
    inexact: tuple[str, ...] = ()
    allowed: bool = False
    hints: tuple[str, ...] = ()
    mend: str = ""

    @property
    def counts(self) -> dict[str, int]:
        """Number of entries per action, those that occur."""
        actions = [entry.action for entry in self.entries]
        return {action: actions.count(action) for action in ACTIONS if action in actions}

    def __rich__(self) -> RenderableType:
        """Return the plan for a terminal: counts, and some keys of every fate."""
        from converters.fates import shown

        return shown(self)

    def require_exact(self) -> None:
        """Refuse a plan whose target computes something else, unless the user allows it.

        Raises:
            RefusedError: it does; all differences are listed.
        """
        if self.inexact and not self.allowed:
            raise RefusedError(
                f"{self.checkpoint.place}: not converted, the target's network computes something "
                "else; --allow-inexact converts all the same:",
                self.inexact,
            )

    def require_complete(self) -> None:
        """Refuse a plan with problems.

        Raises:
            RefusedError: there are any; all are listed.
        """
        if self.problems:
            said = f"{self.checkpoint.place}: not converted, {len(self.problems)} problem(s)"
            how = f"; {ASSUMED}" if ASSUMED in self.hints else ""
            all_ = "; --json FILE lists them all" if len(self.problems) > MOST else ""
            raise RefusedError(f"{said}{how}{all_}:", self.problems, self.mend)


def plan_conversion(
    checkpoint: Checkpoint,
    *,
    to: Framework = "paddle",
    arch: str = "auto",
    layout: str = "native",
    target: Any = None,
    dtype: str = "keep",
    rules: UserRules | None = None,
    origin: Framework | None = None,
    variant: str = "auto",
    allow_inexact: bool = False,
) -> ConversionPlan:
    """Decide the fate of every key; reads no tensor unless two must be compared.

    What a tensor is, is settled by the strongest there is: the target network, a known family, the
    other tensors of its layer, the user's rules, and last its name, which is an assumption.

    Args:
        checkpoint: what to convert.
        to: the target framework.
        arch: the network's name, ``auto`` to tell it by the keys, ``generic`` for any other.
        layout: naming of the target's keys: ``native`` keeps the variant and has the authors'
            names; ``authors``, ``paddleseg`` and ``mmseg`` are for those implementations.
        target: a network of the target framework whose layers settle every layout.
        dtype: element type of floating-point tensors in the target, or ``keep``.
        rules: the user's own renames, drops and layer kinds.
        origin: the source's framework; the one that ``to`` is not if None.
        variant: whose implementation of STDC the source is; ``auto`` to tell it by names and keys.
        allow_inexact: the target's network may compute something else; the plan says what.

    Raises:
        InputError: the network cannot be told, or is another one than ``arch``.
    """
    origin = origin or ("torch" if to == "paddle" else "paddle")
    if target is not None and layout != "native":
        raise InputError(f"layout {layout!r}: a target network has its own names; leave one out")
    if target is not None and framework_of(target) != to:
        raise InputError(f"the target network is {framework_of(target)}'s; to={to!r} needs {to}'s")
    source = Source.of(checkpoint, origin, rules or UserRules())
    if target is not None:
        source = source.within(keys_of(target))
    elif arch != "generic":
        source = source.native()
    known = settle_layout(source, arch, target, variant)
    aim = aim_at(source, known, layout, to)
    source = replace(source, dropped={**source.dropped, **aim.dropped})
    entries, problems = plan_entries(source, aim.layout, dtype, to)
    if checkpoint.doubt:
        problems = (f"assumed: {checkpoint.doubt}", *problems)
    target_side = named(entries, aim, source, to)
    return ConversionPlan(
        checkpoint,
        to,
        aim.layout,
        target_side.entries,
        problems,
        source.names,
        target_side.seconds,
        aim.inexact,
        allow_inexact,
        tuple(hints(target_side.entries, aim.layout, source, to, target)),
        suggested(source, aim.layout),
    )


def native_keys(checkpoint: Checkpoint, rules: UserRules | None = None) -> Mapping[str, str]:
    """Return a checkpoint's keys by the names that this project has for them.

    Args:
        checkpoint: whose keys.
        rules: the user's renames and drops.

    Raises:
        InputError: two keys get the same name, or a rule fits no key.
    """
    source = Source.of(checkpoint, checkpoint.framework, rules or UserRules())
    dropped = {source.names[name] for name in source.dropped}
    return {name: key for name, key in source.native().names.items() if key not in dropped}


def detect(checkpoint: Checkpoint, *, origin: Framework = "torch") -> Layout:
    """Return the network that a checkpoint belongs to: its layers, arch, variant, num_classes.

    Raises:
        InputError: its keys belong to no known network.
    """
    found = settle_layout(Source.of(checkpoint, origin, UserRules()).native(), "auto", None)
    if found.arch == "generic":
        raise InputError(
            f"{checkpoint.path}: the keys (first: {next(iter(checkpoint), 'none')!r}) belong to no "
            "known network"
        )
    return found
