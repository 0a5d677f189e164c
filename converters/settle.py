"""What the keys of a checkpoint belong to: the strongest evidence settles it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from converters.checkpoint import Checkpoint, LazyTensor
from converters.errors import InputError
from converters.layouts import Layout, siblings, stdc
from converters.layouts import target as target_layout
from converters.user_rules import UserRules

PREFIXES = ("module.", "_orig_mod.")
NAME_SUFFIXES = (("._mean", ".running_mean"), ("._variance", ".running_var"))


@dataclass(frozen=True)
class Source:
    """A checkpoint's keys by the names that the network gives them.

    Attributes:
        checkpoint: where the tensors lie.
        framework: whose names and layouts they have.
        names: key in the checkpoint by name in the network.
        dropped: names that the user's rules leave out, each with the reason.
        rules: the user's rules.
    """

    checkpoint: Checkpoint
    framework: str
    names: Mapping[str, str]
    dropped: Mapping[str, str] = field(default_factory=dict)
    rules: UserRules = field(default_factory=UserRules)

    @classmethod
    def of(cls, checkpoint: Checkpoint, framework: str, rules: UserRules) -> Source:
        """Return a checkpoint's keys without wrappers' prefixes, renamed by the user's rules.

        Raises:
            InputError: two keys get the same name, or a rule fits no key.
        """
        names, dropped = rules.applied(without_prefix(checkpoint))
        return cls(checkpoint, framework, names, dropped, rules)

    def tensor(self, name: str) -> LazyTensor:
        """Return a tensor by its name in the network."""
        return self.checkpoint[self.names[name]]

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of what is carried over, running statistics under torch's names."""
        return {
            torch_name(name, self.framework): self.tensor(name).shape
            for name in self.names
            if name not in self.dropped
        }


def without_prefix(keys: Iterable[str]) -> dict[str, str]:
    """Return source keys by their name without a wrapper's prefix that all of them share."""
    names = {key: key for key in keys}
    for prefix in PREFIXES:
        if names and all(name.startswith(prefix) for name in names):
            # Wrappers stand inside one another, in any order.
            inner = without_prefix(name.removeprefix(prefix) for name in names)
            return {name: names[prefix + rest] for name, rest in inner.items()}
    return names


def settle_layout(source: Source, arch: str, target: Any) -> Layout:
    """Return the network's layout: the target's, else the family's, else what the keys tell.

    Raises:
        InputError: the keys are a family's, but of another network than ``arch``.
    """
    if target is not None:
        layout = target_layout.layout_of(target)
        # Keys of a user's own network may look like the beginning of a family.
        with suppress(InputError):
            if family := stdc.detect(source.shapes(), framework=source.framework):
                return with_family(layout, family)
        return layout
    family = None
    if arch != "generic":
        family = stdc.detect(source.shapes(), arch, framework=source.framework)
    if family is None and arch not in ("auto", "generic"):
        raise InputError(
            f"{source.checkpoint.path}: the keys (first: {next(iter(source.names), 'none')!r}) are "
            f"not those of {arch}; leave out --arch {arch}"
        )
    return family or siblings.layout_of(
        source.shapes(), framework=source.framework, kinds=source.rules
    )


def with_family(layout: Layout, family: Layout) -> Layout:
    """Return a target's layout with what the family knows beyond the classes of its layers."""
    folded = {layer.path for layer in family.layers if layer.kind == "inplace_abn"}
    layers = tuple(
        replace(layer, kind="inplace_abn", tensors=None) if layer.path in folded else layer
        for layer in layout.layers
    )
    aliases = dict(family.aliases) | dict(layout.aliases)
    return replace(family, layers=layers, aliases=aliases, paddle_aliases=layout.paddle_aliases)


def torch_name(name: str, framework: str) -> str:
    """Return a key with Paddle's names of running statistics spelt as torch has them."""
    if framework == "paddle":
        for paddle, torch in NAME_SUFFIXES:
            if name.endswith(paddle):
                return name.removesuffix(paddle) + torch
    return name
