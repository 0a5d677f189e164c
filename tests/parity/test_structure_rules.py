"""Partners of layers whose weights have other names or another form: conversions, rules, folds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import paddle
import parity_toys as toys
import pytest
import torch
from click.testing import CliRunner

from converters.errors import InputError
from converters.user_rules import UserRules
from parity import State
from parity.cli import main
from parity.inputs import seed_weights
from parity.pair import partners
from parity.structure import structure_of

if TYPE_CHECKING:
    from pathlib import Path
from structure_toys import Paddle, Torch, X, assumed, check, pl, tl


def test_another_shape_under_the_same_name_is_a_refusal_with_both_lists() -> None:
    result = check(Torch("a b", a=tl(), b=tl(4, 2)), Paddle("a b", a=pl(), b=pl(4, 3)))
    assert not result
    assert [call.path for call in result.torch_only] == ["b"]
    assert [call.path for call in result.paddle_only] == ["b"]
    assert any("b.weight" in line for line in result.failures)


def test_attention_and_recurrent_layers_under_other_names() -> None:
    class Ours(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix = torch.nn.MultiheadAttention(8, 2, batch_first=True)
            self.rnn = torch.nn.LSTM(8, 4, batch_first=True, bidirectional=True)
            self.out = torch.nn.Linear(8, 8)

        def forward(self, x: Any) -> Any:
            return self.out(self.rnn(self.mix(x, x, x, need_weights=False)[0])[0])

    class Theirs(paddle.nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.attention = paddle.nn.MultiHeadAttention(8, 2)
            self.recurrent = paddle.nn.LSTM(8, 4, direction="bidirect")
            self.linear = paddle.nn.Linear(8, 8)

        def forward(self, x: Any) -> Any:
            return self.linear(self.recurrent(self.attention(x, x, x))[0])

    x = np.random.default_rng(5).standard_normal((2, 5, 8)).astype(np.float32)
    result = check(Ours(), Theirs(), x)
    assert result, result.failures
    assert [pair[:2] for pair in assumed(result)] == [
        ("mix", "attention"), ("rnn", "recurrent"), ("out", "linear")
    ]  # fmt: skip


def test_two_paths_never_get_the_same_partner() -> None:
    assert partners(["0", "1", "2"], {"0", "1"}, {"2": "1"}) == {"0": "0", "2": "1"}
    structure = structure_of(Torch("a", a=tl()), Paddle("a", a=pl()), (X,), {})
    assert dict(structure.rename) == {}


def test_somebodys_own_conversion_to_other_names_is_compared() -> None:
    ours = Torch("a b", a=tl(), b=tl())
    theirs = Paddle("x y", x=pl(), y=pl())
    with paddle.no_grad():
        for name, other in (("a", "y"), ("b", "x")):
            layer = getattr(theirs, other)
            layer.weight.set_value(ours.get_submodule(name).weight.detach().numpy().T.copy())
            layer.bias.set_value(ours.get_submodule(name).bias.detach().numpy())
    result = check(ours, theirs, transfer=False)
    assert not result
    assert result.faulty[0].name == "a"
    assert result.faulty[0].own_state is State.MISMATCH
    assert {difference.name for difference in result.weights} == {
        "x.weight", "x.bias", "y.weight", "y.bias"
    }  # fmt: skip


def test_a_flat_port_with_other_names_in_another_order() -> None:
    result = check(toys.torch_model(), toys.OtherNames(), toys.images())
    assert result, result.failures
    assert {pair.torch: pair.paddle for pair in result.assumed} == {
        "block.conv": "first", "block.bn": "norm", "block.side": "second", "block.head": "fc",
        "out": "classifier",
    }  # fmt: skip


RULES = {
    r"block\.(conv|bn)\.(.*)": r"stem.\1_layer.\2",
    r"block\.(side|skip|relu)\.(.*)": r"\1.\2",
    r"block\.head\.(.*)": r"fc.\1",
    r"out\.(.*)": r"classifier.\1",
}


class Ruled(paddle.nn.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.stem = paddle.nn.Sequential(
            ("conv_layer", paddle.nn.Conv2D(3, 4, 3, padding=1, bias_attr=False)),
            ("bn_layer", paddle.nn.BatchNorm2D(4)),
        )
        self.relu = paddle.nn.ReLU()
        self.side = paddle.nn.Conv2D(4, 4, 1)
        self.skip = paddle.nn.AvgPool2D(3, 2, 1, exclusive=False)
        self.fc = paddle.nn.Linear(8, 8, bias_attr=False)
        self.classifier = paddle.nn.Linear(8, 3)

    def forward(self, x: Any) -> Any:
        out = self.relu(self.stem(x))
        both = paddle.concat([self.skip(out), self.skip(self.side(out))], 1)
        return self.classifier(self.fc(both.mean((2, 3))))


def test_the_converters_rules_rename_layers_too() -> None:
    rules = UserRules.of(renames=RULES)
    result = check(toys.torch_model(), Ruled(), toys.images(), rename=rules)
    assert result, result.failures
    assert not result.assumed
    # Modules without tensors are renamed as a tensor in them would be.
    assert [layer.name for layer in result.layers if not layer.kind.startswith("Conv")] == [
        "block.bn", "block.relu", "block.skip", "block.skip", "block.head", "out", ""
    ]  # fmt: skip
    dropped = UserRules.of(renames=RULES, drops={r"classifier\.bias": "not wanted"})
    refused = check(toys.torch_model(), Ruled(), toys.images(), rename=dropped)
    assert any("classifier.bias" in line for line in refused.failures)
    with pytest.raises(InputError, match="no key fits"):
        check(toys.torch_model(), Ruled(), toys.images(), rename=UserRules.of(renames={"a": "b"}))


def test_a_file_of_rules_through_the_command_line(tmp_path: Path) -> None:
    tables = [f"[[rename]]\npattern = '{old}'\nto = '{new}'\n" for old, new in RULES.items()]
    file = tmp_path / "rules.toml"
    file.write_text("\n".join(tables))
    np.save(tmp_path / "x.npy", toys.images())
    arguments = ["--torch", "parity_toys:torch_model", "--paddle", "test_structure_rules:Ruled",
                 "--input", str(tmp_path / "x.npy"), "--rules"]  # fmt: skip
    assert CliRunner().invoke(main, [*arguments, str(file)]).exit_code == 0
    file.write_text("[[rename]]\npattern = '('\nto = ''")
    wrong = CliRunner().invoke(main, [*arguments, str(file)])
    assert wrong.exit_code == 2
    assert "rules.toml" in wrong.stderr


class InPlaceABNSync(torch.nn.BatchNorm1d):
    """The authors' norm: its scale is |weight| + eps, and it counts no batches."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        del self.num_batches_tracked

    def forward(self, x: Any) -> Any:
        scale = self.weight.abs() + self.eps
        return torch.nn.functional.batch_norm(
            x, self.running_mean, self.running_var, scale, self.bias, False, 0.1, self.eps
        )


@pytest.mark.parametrize("name", ["norm", "abn"])
def test_an_in_place_abn_is_folded_under_any_name(name: str) -> None:
    ours = Torch("a norm b", a=tl(), norm=InPlaceABNSync(4), b=tl())
    seed_weights(ours, 3)
    ours.norm.weight.data[0] = -1.0
    theirs = Paddle(f"a {name} b", **{"a": pl(), name: paddle.nn.BatchNorm1D(4), "b": pl()})
    result = check(ours, theirs)
    assert result, result.failures
    assert max(layer.error64 for layer in result.layers) < 1e-13
