"""Two dumps are judged as two live networks are."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import parity_toys as toys
import pytest
import torch

import converters
from converters.user_rules import UserRules
from parity import State, check_parity
from parity.carry import Weights
from parity.dump import Dump, DumpError, diff_dumps, write_dump

Pair = tuple[Path, Path]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dumps")


@pytest.fixture(scope="module")
def reference(folder: Path) -> Path:
    write_dump(toys.torch_model(), toys.images(), folder / "torch.npz")
    return folder / "torch.npz"


def of_paddle(folder: Path, layer: Any, **options: Any) -> Path:
    path = folder / "paddle.npz"
    options = {"weights": Weights.of(toys.torch_model()), **options}
    write_dump(layer, options.pop("inputs", toys.images()), path, force=True, **options)
    return path


@pytest.mark.parametrize(
    "build", [toys.paddle_model, toys.paddle_wrong_pool, toys.paddle_wrong_epsilon]
)
def test_a_diff_says_what_a_live_check_does(reference: Path, folder: Path, build: Any) -> None:
    live = check_parity(toys.torch_model(), build(), toys.images(), isolation="never")
    stored = diff_dumps(reference, of_paddle(folder, build()))
    assert bool(stored) == bool(live)
    assert stored.layers == live.layers
    assert stored.first_divergence == live.first_divergence
    assert stored.failures == live.failures


def test_layers_pair_as_they_do_in_a_live_check(folder: Path) -> None:
    class Wrapper(paddle.nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.inner = toys.paddle_wrong_pool()

        def forward(self, x: Any) -> Any:
            return self.inner(x)

    ours = folder / "names.npz"
    write_dump(toys.torch_model(), toys.images(), ours)
    for build in (toys.OtherNames, Wrapper):
        live = check_parity(toys.torch_model(), build(), toys.images())
        stored = diff_dumps(ours, of_paddle(folder, build(), on=ours))
        assert (stored.layers, stored.assumed) == (live.layers, live.assumed)
        assert (stored.torch_only, stored.paddle_only) == (live.torch_only, live.paddle_only)
        assert bool(stored) == bool(live) == (build is toys.OtherNames)


@pytest.mark.parametrize(
    "build", [toys.paddle_wrong_pool, toys.paddle_wrong_epsilon, toys.paddle_swapped]
)
def test_own_errors_are_told_where_the_second_is_made_on_the_first(
    reference: Path, folder: Path, build: Any
) -> None:
    live = check_parity(toys.torch_model(), build(), toys.images())
    stored = diff_dumps(reference, of_paddle(folder, build(), on=reference))
    assert stored.layers == live.layers
    assert stored.faulty == live.faulty
    assert stored.faulty
    assert stored.first_divergence == live.first_divergence
    plain = diff_dumps(reference, of_paddle(folder, build()))
    assert not plain.faulty
    assert any("own errors were not measured" in note for note in plain.notes)


def test_own_errors_on_another_dump_do_not_count(reference: Path, folder: Path) -> None:
    again = folder / "again.npz"
    write_dump(toys.torch_model(), toys.images(), again, precision="float64")
    result = diff_dumps(reference, of_paddle(folder, toys.paddle_wrong_pool(), on=again))
    assert not result.faulty


@pytest.fixture(scope="module")
def through(folder: Path) -> Path:
    path = folder / "through.npz"
    write_dump(toys.torch_model(), toys.images(), path, checks=("forward", "backward"))
    return path


@pytest.mark.parametrize("build", [toys.OtherNames, toys.paddle_wrong_pool, toys.paddle_swapped])
def test_gradients_are_judged_as_in_a_live_check(through: Path, folder: Path, build: Any) -> None:
    checks = ("forward", "backward")
    live = check_parity(toys.torch_model(), build(), toys.images(), checks=checks)
    stored = diff_dumps(through, of_paddle(folder, build(), on=through, checks=checks))
    assert stored.layers == live.layers
    assert stored.gradients == live.gradients
    assert {"input 0", "block.conv.weight", "out.bias"} <= {g.name for g in stored.gradients}
    assert (bool(stored), stored.checks) == (bool(live), checks)


def test_a_wrong_gradient_alone_is_found(through: Path, folder: Path) -> None:
    class Detached(toys.PaddleBlock):
        def forward(self, x: Any) -> Any:
            out = self.relu(self.bn(self.conv(x)))
            both = paddle.concat([self.skip(out), self.skip(self.side(out.detach()))], 1)
            return self.head(both.mean((2, 3)))

    other = of_paddle(folder, toys.PaddleModel(Detached()), on=through, checks=("backward",))
    result = diff_dumps(through, other)
    assert not result
    assert {layer.phase for layer in result.layers if not layer.state.passes} == {"backward"}
    assert any("gradient of block.conv.weight" in line for line in result.failures)


def test_gradients_that_one_dump_lacks_are_said_to_be(through: Path, folder: Path) -> None:
    result = diff_dumps(through, of_paddle(folder, toys.paddle_model()))
    assert result
    assert result.checks == ("forward",)
    assert any("holds no gradients" in note for note in result.notes)


def test_parameters_of_weights_of_its_own_pair_by_name(through: Path, folder: Path) -> None:
    layer = toys.paddle_model()
    layer.set_state_dict(converters.convert_state_dict(toys.torch_model().state_dict(), layer))
    other = of_paddle(folder, layer, weights=None, checks=("backward",))
    result = diff_dumps(through, other)
    assert result, result.failures
    assert any("paired by name" in note for note in result.notes)
    assert "block.head.weight" in {g.name for g in result.gradients}


def test_the_header_says_where_each_side_ran(reference: Path, folder: Path) -> None:
    theirs = Dump(of_paddle(folder, toys.paddle_model()))
    told = diff_dumps(reference, theirs)
    assert told.versions["torch ran on"] == told.versions["paddle ran on"]
    assert told.versions["torch ran on"].startswith("cpu (")
    assert not any("ran on" in note for note in told.notes)
    # As a GPU machine writes it.
    facts = {"kind": "gpu", "name": "NVIDIA H100", "tf32": "off", "cudnn": "90100"}
    theirs.manifest = dataclasses.replace(theirs.manifest, device=facts)
    told = diff_dumps(reference, theirs)
    where = "gpu (name NVIDIA H100, tf32 off, cudnn 90100)"
    assert told.versions["paddle ran on"] == where
    assert any(f"paddle ran on {where}" in note for note in told.notes)


def test_an_exchanged_call_order_of_a_shared_layer_pairs(folder: Path) -> None:
    def net(side: Any, linear: Any, act: Any, names: str) -> Any:
        class Net(side):
            def __init__(self) -> None:
                super().__init__()
                self.a, self.b, self.act = linear(4, 4), linear(4, 4), act()

            def forward(self, x: Any) -> Any:
                found = {name: self.act(getattr(self, name)(x)) for name in names}
                return found["a"] - found["b"]

        return Net()

    ours = net(torch.nn.Module, torch.nn.Linear, torch.nn.ReLU, "ab")
    theirs = net(paddle.nn.Layer, paddle.nn.Linear, paddle.nn.ReLU, "ba")
    x = np.random.default_rng(7).standard_normal((3, 4)).astype(np.float32)
    write_dump(ours, x, folder / "ab.npz")
    write_dump(theirs, x, folder / "ba.npz", weights=Weights.of(ours))
    result = diff_dumps(folder / "ab.npz", folder / "ba.npz")
    assert result, result.failures
    assert [pair.how for pair in result.assumed] == ["by what it was given"] * 2


def test_a_tie_is_named_as_in_a_live_check(folder: Path) -> None:
    def net(side: Any, relu: Any, flipped: bool) -> Any:
        class Net(side):
            def __init__(self) -> None:
                super().__init__()
                self.relu = relu()

            def forward(self, x: Any) -> Any:
                found = self.relu(x)
                return 1 - found.flip([1]).argmax(1) if flipped else found.argmax(1)

        return Net()

    ours = net(torch.nn.Module, torch.nn.ReLU, flipped=False)
    theirs = net(paddle.nn.Layer, paddle.nn.ReLU, flipped=True)
    x = np.array([[2.0, 2.0], [1.0, 3.0]], np.float32)
    write_dump(ours, x, folder / "tie.npz")
    write_dump(theirs, x, folder / "tie-p.npz", on=folder / "tie.npz")
    result = diff_dumps(folder / "tie.npz", folder / "tie-p.npz")
    assert not result
    assert "a tie" in result.layers[-1].reason
    assert result.layers[-1].reason == check_parity(ours, theirs, x).layers[-1].reason


def test_rules_for_keys_rename_layers_too(folder: Path) -> None:
    rules = UserRules.of(renames={r"block\.(.*)": r"part.\1"})

    class Parted(paddle.nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.part, self.out = toys.PaddleBlock(), paddle.nn.Linear(8, 3)

        def forward(self, x: Any) -> Any:
            return self.out(self.part(x))

    ours = folder / "ruled.npz"
    write_dump(toys.torch_model(), toys.images(), ours)
    result = diff_dumps(ours, of_paddle(folder, Parted(), rename=rules), rename=rules)
    assert result, result.failures
    assert not result.assumed
    assert {layer.name for layer in result.layers} >= {"block.skip", "block"}


def test_a_dump_is_made_on_torchs_alone(reference: Path, folder: Path) -> None:
    other = of_paddle(folder, toys.paddle_model())
    with pytest.raises(DumpError, match="make torch's dump first"):
        of_paddle(folder, toys.paddle_model(), on=other)
    with pytest.raises(DumpError, match="input 0 has other values"):
        of_paddle(folder, toys.paddle_model(), on=reference, inputs=toys.images(seed=4))


def test_the_order_of_the_two_does_not_matter(reference: Path, folder: Path) -> None:
    other = of_paddle(folder, toys.paddle_wrong_pool())
    assert diff_dumps(reference, other) == diff_dumps(other, reference)


def test_another_order_of_calls_pairs_all_the_same(folder: Path) -> None:
    class Turned(toys.PaddleBlock):
        def forward(self, x: Any) -> Any:
            out = self.relu(self.bn(self.conv(x)))
            self.side(out)
            return super().forward(x)

    ours, theirs = folder / "a.npz", folder / "b.npz"
    model = toys.torch_model()
    write_dump(model, toys.images(), ours)
    write_dump(toys.PaddleModel(Turned()), toys.images(), theirs, weights=Weights.of(model))
    result = diff_dumps(ours, theirs)
    assert not result
    assert {(call.path, call.call) for call in result.paddle_only} >= {("block.conv", 1)}


def test_other_inputs_are_refused(reference: Path, folder: Path) -> None:
    for inputs, said in (
        (toys.images(seed=4), "input 0 has other values"),
        (toys.images()[:1], "float32 2×3×9×7"),
        (toys.images().astype("float64"), "float64 2×3×9×7"),
    ):
        other = of_paddle(folder, toys.paddle_model(), inputs=inputs)
        with pytest.raises(DumpError, match=said):
            diff_dumps(reference, other)


def test_other_weights_are_refused(reference: Path, folder: Path) -> None:
    other = of_paddle(folder, toys.paddle_model(), weights=Weights.of(toys.torch_model(2)))
    with pytest.raises(DumpError, match=r"other weights.*stdc-parity dump .*torch\.npz"):
        diff_dumps(reference, other)


def test_two_of_one_framework_are_refused(reference: Path) -> None:
    with pytest.raises(DumpError, match="both of torch"):
        diff_dumps(reference, reference)


def test_precisions_that_only_one_has_are_left_out(reference: Path, folder: Path) -> None:
    other = of_paddle(folder, toys.paddle_wrong_epsilon(), precision="float32")
    result = diff_dumps(reference, other)
    assert result.precisions == ("float32",)
    assert any("holds float32 alone" in note for note in result.notes)
    # Without float64 nothing tells the wrong epsilon: it is within the float32 tolerance.
    assert result
    assert not diff_dumps(reference, other, tol=1e-9)
    double = folder / "double.npz"
    write_dump(toys.torch_model(), toys.images(), double, precision="float64")
    with pytest.raises(DumpError, match="float64 alone"):
        diff_dumps(double, other)


def test_own_weights_are_compared_by_what_they_compute(reference: Path, folder: Path) -> None:
    strangers = diff_dumps(reference, of_paddle(folder, toys.paddle_model(), weights=None))
    assert not strangers
    assert any("weights of its own" in note for note in strangers.notes)
    layer = toys.paddle_model()
    state = converters.convert_state_dict(toys.torch_model().state_dict(), layer)
    layer.set_state_dict(state)
    assert diff_dumps(reference, of_paddle(folder, layer, weights=None))


def test_a_converted_file_is_compared_by_the_one_side_alone(reference: Path, folder: Path) -> None:
    import paddle

    file = folder / "model.pdparams"
    state = converters.convert_state_dict(toys.torch_model().state_dict(), toys.paddle_model())
    for change in (0, 1e-3):
        wrong = state | {"out.bias": state["out.bias"] + np.float32(change)}
        paddle.save({key: paddle.to_tensor(value) for key, value in wrong.items()}, str(file))
        result = diff_dumps(reference, of_paddle(folder, toys.paddle_model(), converted=file))
        assert bool(result) == (change == 0)
        assert [w.name for w in result.weights] == (["out.bias"] if change else [])


def test_the_floors_of_paddles_kernels_come_along(folder: Path) -> None:
    class Resize(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return torch.nn.functional.interpolate(
                x, size=(23, 31), mode="bilinear", align_corners=True
            )

    import paddle

    class PaddleResize(paddle.nn.Layer):
        def forward(self, x: Any) -> Any:
            return paddle.nn.functional.interpolate(
                x, size=(23, 31), mode="bilinear", align_corners=True
            )

    ours, theirs = folder / "c.npz", folder / "d.npz"
    write_dump(Resize(), toys.images(), ours)
    write_dump(PaddleResize(), toys.images(), theirs, weights=Weights.of(Resize()))
    result = diff_dumps(ours, theirs)
    assert [layer.state for layer in result.layers] == [State.MATCH]
    assert "float64 floor of bilinear resize" in result.layers[0].reason
