"""Reading a dump."""

from __future__ import annotations

import zipfile
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converters.entries import Entry
from converters.errors import InputError
from converters.formats.torch_zip import members_of
from parity.arguments import Arguments, split
from parity.carry import Weights
from parity.dump import manifest as manifests
from parity.dump.archive import WRITER, Archive
from parity.dump.consistent import (
    oddities_of_entries,
    oddities_of_forced,
    oddities_of_inputs,
    oddities_of_inventory,
    oddities_of_parameters,
)
from parity.dump.manifest import DumpError, Input, Manifest, told
from parity.dump.members import (
    ENTRIES_MEMBER,
    INVENTORY_MEMBER,
    OWN_MEMBER,
    from_json,
    input_member,
    parameters_member,
    weight_member,
)
from parity.dump.parameters import Parameter
from parity.dump.stored import StoredRun
from parity.dump.typed import OddValueError
from parity.inventory import Inventory
from parity.isolate import Forced

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping

    import numpy as np

    from parity.backends import FloatType
    from parity.record import CallKey


def is_dump(path: str | os.PathLike[str]) -> bool:
    """Tell whether a file is a dump, by its content."""
    try:
        return zipfile.is_zipfile(path) and manifests.MEMBER in members_of(Path(path))
    except InputError:
        return False


class Dump(Archive):
    """A dump that is open for reading.

    Attributes:
        path: The file.
        manifest: What it says of itself.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open a dump.

        Raises:
            DumpError: The file is no complete dump.
            OSError: It cannot be opened.
        """
        super().__init__(path)
        if manifests.MEMBER not in self:
            raise DumpError(f"{path}: no dump of stdc-parity; make it again with {WRITER}")
        content = self.json(manifests.MEMBER)
        try:
            self.manifest = Manifest.from_json(content)
        except DumpError as error:
            raise DumpError(f"{path}: {error}; make it again with {WRITER}") from error

    def inputs(self) -> Arguments:
        """Give the arguments that the network was given.

        Raises:
            DumpError: They are not those of which the manifest holds the digests.
        """
        for odd in oddities_of_inputs(self.manifest.inputs):
            raise self.odd(manifests.MEMBER, odd)
        arrays = [self._input(place, one) for place, one in enumerate(self.manifest.inputs)]
        names = tuple(given.name for given in self.manifest.inputs if given.name)
        return Arguments.of(*split(tuple(arrays), names))

    def _input(self, place: int, given: Input) -> np.ndarray:
        array = self.array(input_member(place))
        found = Input.of(array, given.name)
        if found != given:
            raise self.odd(
                input_member(place),
                f"input {given.name or place} is not what the network was given: expected "
                f"{told(given)}, found {told(found)}",
            )
        return array

    @cached_property
    def inventory(self) -> Inventory:
        """What the network consists of."""
        found: Inventory = self._plain(INVENTORY_MEMBER, Inventory)
        self._hold(INVENTORY_MEMBER, oddities_of_inventory(found))
        return found

    def entries(self, names: Iterable[str]) -> dict[str, tuple[Entry, ...]] | None:
        """Give the converter's entries by torch's names; None if paddle's side had none.

        Args:
            names: Of paddle's parameters.
        """
        if ENTRIES_MEMBER not in self:
            return None
        found: dict[str, tuple[Entry, ...]] = self._plain(
            ENTRIES_MEMBER, dict[str, tuple[Entry, ...]]
        )
        self._hold(ENTRIES_MEMBER, oddities_of_entries(found, set(names)))
        return found

    def own_errors(self, on: Dump) -> Forced | None:
        """Give the forced runs on another dump's values, if there were any."""
        if OWN_MEMBER not in self:
            return None
        found: dict[str, Forced] = self._plain(OWN_MEMBER, dict[str, Forced])
        forced = found.get(on.fingerprint)
        if forced is not None:
            self._hold(OWN_MEMBER, oddities_of_forced(forced))
        return forced

    def parameters(self, dtype: FloatType) -> tuple[Parameter, ...]:
        """Give the parameters of a run that went backward."""
        member = parameters_member(dtype)
        found: tuple[Parameter, ...] = self._plain(member, tuple[Parameter, ...])
        self._hold(member, oddities_of_parameters(found))
        return found

    def _plain(self, member: str, expected: Any) -> Any:
        try:
            return from_json(self.json(member), expected, self.array)
        except OddValueError as error:
            raise self.odd(member, str(error)) from error

    def _hold(self, member: str, oddities: Iterator[str]) -> None:
        for odd in oddities:
            raise self.odd(member, odd)

    def called(self) -> dict[str, str]:
        """Give the classes of the modules that ran, by path, in order of completion."""
        return self.run(self.manifest.precisions[0]).called()

    def weights(self) -> dict[str, np.ndarray]:
        """Give the weights that it holds, by key; empty where another file holds them.

        Raises:
            DumpError: They are not those of which the manifest holds the digest.
        """
        if not self.manifest.weights_stored:
            return {}
        prefix, suffix = weight_member("\n").split("\n")
        found = {
            name.removeprefix(prefix).removesuffix(suffix): self.array(name)
            for name in self.names
            if name.startswith(prefix)
        }
        try:
            digest = Weights.stored(found, "torch", "").sha256()
        except InputError as error:
            raise self.odd(weight_member("*"), str(error)) from error
        if digest != self.manifest.weights_sha256:
            raise self.odd(weight_member("*"), "they are not the weights that the network ran with")
        return found

    def run(self, dtype: FloatType, numbers: Mapping[CallKey, int] | None = None) -> StoredRun:
        """Give the run in a precision that the manifest lists; see `StoredRun` for the numbers."""
        return StoredRun(self, dtype, self.inventory.modules, numbers or {})
