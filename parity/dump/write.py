"""`write_dump`: run one network and keep its run in a file."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from converters.bits import raw
from converters.files import check_target, temporary_beside
from parity import weights as crossing
from parity.arguments import as_arguments
from parity.backends import backend_of, unwrapped
from parity.carry import Weights
from parity.dump import manifest as manifests
from parity.dump.manifest import Input, Manifest
from parity.dump.members import input_member, weight_member
from parity.dump.spool import modules_of
from parity.dump.writer import DumpWriter, RunWriter
from parity.precision import PRECISIONS
from parity.restore import random_numbers_restored
from parity.running import run
from parity.source import copy_as
from parity.versions import versions

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from parity.arguments import Arguments
    from parity.backends import FloatType

OTHER = {"torch": "paddle", "paddle": "torch"}


def write_dump(
    network: Any,
    inputs: Any,
    path: str | os.PathLike[str],
    *,
    weights: Weights | None = None,
    precision: Literal["float32", "float64", "both"] = "both",
    rename: Mapping[str, str] | None = None,
    converted: str | os.PathLike[str] | None = None,
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
        rename: Torch path prefix to paddle path prefix, for weights that are converted.
        converted: A converted file, the one that a training will read, to compare bit for bit
            with the conversion of the weights; the comparison of the dumps reports it.
        title: What the dump is, for people; the network's class by default.
        force: Replace an existing file.

    Returns:
        What the dump says of itself.

    Raises:
        converters.InputError: The file cannot be written, or the converter knows no rule for a
            layer.
        converters.RefusedError: The weights cannot all be accounted for.
        ValueError: The weights do not fit, or an unknown precision.
        TypeError: It is no network.
        NetworkError: The network's forward raised, or it cannot be copied.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision {precision!r}: expected one of {', '.join(PRECISIONS)}")
    network = unwrapped(network)
    path, backend = Path(path), backend_of(network)
    check_target(path, (), force=force)
    arrays = as_arguments(inputs)
    held = weights or Weights.of(network)
    manifest = Manifest(
        framework=backend.name,
        title=title or type(network).__name__,
        precisions=PRECISIONS[precision],
        inputs=_inputs(arrays),
        weights_from=held.source,
        weights_sha256=held.sha256(),
        own_weights=backend.name == "paddle" and (weights is None or weights.own),
        weights_stored=backend.name == "torch" and not held.repeatable,
        modules=modules_of(network),
        versions={name: v for name, v in versions().items() if name != OTHER[backend.name]},
        device=backend.device(network),
        converted=_differences(network, weights, rename, converted),
    )
    with temporary_beside(path) as temporary:
        with temporary.open("wb") as file, DumpWriter(file) as writer:
            for index, array in enumerate(arrays):
                writer.array(input_member(index), array)
            for dtype in manifest.precisions:
                _write_run(writer, network, arrays, dtype, weights, rename)
            if manifest.weights_stored:
                for key, tensor in held.tensors.items():
                    writer.array(weight_member(key), tensor.load())
            writer.json(manifests.MEMBER, manifest.to_json())
        temporary.replace(path)
    return manifest


@random_numbers_restored()
def _write_run(
    writer: DumpWriter,
    network: Any,
    inputs: Arguments,
    dtype: FloatType,
    weights: Weights | None,
    rename: Mapping[str, str] | None,
) -> None:
    copied = copy_as(network, dtype)
    if weights is not None:
        crossing.load(copied, weights.fitted(copied, dtype, rename))
    records = RunWriter(writer, dtype)
    run(copied, inputs, records.call, dtype, share=True, given=records.start)
    records.close()


def _differences(
    network: Any,
    weights: Weights | None,
    rename: Mapping[str, str] | None,
    converted: str | os.PathLike[str] | None,
) -> dict[str, str]:
    if converted is None:
        return {}
    if weights is None:
        raise ValueError(f"{converted}: nothing to compare it with; give the weights it is made of")
    expected = weights.fitted(network, rename=rename)
    found = crossing.differences(expected, crossing.read_file(converted))
    return {difference.name: difference.reason for difference in found}


def _inputs(arguments: Arguments) -> tuple[Input, ...]:
    return tuple(
        Input(array.shape, str(array.dtype), hashlib.sha256(raw(array)).hexdigest(), name)
        for name, array in arguments.items()
    )
