"""Weight norm and spectral norm, in either spelling and along every axis."""

from __future__ import annotations

from paddle import nn as pn
from torch import nn as tn

from layer_pairs.plain import convolution, linear
from layer_pairs.registry import Pair, Random, kind

OLD, PARAMETRISED = tn.utils, tn.utils.parametrizations
SPELLINGS = {"": OLD, "_parametrised": PARAMETRISED}
AXES = {"linear": 2, "conv": 4, "conv_transpose": 4}


def held(base: str, random: Random, square: bool) -> Pair:
    if base == "linear":
        return linear(random, square)
    return convolution(random, square, 2, transposed=base == "conv_transpose")


def paddle_axis(base: str, dim: int | None) -> int | None:
    """Return the axis of Paddle's weight that is an axis of torch's."""
    return AXES[base] - 1 - dim if base == "linear" and dim is not None else dim


def told(dim: int | None) -> dict[str, str]:
    """Return the rule that says along which axis norms run, where another one is usual."""
    return {} if dim is None else {r".*(_g|_u|original0)": f"norm_along_{dim}"}


def weight_norm(random: Random, square: bool, base: str, spelling: str, dim: int | None) -> Pair:
    pair = held(base, random, square)
    SPELLINGS[spelling].weight_norm(pair.torch, dim=dim)
    pn.utils.weight_norm(pair.paddle, dim=paddle_axis(base, dim))
    pair.tensors = told(dim)
    return pair


def spectral_norm(
    random: Random, square: bool, base: str, spelling: str, dim: int | None, training: bool
) -> Pair:
    pair = held(base, random, square)
    SPELLINGS[spelling].spectral_norm(pair.torch, dim=dim)
    pn.utils.spectral_norm(pair.paddle, dim=paddle_axis(base, dim))
    pair.tensors = told(dim)
    pair.training = training
    return pair


for base, count in AXES.items():
    for spelling in SPELLINGS:
        for dim in (None, *range(count)):
            options = {"base": base, "spelling": spelling, "dim": dim}
            kind(f"weight_norm_{base}{spelling}_dim_{dim}", **options)(weight_norm)
            if dim is None or dim < 3:
                which = "usual_dim" if dim is None else f"dim_{dim}"
                kind(f"spectral_norm_{base}{spelling}_{which}", training=False, **options)(
                    spectral_norm
                )
    # The other spelling updates u before v: equal only once both have settled.
    kind(
        f"spectral_norm_{base}_training", training=True, base=base, spelling="", dim=None
    )(spectral_norm)  # fmt: skip
