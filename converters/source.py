"""A checkpoint's keys by the names that the network gives them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from converters.checkpoint import Checkpoint, LazyTensor
from converters.layouts import stdc
from converters.layouts.names import NATIVE, Naming, backbone_of, native_names, recognised
from converters.user_rules import UserRules
from stdc_port import spec

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
        naming: whose names the keys have in the checkpoint.
    """

    checkpoint: Checkpoint
    framework: str
    names: Mapping[str, str]
    dropped: Mapping[str, str] = field(default_factory=dict)
    rules: UserRules = field(default_factory=UserRules)
    naming: Naming = NATIVE

    @classmethod
    def of(cls, checkpoint: Checkpoint, framework: str, rules: UserRules) -> Source:
        """Return a checkpoint's keys without wrappers' prefixes, renamed by the user's rules.

        Raises:
            InputError: two keys get the same name, or a rule fits no key.
        """
        names, dropped = rules.applied(without_prefix(checkpoint))
        return cls(checkpoint, framework, names, dropped, rules)

    def native(self) -> Source:
        """Return the same with another implementation's names of STDC's layers made our own."""
        naming = recognised(self.shapes(), self.framework)
        backbone = backbone_of(self.names, naming)
        if naming is NATIVE or backbone is None:
            return self
        whole = any("arm" in name for name in self.names)
        arch = backbone.name + ("-seg" if whole else "")
        layout = stdc.layout_of(spec.resolve(arch, variant=naming.variant))
        names = native_names(self.names, naming, layout, backbone)
        why = {key: self.dropped.get(old) or naming.why_own(old) for old, key in self.names.items()}
        dropped = {name: why[key] for name, key in names.items() if why[key]}
        return replace(self, names=names, naming=naming, dropped=dropped)

    def within(self, keys: Iterable[str]) -> Source:
        """Return the same for a network whose keys may have a wrapper's prefix themselves.

        Args:
            keys: the network's own.
        """
        prefix = shared_prefix(keys)
        if not prefix or all(name.startswith(prefix) for name in self.names):
            return self
        names = {prefix + name: key for name, key in self.names.items()}
        dropped = {prefix + name: reason for name, reason in self.dropped.items()}
        return replace(self, names=names, dropped=dropped)

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
    known = tuple(keys)
    prefix = shared_prefix(known)
    return {key.removeprefix(prefix): key for key in known}


def shared_prefix(keys: Iterable[str]) -> str:
    """Return the wrappers' prefix that all keys share; wrappers stand inside one another."""
    names, found = tuple(keys), ""
    while names and (prefix := next((one for one in PREFIXES if _all_begin(names, one)), "")):
        names, found = tuple(name.removeprefix(prefix) for name in names), found + prefix
    return found


def _all_begin(names: tuple[str, ...], prefix: str) -> bool:
    return all(name.startswith(prefix) for name in names)


def paddle_name(name: str) -> str:
    """Return a key with torch's names of running statistics spelt as Paddle has them."""
    for paddle, torch in NAME_SUFFIXES:
        if name.endswith(torch):
            return name.removesuffix(torch) + paddle
    return name


def torch_name(name: str, framework: str) -> str:
    """Return a key with Paddle's names of running statistics spelt as torch has them."""
    if framework == "paddle":
        for paddle, torch in NAME_SUFFIXES:
            if name.endswith(paddle):
                return name.removesuffix(paddle) + torch
    return name
