"""Layers that hold tensors and cannot be carried over, each with the reason."""

from __future__ import annotations

from collections.abc import Mapping

_LOSS = (
    "a loss keeps its class weights in torch's state dict and outside Paddle's; "
    "drop them, and give them to the loss where it is made"
)
_BASE = "a base class: what its weights hold is not known; use {} itself"
_LAZY = "its shapes are not known yet; run the network once on an input, then convert"
_TORCH = {
    "AdaptiveLogSoftmaxWithLoss": (
        "Paddle's state dict lists the head alone and leaves the tail's weights out"
    ),
    "ParametrizationList": (
        "a parametrization other than weight_norm and spectral_norm of a known layer has no "
        "counterpart in Paddle; make it permanent with "
        "torch.nn.utils.parametrize.remove_parametrizations"
    ),
    "LinearCrossEntropyLoss": "Paddle has no such layer; use a Linear and a loss",
    "RNNBase": _BASE.format("RNN, LSTM or GRU"),
    "RNNCellBase": _BASE.format("RNNCell, LSTMCell or GRUCell"),
} | dict.fromkeys(
    (
        "BCELoss",
        "BCEWithLogitsLoss",
        "CrossEntropyLoss",
        "MultiLabelSoftMarginLoss",
        "MultiMarginLoss",
        "NLLLoss",
        "NLLLoss2d",
    ),
    _LOSS,
)
_TORCH |= {
    f"Lazy{name}{rank}": _LAZY
    for name in ("BatchNorm", "InstanceNorm", "Conv", "ConvTranspose")
    for rank in ("1d", "2d", "3d")
} | {"LazyLinear": _LAZY}
_PADDLE = {
    "AdaptiveLogSoftmaxWithLoss": _TORCH["AdaptiveLogSoftmaxWithLoss"],
    "HSigmoidLoss": "torch has no hierarchical sigmoid",
    "SpectralNorm": (
        "torch has no layer that normalises a weight given to it; "
        "use paddle.nn.utils.spectral_norm on the layer that holds the weight"
    ),
    "RNNBase": _BASE.format("SimpleRNN, LSTM or GRU"),
    "RNNCellBase": _BASE.format("SimpleRNNCell, LSTMCell or GRUCell"),
}
REFUSED: Mapping[str, Mapping[str, str]] = {"torch": _TORCH, "paddle": _PADDLE}

_QUANTISED = "a quantised layer keeps packed or rounded weights; convert the network it was made of"
# Packages of a framework by the beginning of their names: none of their layers has a rule.
REFUSED_PACKAGES: Mapping[str, Mapping[str, str]] = {
    "torch": {
        "ao.": _QUANTISED,
        "jit.": "TorchScript does not tell its layers' classes; give the network it was made of",
    },
    "paddle": {
        "nn.quant.": _QUANTISED,
        "incubate.": "a fused layer packs its weights in a way of its own; use paddle.nn's layers",
        "sparse.": "torch has no sparse layers; their weights are [depth, height, width, in, out]",
    },
}


def why_refused(name: str, framework: str) -> str:
    """Return why a framework's class cannot be carried over, '' if nothing is known against it.

    Args:
        name: of the class, as :func:`converters.rules.framework_classes` gives it.
        framework: whose.
    """
    packages = REFUSED_PACKAGES[framework].items()
    why = next((reason for start, reason in packages if name.startswith(start)), "")
    return why or REFUSED[framework].get(name, "")
