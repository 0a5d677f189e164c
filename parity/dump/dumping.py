"""What goes into a dump: a network's runs, what it consists of, and what paddle's side measured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from parity import weights as crossing
from parity.backends import backend_of
from parity.backward import Backward, run_through
from parity.carry import State, Weights
from parity.cotangents import random_cotangent
from parity.dump import manifest as manifests
from parity.dump.carried import structure_of_keys, structure_on
from parity.dump.manifest import Input, Manifest
from parity.dump.members import (
    ENTRIES_MEMBER,
    INVENTORY_MEMBER,
    OWN_MEMBER,
    as_json,
    input_member,
    weight_member,
)
from parity.dump.parameters import parameters_of, stored_entries
from parity.dump.reader import Dump
from parity.dump.writer import DumpWriter, RunWriter
from parity.inventory import Inventory, inventory_of
from parity.isolate import forced_until_settled
from parity.precision import TOLERANCE, TOLERANCE_FLOAT64
from parity.reorder import renumbered
from parity.restore import random_numbers_restored
from parity.source import LiveRun, copy_as
from parity.versions import versions

if TYPE_CHECKING:
    import os

    from parity.arguments import Arguments
    from parity.backends import FloatType
    from parity.renaming import Rename
    from parity.structure import Structure

OTHER = {"torch": "paddle", "paddle": "torch"}


@dataclass(frozen=True)
class Dumping:
    """What is to be written.

    Attributes:
        network: A torch Module or paddle Layer; it is only read.
        inputs: Its arguments.
        precisions: The runs to be kept, in order.
        weights: What it is to run with; None takes its own.
        rename: The caller's renames.
        on: Torch's dump, for paddle's.
        backward: Keep gradients, too.
    """

    network: Any
    inputs: Arguments
    precisions: tuple[FloatType, ...]
    weights: Weights | None
    rename: Rename | None
    on: Dump | None
    backward: bool

    @cached_property
    def held(self) -> Weights:
        """The weights that the network runs with."""
        return self.weights or Weights.of(self.network)

    @cached_property
    def inventory(self) -> Inventory:
        """What the network consists of."""
        return inventory_of(self.network)

    @cached_property
    def structure(self) -> Structure:
        """Which of torch's layers are which of paddle's."""
        if self.on is None:
            return structure_of_keys(self.held.tensors, self.rename)
        return structure_on(self.on, self.inventory, self.network, self.inputs, self.rename)

    @cached_property
    def keys(self) -> crossing.Keys:
        """How torch's keys become paddle's."""
        found = self.structure
        return crossing.Keys(found.key_rename, found.left_out, found.kept, found.folded)

    def manifest(self, title: str, converted: str | os.PathLike[str] | None) -> Manifest:
        """Say what the dump is to be."""
        backend, weights = backend_of(self.network), self.weights
        return Manifest(
            framework=backend.name,
            title=title or type(self.network).__name__,
            precisions=self.precisions,
            inputs=tuple(Input.of(array, name) for name, array in self.inputs.items()),
            weights_from=self.held.source,
            weights_sha256=self.held.sha256(),
            own_weights=backend.name == "paddle" and (weights is None or weights.own),
            weights_stored=backend.name == "torch" and not self.held.repeatable,
            versions={name: v for name, v in versions().items() if name != OTHER[backend.name]},
            device=backend.device(self.network),
            checks=("forward", "backward") if self.backward else ("forward",),
            converted=self._differences(converted),
        )

    def write(self, writer: DumpWriter, manifest: Manifest) -> None:
        """Write everything, the manifest last."""
        for index, array in enumerate(self.inputs):
            writer.array(input_member(index), array)
        writer.json(INVENTORY_MEMBER, as_json(self.inventory, _no_array))
        for dtype in self.precisions:
            self._write_run(writer, dtype)
        if self.backward and manifest.framework == "paddle":
            self._write_entries(writer)
        if self.on is not None:
            self._write_own_errors(writer, self.on)
        if manifest.weights_stored:
            for key, tensor in self.held.tensors.items():
                writer.array(weight_member(key), tensor.load())
        writer.json(manifests.MEMBER, manifest.to_json())

    @random_numbers_restored()
    def _write_run(self, writer: DumpWriter, dtype: FloatType) -> None:
        records, network = RunWriter(writer, dtype), self._copy(dtype)
        if not self.backward:
            LiveRun(network, self.inputs, dtype).stream(records.call, records.start)
            records.close()
            return
        backward = Backward(random_cotangent())
        late = run_through(
            network,
            self.inputs,
            records.call,
            records.gradient,
            dtype,
            backward,
            given=records.start,
        )
        records.parameters(parameters_of(network))
        records.close(late)

    def _write_entries(self, writer: DumpWriter) -> None:
        """Write how torch's parameters became paddle's."""
        held = self.held
        if self.on is not None and held.framework == "paddle" and self.on.manifest.weights_stored:
            held = Weights.stored(self.on.weights(), "torch", "")
        state = State(held.values()) if held.framework == "torch" else None
        found = stored_entries(state, self.network, self.keys)
        if found is not None:
            entries = {name: tuple(listed) for name, listed in found.items()}
            writer.json(ENTRIES_MEMBER, as_json(entries, _no_array))

    @random_numbers_restored()
    def _write_own_errors(self, writer: DumpWriter, on: Dump) -> None:
        """Measure on torch's values what each call does wrong by itself."""
        held = [dtype for dtype in self.precisions if dtype in on.manifest.precisions]
        first = held[0]
        numbers = renumbered(on.run(first), self._live(first), self.structure.rename)
        forced = forced_until_settled(
            held,
            lambda dtype: (on.run(dtype), replace(self._live(dtype), numbers=numbers)),
            self.structure.rename,
            tol=TOLERANCE,
            tol64=TOLERANCE_FLOAT64,
        )
        writer.json(OWN_MEMBER, as_json({on.fingerprint: forced}, _no_array))

    def _live(self, dtype: FloatType) -> LiveRun:
        return LiveRun(self._copy(dtype), self.inputs, dtype)

    def _copy(self, dtype: FloatType) -> Any:
        copied = copy_as(self.network, dtype)
        if self.weights is not None:
            crossing.load(copied, self.weights.fitted(copied, dtype, self.keys))
        return copied

    def _differences(self, converted: str | os.PathLike[str] | None) -> dict[str, str]:
        if converted is None:
            return {}
        if self.weights is None:
            raise ValueError(
                f"{converted}: nothing to compare it with; give the weights it is made of"
            )
        expected = self.weights.fitted(self.network, keys=self.keys)
        found = crossing.differences(expected, crossing.read_file(converted))
        return {difference.name: difference.reason for difference in found}


def _no_array(array: Any) -> str:
    raise TypeError(f"{array!r} among values that have no arrays")
