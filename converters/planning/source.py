"""A checkpoint's keys by the names that this project has for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from converters.checkpoint import Checkpoint, LazyTensor
from converters.layouts import join
from converters.layouts.names import NATIVE
from converters.layouts.naming import Naming
from converters.layouts.recognise import native_names, network_of, recognised, standard_names
from converters.user_rules import UserRules
from stdc_port import spec

WRAPPED = "module."
PREFIXES = (WRAPPED, "_orig_mod.")
NAME_SUFFIXES = (("._mean", ".running_mean"), ("._variance", ".running_var"))


@dataclass(frozen=True)
class Source:
    """A checkpoint's keys by the names that the network gives them.

    Attributes:
        checkpoint: where the tensors lie.
        framework: whose names and layouts they have.
        names: key in the checkpoint by name in the network.
        dropped: names that are left out, each with the reason.
        rules: the user's rules.
        naming: whose names the keys have in the checkpoint.
        seconds: second name → first name of tensors that the checkpoint holds twice.
        network: whose layers the implementation names, None if the names are our own.
    """

    checkpoint: Checkpoint
    framework: str
    names: Mapping[str, str]
    dropped: Mapping[str, str] = field(default_factory=dict)
    rules: UserRules = field(default_factory=UserRules)
    naming: Naming = NATIVE
    seconds: Mapping[str, str] = field(default_factory=dict)
    network: spec.NetworkSpec | None = None

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
        source = self.renamed(standard_names(self.names))
        naming = recognised(source.names, self.framework)
        network = network_of(source.names, naming)
        if naming is NATIVE or network is None:
            return source
        native, seconds = native_names(source.names, naming, network)
        known = [name for name in native.values() if ":" not in name or name in seconds]
        if 4 * len(known) < 3 * len(native):  # another network, with some names of that kind
            return source
        own = {native[name]: why for name in source.names if (why := naming.why_own(name))}
        ours = source.renamed(native)
        dropped = {**own, **ours.dropped}
        return replace(ours, dropped=dropped, naming=naming, seconds=seconds, network=network)

    def renamed(self, new: Mapping[str, str]) -> Source:
        """Return the same under new names, each given by the old one."""
        names = {new[name]: key for name, key in self.names.items()}
        dropped = {new[name]: why for name, why in self.dropped.items()}
        return replace(self, names=names, dropped=dropped)

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

    def spelt(self, name: str) -> str:
        """Return a name as the checkpoint spells it, whether it is there or not."""
        if name in self.names:
            return self.names[name]
        path, _, tensor = name.rpartition(".")
        return name if self.network is None else join(self.naming.path(path, self.network), tensor)

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


def torch_name(name: str, framework: str) -> str:
    """Return a key with Paddle's names of running statistics spelt as torch has them."""
    if framework == "paddle":
        for paddle, torch in NAME_SUFFIXES:
            if name.endswith(paddle):
                return name.removesuffix(paddle) + torch
    return name
