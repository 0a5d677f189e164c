"""`write_dump`: run one network and keep its run in a file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from converters.bits import raw
from converters.files import check_target, temporary_beside
from parity import weights as crossing
from parity.arguments import as_arguments
from parity.backends import backend_of, unwrapped
from parity.carry import Weights
from parity.dump import manifest as manifests
from parity.dump.carried import keys_between
from parity.dump.compatible import Described, refuse_incompatible
from parity.dump.manifest import Input, Manifest
from parity.dump.members import INVENTORY_MEMBER, as_json, input_member, weight_member
from parity.dump.reader import Dump
from parity.dump.writer import DumpWriter, RunWriter
from parity.inventory import Inventory, inventory_of
from parity.precision import PRECISIONS
from parity.restore import random_numbers_restored
from parity.running import run
from parity.source import copy_as
from parity.versions import versions

if TYPE_CHECKING:
    import os

    from parity.arguments import Arguments
    from parity.backends import FloatType
    from parity.renaming import Rename

OTHER = {"torch": "paddle", "paddle": "torch"}


def write_dump(
    network: Any,
    inputs: Any,
    path: str | os.PathLike[str],
    *,
    weights: Weights | None = None,
    precision: Literal["float32", "float64", "both"] = "both",
    rename: Rename | None = None,
    converted: str | os.PathLike[str] | None = None,
    on: str | os.PathLike[str] | Dump | None = None,
    title: str = "",
    force: bool = False,
) -> Manifest:
    """Run a network once in each precision and write all its module calls to a file.

    Nothing of a run is held but the tensor that is being written; the caller's network is only
    read. The other network's framework need not be installed.

    Args:
        network: A torch Module or paddle Layer.
        inputs: One array or tensor, a tuple or list of them, or a mapping from arguments' names.
        path: The dump; it appears under this name when it is complete.
        weights: What the network is to run with, converted if they are the other framework's;
            None takes its own. Torch's own go into the dump, for paddle's side to be made with.
        precision: 'both' lets a comparison tell rounding from meaning.
        rename: Torch path prefix to paddle path prefix, or rules for keys, for weights that are
            converted; see `parity.check.check_parity`.
        converted: A converted file, the one that a training will read, to compare bit for bit
            with the conversion of the weights; the comparison of the dumps reports it.
        on: The dump that torch's network has left, for paddle's: it tells which layer's weights
            are which where names do not.
        title: What the dump is, for people; the network's class by default.
        force: Replace an existing file.

    Returns:
        What the dump says of itself.

    Raises:
        converters.InputError: The file cannot be written, or the converter knows no rule for a
            layer.
        converters.RefusedError: The weights cannot all be accounted for.
        DumpError: `on` is no dump of torch's, or was made of other inputs or weights.
        ValueError: The weights do not fit, or an unknown precision.
        TypeError: It is no network.
        NetworkError: The network's forward raised, or it cannot be copied.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision {precision!r}: expected one of {', '.join(PRECISIONS)}")
    path = Path(path)
    check_target(path, (), force=force)
    dumping = _Dumping(
        unwrapped(network),
        as_arguments(inputs),
        PRECISIONS[precision],
        weights,
        rename,
        on if on is None or isinstance(on, Dump) else Dump(on),
    )
    manifest = dumping.manifest(title, converted)
    if dumping.on is not None:
        refuse_incompatible(dumping.on, Described(path, manifest))
    with temporary_beside(path) as temporary:
        with temporary.open("wb") as file, DumpWriter(file) as writer:
            dumping.write(writer, manifest)
        temporary.replace(path)
    return manifest


@dataclass(frozen=True)
class _Dumping:
    """A dump to be written; the fields are the arguments of `write_dump`."""

    network: Any
    inputs: Arguments
    precisions: tuple[FloatType, ...]
    weights: Weights | None
    rename: Rename | None
    on: Dump | None

    @cached_property
    def held(self) -> Weights:
        return self.weights or Weights.of(self.network)

    @cached_property
    def inventory(self) -> Inventory:
        return inventory_of(self.network)

    @cached_property
    def keys(self) -> crossing.Keys:
        return keys_between(
            self.held, self.inventory, self.network, self.inputs, self.rename, self.on
        )

    def manifest(self, title: str, converted: str | os.PathLike[str] | None) -> Manifest:
        """Say what the dump is to be."""
        backend, weights = backend_of(self.network), self.weights
        return Manifest(
            framework=backend.name,
            title=title or type(self.network).__name__,
            precisions=self.precisions,
            inputs=_inputs(self.inputs),
            weights_from=self.held.source,
            weights_sha256=self.held.sha256(),
            own_weights=backend.name == "paddle" and (weights is None or weights.own),
            weights_stored=backend.name == "torch" and not self.held.repeatable,
            versions={name: v for name, v in versions().items() if name != OTHER[backend.name]},
            device=backend.device(self.network),
            converted=self._differences(converted),
        )

    def write(self, writer: DumpWriter, manifest: Manifest) -> None:
        """Write everything, the manifest last."""
        for index, array in enumerate(self.inputs):
            writer.array(input_member(index), array)
        writer.json(INVENTORY_MEMBER, as_json(self.inventory, _no_array))
        for dtype in self.precisions:
            self._write_run(writer, dtype)
        if manifest.weights_stored:
            for key, tensor in self.held.tensors.items():
                writer.array(weight_member(key), tensor.load())
        writer.json(manifests.MEMBER, manifest.to_json())

    @random_numbers_restored()
    def _write_run(self, writer: DumpWriter, dtype: FloatType) -> None:
        records = RunWriter(writer, dtype)
        run(self._copy(dtype), self.inputs, records.call, dtype, share=True, given=records.start)
        records.close()

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


def _inputs(arguments: Arguments) -> tuple[Input, ...]:
    return tuple(
        Input(array.shape, str(array.dtype), hashlib.sha256(raw(array)).hexdigest(), name)
        for name, array in arguments.items()
    )
