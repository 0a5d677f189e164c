"""Converted weights of STDC-Seg, run in double precision."""

import numpy as np
import torch
from stdc_files import CLASSES, SECOND

from stdc_port import torch_nets


def torch_outputs(arrays: dict[str, np.ndarray], name: str, variant: str) -> list[np.ndarray]:
    """Return what the heads of the torch network give, in double precision."""
    network = torch_nets.build(f"{name}-seg", variant=variant, num_classes=CLASSES).double()
    state = {key: torch.from_numpy(np.asarray(array)) for key, array in arrays.items()}
    missing, unexpected = network.load_state_dict(state, strict=False)
    assert unexpected == []
    assert all(key.startswith(SECOND) for key in missing)
    network.eval()
    with torch.no_grad():
        return [one.numpy() for one in heads(network, torch.from_numpy(picture()))]


def heads(network, x) -> list:
    """Return what the four heads give before it is enlarged, in either framework."""
    maps, context8, context16 = network.cp(x)
    logits = network.conv_out(network.ffm(maps[2], context8))
    auxiliary = network.conv_out16(context8), network.conv_out32(context16)
    return [logits, *auxiliary, network.conv_out_sp8(maps[2])]


def picture() -> np.ndarray:
    return np.random.default_rng(1).standard_normal((1, 3, 64, 96))


def relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    assert ours.shape == theirs.shape
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())
