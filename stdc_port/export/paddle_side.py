"""Paddle's part: the reduced network, its inference files, and how both are run."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import inference, nn
from paddle.static import InputSpec

from converters import stopping
from stdc_port.export.folding import Norm, Reduction, fold, reduce
from stdc_port.export.quiet import held_back

Pixels = NDArray[np.float32]
Runner = Callable[[Pixels], Pixels]


def reduced(network: Any, reduction: Reduction) -> Any:
    """A copy of a network in evaluation mode, without what inference does not need."""
    network = deepcopy(network)
    reduce(network, reduction, nn.Conv2D, nn.BatchNorm2D, _fold)
    network.eval()
    return network


def _fold(parent: Any, conv_name: str, norm_name: str) -> None:
    layers = dict(parent.named_children())
    conv, norm = layers[conv_name], layers[norm_name]
    bias = None if conv.bias is None else conv.bias.numpy()
    tensors = (norm.weight, norm.bias, norm._mean, norm._variance)  # noqa: SLF001
    scale, shift, mean, variance = (tensor.numpy() for tensor in tensors)
    known = Norm(scale, shift, mean, variance, norm._epsilon)  # noqa: SLF001
    weight, shift = fold(conv.weight.numpy(), bias, known)
    conv.weight.set_value(weight)
    conv.bias = conv.create_parameter([len(shift)], is_bias=True)
    conv.bias.set_value(shift)
    setattr(parent, norm_name, nn.Identity())


def save_inference(network: Any, stem: Path) -> tuple[Path, Path]:
    """Write `stem`.json and `stem`.pdiparams, for pictures of any size and number.

    Returns:
        Both files.
    """
    spec = [InputSpec([None, 3, None, None], "float32", "image")]
    # Amid Paddle's tracing a signal's exit code would become words of its own.
    with held_back(), stopping.held_back():
        paddle.jit.save(network, str(stem), input_spec=spec)
    return stem.with_name(f"{stem.name}.json"), stem.with_name(f"{stem.name}.pdiparams")


def eager(network: Any, *, threads: int) -> Runner:
    """Run a network as it was trained."""

    def run(pixels: Pixels) -> Pixels:
        paddle.base.core.set_num_threads(threads)
        with paddle.no_grad():
            logits: Pixels = network(paddle.to_tensor(pixels)).numpy()
        return logits

    return run


def load_inference(program: Path, *, threads: int) -> Runner:
    """Run inference files by Paddle's predictor on the CPU."""
    config = inference.Config(str(program), str(program.with_suffix(".pdiparams")))
    config.set_cpu_math_library_num_threads(threads)
    config.disable_glog_info()
    config.disable_mkldnn()  # of Paddle 3.3.1 it does not know the resize's list of scales
    predictor = inference.create_predictor(config)
    given = predictor.get_input_handle(predictor.get_input_names()[0])
    result = predictor.get_output_handle(predictor.get_output_names()[0])

    def run(pixels: Pixels) -> Pixels:
        given.reshape(pixels.shape)
        given.copy_from_cpu(pixels)
        predictor.run()
        logits: Pixels = result.copy_to_cpu()
        return logits

    return run
