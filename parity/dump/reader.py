"""Reading a dump."""

from __future__ import annotations

import zipfile
from functools import cached_property
from typing import TYPE_CHECKING, Any

from parity.arguments import Arguments, split
from parity.dump import manifest as manifests
from parity.dump.archive import Archive
from parity.dump.manifest import DumpError, Manifest
from parity.dump.members import (
    ENTRIES_MEMBER,
    INVENTORY_MEMBER,
    OWN_MEMBER,
    from_json,
    input_member,
    parameters_member,
    weight_member,
)
from parity.dump.stored import StoredRun

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import numpy as np

    from converters.entries import Entry
    from parity.backends import FloatType
    from parity.dump.parameters import Parameter
    from parity.inventory import Inventory
    from parity.isolate import Forced
    from parity.record import CallKey


def is_dump(path: str | os.PathLike[str]) -> bool:
    """Tell whether a file is a dump, by its content."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as table:
        return manifests.MEMBER in table.NameToInfo


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
        try:
            if manifests.MEMBER not in self:
                raise DumpError("no dump of stdc-parity")
            self.manifest = Manifest.from_json(self.json(manifests.MEMBER))
        except DumpError as error:
            raise DumpError(f"{path}: {error}; make it again with stdc-parity dump") from error

    def inputs(self) -> Arguments:
        """Give the arguments that the network was given."""
        arrays = [self.array(input_member(i)) for i in range(len(self.manifest.inputs))]
        names = tuple(given.name for given in self.manifest.inputs if given.name)
        return Arguments.of(*split(tuple(arrays), names))

    @cached_property
    def inventory(self) -> Inventory:
        """What the network consists of."""
        found: Inventory = self._plain(INVENTORY_MEMBER)
        return found

    def entries(self) -> dict[str, tuple[Entry, ...]] | None:
        """Give the converter's entries by torch's names; None if paddle's side had none."""
        if ENTRIES_MEMBER not in self:
            return None
        found: dict[str, tuple[Entry, ...]] = self._plain(ENTRIES_MEMBER)
        return found

    def own_errors(self, on: Dump) -> Forced | None:
        """Give the forced runs on another dump's values, if there were any."""
        if OWN_MEMBER not in self:
            return None
        found: dict[str, Forced] = self._plain(OWN_MEMBER)
        return found.get(on.fingerprint)

    def parameters(self, dtype: FloatType) -> tuple[Parameter, ...]:
        """Give the parameters of a run that went backward."""
        found: tuple[Parameter, ...] = self._plain(parameters_member(dtype))
        return found

    def _plain(self, member: str) -> Any:
        try:
            return from_json(self.json(member), self.array)
        except (TypeError, KeyError) as error:
            raise DumpError(f"{self.path}: {member} cannot be read; make it again") from error

    def called(self) -> dict[str, str]:
        """Give the classes of the modules that ran, by path, in order of completion."""
        return self.run(self.manifest.precisions[0]).called()

    def weights(self) -> dict[str, np.ndarray]:
        """Give the weights that it holds, by key; empty where another file holds them."""
        prefix, suffix = weight_member("\n").split("\n")
        return {
            name.removeprefix(prefix).removesuffix(suffix): self.array(name)
            for name in self.names
            if name.startswith(prefix)
        }

    def run(self, dtype: FloatType, numbers: Mapping[CallKey, int] | None = None) -> StoredRun:
        """Give the run in a precision that the manifest lists; see `StoredRun` for the numbers."""
        return StoredRun(self, dtype, self.inventory.modules, numbers or {})
