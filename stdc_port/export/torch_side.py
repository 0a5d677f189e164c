"""Torch's part: the same network there, its file, and how that is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from converters import convert_state_dict, read_checkpoint
from stdc_port import torch_nets
from stdc_port.export.folding import Norm, Reduction, fold, reduce
from stdc_port.export.formats import Exported
from stdc_port.export.paddle_side import Pixels, Runner


def twin(network: Any, exported: Exported) -> nn.Module:
    """The torch network with a Paddle network's weights, reduced as is wanted."""
    found = _built(exported)
    arrays = convert_state_dict(network.state_dict(), found)
    found.load_state_dict({key: torch.from_numpy(value) for key, value in arrays.items()})
    return _reduced(found, exported.reduction)


def save(network: nn.Module, path: Path) -> None:
    """Write a network's state dict as a torch file."""
    torch.save(network.state_dict(), path)


def load(path: Path, exported: Exported, *, threads: int) -> Runner:
    """Run what a torch or safetensors file holds; every key must fit."""
    network = _reduced(_built(exported), exported.reduction)
    arrays = {key: tensor.load() for key, tensor in read_checkpoint(path).items()}
    network.load_state_dict({key: torch.from_numpy(value.copy()) for key, value in arrays.items()})

    def run(pixels: Pixels) -> Pixels:
        torch.set_num_threads(threads)
        with torch.inference_mode():
            logits: Pixels = network(torch.from_numpy(pixels)).numpy()
        return logits

    return run


def _built(exported: Exported) -> nn.Module:
    # Trained in Paddle, all batch norms are plain ones, those of the authors' heads too.
    variant = "authors-bn" if exported.variant == "authors" else exported.variant
    network: nn.Module = torch_nets.build(f"{exported.model}-seg", variant=variant)
    return network


def _reduced(network: nn.Module, reduction: Reduction) -> nn.Module:
    network.eval()
    reduce(network, reduction, nn.Conv2d, nn.BatchNorm2d, _fold)
    return network


def _fold(parent: nn.Module, conv_name: str, norm_name: str) -> None:
    conv: Any = parent.get_submodule(conv_name)
    norm: Any = parent.get_submodule(norm_name)
    bias = None if conv.bias is None else conv.bias.detach().numpy()
    tensors = (norm.weight, norm.bias, norm.running_mean, norm.running_var)
    scale, shift, mean, variance = (tensor.detach().numpy() for tensor in tensors)
    known = Norm(scale, shift, mean, variance, norm.eps)
    weight, shift = fold(conv.weight.detach().numpy(), bias, known)
    conv.weight = nn.Parameter(torch.from_numpy(weight))
    conv.bias = nn.Parameter(torch.from_numpy(shift))
    setattr(parent, norm_name, nn.Identity())
