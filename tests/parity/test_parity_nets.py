"""The STDC networks themselves, at a small odd size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import paddle
import pytest
import torch
from click.testing import CliRunner
from paddle_building import blank

import converters
from parity import State, check_parity
from parity.cli import main
from parity.inputs import random_input, seed_weights
from parity.running import record
from stdc_port import torch_nets
from stdc_port.spec import ARCHS

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (1, 3, 67, 98)
FACTORIES = ["--torch", "parity_toys:torch_stdc1", "--size", "97x65"]


def pair(arch: str, variant: str = "authors") -> tuple[Any, Any]:
    ours = torch_nets.build(arch, variant=variant, num_classes=7)
    seed_weights(ours, 4)
    return ours, blank(arch, variant=variant, num_classes=7)


@pytest.mark.parametrize("variant", ["authors", "paddleseg", "mmseg"])
@pytest.mark.parametrize("arch", ARCHS)
def test_every_layer_of_every_network_agrees(arch: str, variant: str) -> None:
    result = check_parity(*pair(arch, variant), random_input(SIZE))
    assert result, result.failures[:5]
    assert {layer.state for layer in result.layers} == {State.MATCH}
    assert max(layer.error64 for layer in result.layers) < 1e-13
    assert not result.torch_only
    assert not result.paddle_only
    if arch.endswith("-seg"):
        floored = [layer.name for layer in result.layers if layer.floors]
        assert floored == [""]
        assert "float64 floor of bilinear resize" in result.layers[-1].reason


def test_the_pooling_of_another_port_is_named_through_the_command_line() -> None:
    wrong = ["--paddle", "parity_toys:paddle_stdc1_of_paddleseg"]
    result = CliRunner().invoke(main, [*FACTORIES, *wrong])
    assert result.exit_code == 1, result.output
    assert "first divergence: features.2.skip " in result.stdout
    right = CliRunner().invoke(main, [*FACTORIES, "--paddle", "parity_toys:paddle_stdc1"])
    assert right.exit_code == 0, right.output


def test_a_missing_fold_of_the_inplace_scale_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from parity import weights

    plain = weights.transfer

    def unfolded(ours: Any, theirs: Any, *args: Any, **options: Any) -> dict[str, np.ndarray]:
        key = "cp.arm32.conv.bn.weight"
        state = ours.state_dict()
        return plain(ours, theirs, *args, **options) | {key: state[key].abs().numpy()}

    monkeypatch.setattr(weights, "transfer", unfolded)
    result = check_parity(*pair("stdc1-seg"), random_input(SIZE))
    assert not result
    assert result.first_divergence is not None
    assert result.first_divergence.name == "cp.arm32.conv.bn"


@pytest.mark.parametrize("arch", ARCHS)
def test_seeded_weights_keep_activations_at_their_size(arch: str) -> None:
    ours, _ = pair(arch)
    trace = record(ours, (random_input(SIZE),))
    largest = [float(np.abs(entry.outputs[0].array).max()) for entry in trace.records]
    assert min(largest) > 0.1
    assert max(largest) < 100


def test_seeded_tensors_differ_from_one_another_and_by_seed() -> None:
    ours, other = torch_nets.build("stdc1"), torch_nets.build("stdc1")
    seed_weights(ours, 1)
    seed_weights(other, 2)
    norms = [value for key, value in ours.named_buffers() if key.endswith("running_var")]
    alike = [
        x for i, x in enumerate(norms) for y in norms[:i] if x.shape == y.shape and (x == y).any()
    ]
    assert len(alike) < 5
    gains = ours.features[4].conv_list[0].bn.weight
    assert (gains < 0).any()
    assert not np.array_equal(*(n.fc.weight.detach().numpy() for n in (ours, other)))


def test_a_checkpoint_is_recognised_loaded_strictly_and_compared(tmp_path: Path) -> None:
    ours, _ = pair("stdc1-seg")
    file = tmp_path / "model.pth"
    torch.save({"state_dict": {f"module.{k}": v for k, v in ours.state_dict().items()}}, file)
    result = CliRunner().invoke(main, [str(file), "--size", "65x97"])
    assert result.exit_code == 0, result.output
    assert "stdc1-seg, authors, model.pth" in result.stdout


def test_a_converted_file_is_compared_bit_for_bit(tmp_path: Path) -> None:
    ours, _ = pair("stdc1")
    source, target = tmp_path / "model.pth", tmp_path / "model.pdparams"
    torch.save(ours.state_dict(), source)
    converters.convert_file(source, target)
    arguments = [str(source), "--size", "65x97", "--converted", str(target)]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    # The unused BN of the classifier: no forward pass could tell.
    tensors = paddle.load(str(target))
    tensors["bn.weight"] = np.nextafter(np.asarray(tensors["bn.weight"]), np.float32(9))
    paddle.save(tensors, str(target))
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1, result.output
    assert "weights that differ (1): bn.weight" in result.stdout


def test_a_checkpoint_that_does_not_fit_is_refused_in_one_line(tmp_path: Path) -> None:
    ours, _ = pair("stdc1")
    file = tmp_path / "model.pth"
    torch.save(ours.state_dict(), file)
    for arguments in (
        [str(file), "--arch", "stdc2"],
        [str(tmp_path / "absent.pth")],
        [str(file), *FACTORIES, "--paddle", "parity_toys:paddle_model"],
    ):
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 2, result.output
        assert result.stderr.count("\n") == 1


UNUSED = ("conv_out_sp16", "conv_out_sp8", "conv_out_sp4", "conv_out_sp2")
CLASSIFIER = ("conv_last", "fc", "bn", "dropout", "linear")


def port(*, exclusive: bool) -> Any:
    """Paddle's network without the heads and aliases that evaluation does not use."""
    theirs = blank("stdc1-seg", num_classes=7)
    for holder, names in ((theirs, UNUSED), (theirs.cp.backbone, CLASSIFIER)):
        for name in names:
            delattr(holder, name)
    for layer in theirs.sublayers():
        if isinstance(layer, paddle.nn.AvgPool2D):
            layer.exclusive = exclusive
    return theirs


def test_the_authors_aliases_and_unused_heads_need_nothing_hand_made() -> None:
    ours, _ = pair("stdc1-seg")
    result = check_parity(ours, port(exclusive=False), random_input(SIZE))
    assert result, result.failures
    assert "cp.backbone.linear" in result.never_called
    wrong = check_parity(ours, port(exclusive=True), random_input(SIZE))
    pools = [f"cp.backbone.features.{block}.skip" for block in (2, 4, 6)]
    # All three by themselves, and nothing that merely inherits.
    assert [layer.name for layer in wrong.faulty] == pools
    assert wrong.first_divergence is wrong.faulty[0]
    others = [layer for layer in wrong.layers if layer not in wrong.faulty]
    assert max(layer.own64 for layer in others) < 1e-13
    assert sum(not layer.state.passes for layer in wrong.layers) > 50
