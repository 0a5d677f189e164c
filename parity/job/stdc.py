"""Which STDC network is meant, and its weights without a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import converters
from converters import Checkpoint
from converters.layouts import join
from converters.layouts.stdc import layout_of
from converters.state_dict import lazy
from parity.carry import Weights
from parity.inputs import seeded_state
from parity.job.request import JobError
from stdc_port.spec import ARCHS, VARIANTS, Variant, resolve

if TYPE_CHECKING:
    from parity.job.request import Framework, Request

DEFAULT_ARCH = "stdc1-seg"
DEFAULT_VARIANT = "authors"


@dataclass(frozen=True)
class Identity:
    """The arguments of both frameworks' `build`."""

    arch: str
    variant: str
    num_classes: int | None

    @property
    def spec(self) -> Variant:
        """What is particular to the variant."""
        return VARIANTS[self.variant]


def identify(request: Request, weights: Weights | None) -> Identity:
    """Tell the network by its weights, or by the options where there are none.

    Raises:
        JobError: The weights are of another network.
        converters.InputError: They are those of another STDC network than --arch.
    """
    if weights is None:
        arch = DEFAULT_ARCH if request.arch == "auto" else request.arch
        return Identity(arch, request.variant or DEFAULT_VARIANT, None)
    held = weights.tensors
    if not isinstance(held, Checkpoint):
        held = Checkpoint(Path(weights.source), "memory", held)
    to: Framework = "paddle" if weights.framework == "torch" else "torch"
    found = converters.plan_conversion(held, to=to, arch=request.arch).layout
    if found.arch not in ARCHS:
        raise JobError(
            f"{request.checkpoint} holds no STDC network: name yours with --torch and --paddle"
        )
    return Identity(found.arch, request.variant or found.variant, found.num_classes)


def seeded(identity: Identity, seed: int) -> Weights:
    """Make seeded weights of an STDC network; neither framework is needed."""
    network = resolve(identity.arch, variant=identity.variant, num_classes=identity.num_classes)
    layout = layout_of(network)
    shapes = {
        join(layer.path, name): shape
        for layer in layout.layers
        for name, shape in layer.shapes.items()
    }
    state = seeded_state(shapes, seed)
    state |= {second: state[first] for second, first in layout.aliases.items()}
    tensors = {key: lazy(key, value) for key, value in state.items()}
    return Weights(tensors, "torch", f"seeded weights ({seed})")
