"""What cannot be carried over is refused by name, with the reason."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import paddle
import pytest
import torch
from paddle import nn as pn
from torch import nn as tn

from converters import RefusedError, convert_file, convert_state_dict, plan_conversion
from converters.checkpoint import Checkpoint
from converters.state_dict import lazy

# Source and target, and what the refusal says.
REFUSED: dict[str, tuple[Callable[[], object], Callable[[], object], str]] = {
    "tracked InstanceNorm": (
        lambda: tn.InstanceNorm2d(3, affine=True, track_running_stats=True),
        lambda: pn.InstanceNorm2D(3),
        "'running_mean': InstanceNorm: Paddle keeps no running statistics",
    ),
    "tracked InstanceNorm as target": (
        lambda: pn.InstanceNorm2D(3),
        lambda: tn.InstanceNorm2d(3, affine=True, track_running_stats=True),
        "needed for 'running_mean'.*keeps no running statistics",
    ),
    "LayerNorm with a large epsilon": (
        lambda: tn.LayerNorm(4, eps=1e-2),
        lambda: pn.LayerNorm(4, epsilon=1e-2),
        "refuses an epsilon above 1e-3 .* 0.01",
    ),
    "attention with extra keys": (
        lambda: tn.MultiheadAttention(4, 2, add_bias_kv=True),
        lambda: pn.MultiHeadAttention(4, 2),
        "'bias_k': attention: Paddle's MultiHeadAttention has no learnt extra key",
    ),
    "attention with a zero key": (
        lambda: pn.MultiHeadAttention(4, 2),
        lambda: tn.MultiheadAttention(4, 2, add_zero_attn=True),
        "cannot add a zero key",
    ),
    "embedding that renormalises": (
        lambda: pn.Embedding(4, 2),
        lambda: tn.Embedding(4, 2, max_norm=1.0),
        "renormalises looked-up rows to max_norm=1.0",
    ),
    "embedding whose padding row is not zero": (
        lambda: tn.Embedding(4, 2),
        lambda: pn.Embedding(4, 2, padding_idx=2),
        r"'weight': row 2 is not zero, and Paddle returns zeros for it",
    ),
    "weight norm along the other axis of a square Linear": (
        lambda: tn.utils.weight_norm(tn.Linear(4, 4)),
        lambda: pn.utils.weight_norm(pn.Linear(4, 4)),
        r"'weight_g': shape \[4, 1\], expected \[1, 4\]",
    ),
    "a bias that is not zero": (
        lambda: tn.Linear(4, 4),
        lambda: pn.Linear(4, 4, bias_attr=False),
        "'bias': shape .4., expected no such tensor",
    ),
    "half an attention": (
        tn.Module,
        lambda: pn.MultiHeadAttention(4, 2),
        "missing: 'in_proj_weight', needed for 'q_proj.weight', 'k_proj.weight', 'v_proj.weight'",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_with_the_reason(name: str) -> None:
    source, target, message = REFUSED[name]
    with pytest.raises(RefusedError) as caught:
        convert_state_dict(source().state_dict(), target())
    assert re.search(message, str(caught.value)), caught.value


def test_a_bias_of_zeros_is_left_out() -> None:
    source = tn.Linear(3, 4)
    tn.init.zeros_(source.bias)
    found = convert_state_dict(source.state_dict(), pn.Linear(3, 4, bias_attr=False))
    assert set(found) == {"weight"}


def test_a_padding_row_of_zeros_is_carried() -> None:
    source = tn.Embedding(4, 2, padding_idx=2)
    found = convert_state_dict(source.state_dict(), pn.Embedding(4, 2, padding_idx=2))
    assert np.array_equal(found["weight"], source.weight.detach().numpy())


@pytest.mark.parametrize("missing", ["q_proj.weight", "v_proj.bias"])
def test_parts_that_miss_one_are_not_merged(missing: str) -> None:
    state = dict(pn.MultiHeadAttention(4, 2).state_dict())
    del state[missing]
    with pytest.raises(RefusedError, match=f"missing: '{missing}'"):
        convert_state_dict(state, tn.MultiheadAttention(4, 2))


def test_every_key_stands_in_one_entry_where_tensors_are_split_and_merged() -> None:
    ours, theirs = tn.TransformerDecoderLayer(4, 2, 6), pn.TransformerDecoderLayer(4, 2, 6)
    for source, target, action in ((ours, theirs, "split"), (theirs, ours, "merge")):
        tensors = {key: lazy(key, value) for key, value in source.state_dict().items()}
        to = "paddle" if target is theirs else "torch"
        plan = plan_conversion(Checkpoint(Path("x"), "memory", tensors), to=to, target=target)
        assert plan.problems == ()
        assert plan.counts[action] == 4
        sources = [key for entry in plan.entries for key in entry.sources]
        targets = [key for entry in plan.entries for key in entry.targets]
        assert sorted(sources) == sorted(tensors)
        assert sorted(targets) == sorted(target.state_dict())


def test_a_recurrent_file_has_the_twin_names_and_its_tensors_once(tmp_path: Path) -> None:
    ours = tn.Sequential(tn.LSTM(3, 40, 2, bidirectional=True))
    path, target = tmp_path / "a.pth", tmp_path / "a.pdparams"
    torch.save(ours.state_dict(), path)
    convert_file(path, target, arch="generic")
    loaded = paddle.load(str(target))
    theirs = pn.Sequential(pn.LSTM(3, 40, 2, "bidirect"))
    missing, unexpected = theirs.set_state_dict(loaded)
    assert unexpected == []
    assert all(re.search(r"_l\d", key) for key in missing)
    for key, value in convert_state_dict(ours.state_dict(), theirs).items():
        assert np.array_equal(theirs.state_dict()[key].numpy(), value)
    back = tmp_path / "b.pth"
    paddle.save(theirs.state_dict(), str(target))
    convert_file(target, back, arch="generic")
    for key, value in torch.load(back).items():
        assert torch.equal(value, ours.state_dict()[key])
