"""Classes of a target's layers: without a rule, extended, or of one's own."""

from pathlib import Path

import numpy as np
import paddle
import pytest
import torch
from samples import bits
from zoo import holding

from converters import InputError, RefusedError, convert_file, convert_state_dict
from converters.user_rules import UserRules


def test_one_that_is_not_square_fits_in_one_way_alone():
    class Ours(torch.nn.Linear):
        """A Linear with a tensor more."""

        def __init__(self) -> None:
            super().__init__(3, 3)
            self.gain = torch.nn.Parameter(torch.randn(2, 5))

    class Theirs(paddle.nn.Linear):
        """The same."""

        def __init__(self, *shape: int) -> None:
            super().__init__(3, 3)
            self.gain = self.create_parameter(shape)

    ours = Ours()
    assert bits(convert_state_dict(ours.state_dict(), Theirs(2, 5))["gain"]) == bits(ours.gain)
    with pytest.raises(RefusedError, match=r"'gain': shape \[2, 5\], expected \[5, 2\]"):
        convert_state_dict(ours.state_dict(), Theirs(5, 2))
    rules = UserRules.of(tensors={"gain": "linear"})
    turned = convert_state_dict(ours.state_dict(), Theirs(5, 2), rules=rules)
    assert bits(turned["gain"]) == bits(ours.gain.T)


UNKNOWN = {
    "torch AdaptiveLogSoftmaxWithLoss": lambda: torch.nn.AdaptiveLogSoftmaxWithLoss(8, 20, [5]),
    "torch CrossEntropyLoss": lambda: torch.nn.CrossEntropyLoss(weight=torch.ones(3)),
    "torch ParametrizationList": lambda: torch.nn.utils.parametrizations.orthogonal(
        torch.nn.Linear(3, 3)
    ),
    "paddle HSigmoidLoss": lambda: paddle.nn.HSigmoidLoss(3, 4),
    "paddle SpectralNorm": lambda: paddle.nn.SpectralNorm([2, 3]),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_layers_without_a_rule_are_refused_by_name(name):
    framework, _, kind = name.partition(" ")
    with pytest.raises(InputError) as caught:
        convert_state_dict({}, holding(layer=UNKNOWN[name]()))
    message = str(caught.value)
    assert f"{framework}'s layer {kind}: " in message


def test_a_class_of_ones_own_that_extends_a_known_one():
    class Squared(torch.nn.Linear):
        def forward(self, x):
            return super().forward(x).square()

    source = holding(layer=Squared(3, 3))
    target = holding(layer=paddle.nn.Linear(3, 3))
    found = convert_state_dict(source.state_dict(), target)
    assert np.array_equal(found["layer.weight"], source.layer.weight.detach().numpy().T)
    back = convert_state_dict(target.state_dict(), source)
    assert np.array_equal(back["layer.weight"], target.layer.weight.numpy().T)


def test_a_parameter_that_a_known_layer_should_not_have_is_refused():
    class Scaled(paddle.nn.Linear):
        def __init__(self) -> None:
            super().__init__(3, 3)
            self.gain = self.create_parameter((3, 3))

    source = holding(layer=torch.nn.Linear(3, 3)).state_dict()
    with pytest.raises((InputError, RefusedError), match="gain"):
        convert_state_dict(source, holding(layer=Scaled()))


def test_an_own_network_whose_keys_look_like_stdcs():
    def network(nn, conv):
        stem = nn.Sequential()
        stem.conv = conv(3, 4, 3)
        return holding(features=nn.Sequential(stem))

    source = network(torch.nn, torch.nn.Conv2d)
    target = network(paddle.nn, paddle.nn.Conv2D)
    assert set(source.state_dict()) == {"features.0.conv.weight", "features.0.conv.bias"}
    found = convert_state_dict(source.state_dict(), target)
    assert set(found) == set(target.state_dict())


def test_a_file_for_a_target_network(tmp_path: Path) -> None:
    ours, theirs = torch.nn.Embedding(5, 5), paddle.nn.Embedding(5, 5)
    torch.save(ours.state_dict(), tmp_path / "a.pth")
    with pytest.raises(RefusedError, match="weight"):
        convert_file(tmp_path / "a.pth")
    convert_file(tmp_path / "a.pth", target=theirs)
    theirs.set_state_dict(paddle.load(str(tmp_path / "a.pdparams")))
    assert np.array_equal(theirs.weight.numpy(), ours.weight.detach().numpy())
    named = "paddle.nn:Embedding(num_embeddings=5, embedding_dim=5)"
    report = convert_file(tmp_path / "a.pth", tmp_path / "b.pdparams", target=named)
    assert (report.counts, report.verified) == ({"copy": 1}, True)


def test_a_target_of_the_other_framework_is_refused(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "a.pth")
    with pytest.raises(InputError, match="the target network is torch's; to='paddle' needs"):
        convert_file(tmp_path / "a.pth", target=torch.nn.Linear(2, 2))
