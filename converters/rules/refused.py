"""Layers that hold tensors and cannot be carried over, each with the reason."""

from __future__ import annotations

from collections.abc import Mapping

_LOSS = (
    "a loss keeps its class weights in torch's state dict and outside Paddle's; "
    "drop them, and give them to the loss where it is made"
)
_TORCH = {
    "AdaptiveLogSoftmaxWithLoss": (
        "Paddle's state dict lists the head alone and leaves the tail's weights out"
    ),
    "ParametrizationList": (
        "a parametrization other than weight_norm and spectral_norm has no counterpart in Paddle; "
        "make it permanent with torch.nn.utils.parametrize.remove_parametrizations"
    ),
    "LinearCrossEntropyLoss": "Paddle has no such layer; use a Linear and a loss",
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
_PADDLE = {
    "AdaptiveLogSoftmaxWithLoss": _TORCH["AdaptiveLogSoftmaxWithLoss"],
    "HSigmoidLoss": "torch has no hierarchical sigmoid",
    "SpectralNorm": (
        "torch has no layer that normalises a weight given to it; "
        "use paddle.nn.utils.spectral_norm on the layer that holds the weight"
    ),
}
REFUSED: Mapping[str, Mapping[str, str]] = {"torch": _TORCH, "paddle": _PADDLE}
