"""Finding the state dict inside what training scripts save around it."""

import argparse
import datetime
import pickle
from collections import Counter, OrderedDict, defaultdict
from pathlib import Path

import numpy as np
import paddle
import pytest
import torch
from samples import bits

from converters import InputError, RefusedError, plan_conversion, read_checkpoint

WEIGHTS = OrderedDict(w=torch.arange(6.0).reshape(2, 3), b=torch.tensor([1, 2]))


def saved(path, content, *, zipped=True):
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return path


@pytest.mark.parametrize("zipped", [True, False])
def test_the_authors_wrapper(tmp_path, zipped):
    content = {"state_dict": WEIGHTS, "epoch": 120, "best_top1": 73.91, "arch": "STDCNet813"}
    found = read_checkpoint(saved(tmp_path / "a.tar", content, zipped=zipped))
    assert found.wrapper == "state_dict"
    assert list(found) == ["w", "b"]
    assert bits(found["w"].load()) == bits(WEIGHTS["w"])
    assert found.skipped == {
        "epoch": "int 120",
        "best_top1": "float 73.91",
        "arch": "str 'STDCNet813'",
    }


def test_the_optimizers_tensors_are_not_taken(tmp_path):
    network = torch.nn.Linear(3, 2)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    network(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    content = {"optimizer": optimizer.state_dict(), "model": network.state_dict(), "epoch": 3}
    found = read_checkpoint(saved(tmp_path / "a.pth", content))
    assert found.wrapper == "model"
    assert set(found) == {"weight", "bias"}
    assert set(found.skipped) == {"optimizer", "epoch"}


def adam_of(network, framework):
    """Return the state of an optimizer that has made a step."""
    if framework == "paddle":
        optimizer = paddle.optimizer.Adam(parameters=network.parameters())
        network(paddle.ones([2, 4])).sum().backward()
    else:
        optimizer = torch.optim.Adam(network.parameters())
        network(torch.ones(2, 4)).sum().backward()
    optimizer.step()
    return optimizer.state_dict()


@pytest.mark.parametrize("name", ["opt", "momentum", "generator_side"])
def test_paddles_optimizer_has_more_tensors_than_the_model(tmp_path, name):
    network = paddle.nn.Linear(4, 3)
    state = adam_of(network, "paddle")
    paddle.save({name: state, "net_g": network.state_dict()}, str(tmp_path / "a.pdparams"))
    found = read_checkpoint(tmp_path / "a.pdparams")
    assert (found.wrapper, set(found)) == ("net_g", {"weight", "bias"})
    assert found.doubt == ""


def test_a_flattened_optimizer_is_none_of_the_network(tmp_path):
    network = torch.nn.Linear(4, 3)
    names = [name for name, _ in network.named_parameters()]
    flat = {
        f"state.{names[number]}.{what}": value
        for number, kept in adam_of(network, "torch")["state"].items()
        for what, value in kept.items()
    }
    found = read_checkpoint(saved(tmp_path / "a.pth", {"x": flat, "y": network.state_dict()}))
    assert (found.wrapper, found.doubt) == ("y", "")


def test_a_known_name_counts_more_than_another_tensor(tmp_path):
    more = {**WEIGHTS, "n_averaged": torch.tensor(3), "x": torch.ones(2)}
    found = read_checkpoint(saved(tmp_path / "a.pth", {"ema": more, "model": WEIGHTS}))
    assert (found.wrapper, found.doubt) == ("model", "")


CONVOLUTION = {"w.weight": torch.ones(2, 2, 1, 1)}


@pytest.mark.parametrize(
    ("content", "rivals"),
    [
        ({"generator": {**CONVOLUTION, "b.bias": torch.ones(2)}, "critic": CONVOLUTION}, "critic"),
        ({"g": {"state_dict": CONVOLUTION}, "d": {"state_dict": CONVOLUTION}}, "d.state_dict"),
        ({**CONVOLUTION, "more": CONVOLUTION}, "more"),
        ({**CONVOLUTION, "ema": CONVOLUTION}, ""),
    ],
)
def test_weights_that_might_as_well_be_meant_are_not_left_out_silently(tmp_path, content, rivals):
    path = saved(tmp_path / "a.pth", content)
    found = read_checkpoint(path)
    assert found.rivals == (rivals,)
    with pytest.raises(RefusedError, match=f"assumed: .*'{rivals}'.* choose one with --key"):
        plan_conversion(found, arch="generic").require_complete()
    assert not read_checkpoint(path, key=found.wrapper).doubt


@pytest.mark.parametrize(
    "beside", [{"rng": torch.ones(9, dtype=torch.uint8)}, {"metrics": {"loss": torch.tensor(0.5)}}]
)
def test_what_is_no_weight_raises_no_doubt(tmp_path, beside):
    found = read_checkpoint(saved(tmp_path / "a.pth", {"net_g": CONVOLUTION, **beside}))
    assert (found.wrapper, found.doubt) == ("net_g", "")


def test_a_refusal_names_the_dict_and_how_to_take_another(tmp_path):
    other = {"thing.weight": torch.ones(3, 3)}
    path = saved(tmp_path / "a.pth", {"model": other, "ema": WEIGHTS})
    with pytest.raises(RefusedError) as caught:
        plan_conversion(read_checkpoint(path)).require_complete()
    summary = str(caught.value).splitlines()[0]
    assert summary.startswith(f"{path} (dict 'model'; --key takes another: 'ema'): not converted")


def test_two_paths_with_one_dotted_name_can_both_be_chosen(tmp_path):
    inner = {"b": {"v": torch.ones(1), "w": torch.ones(2)}}
    path = saved(tmp_path / "a.pth", {"a.b": WEIGHTS, "a": inner})
    assert set(read_checkpoint(path, key="a.b")) == {"w", "b"}
    assert set(read_checkpoint(path, key="a/b")) == {"v", "w"}


def test_of_two_equals_the_model_is_taken_and_ema_on_demand(tmp_path):
    other = {key: value + 1 for key, value in WEIGHTS.items()}
    path = saved(tmp_path / "a.pth", {"ema": other, "model": WEIGHTS})
    assert read_checkpoint(path).wrapper == "model"
    ema = read_checkpoint(path, key="ema")
    assert bits(ema["w"].load()) == bits(other["w"])
    assert "model" in ema.skipped


def test_nested_wrappers(tmp_path):
    path = saved(tmp_path / "a.pth", {"ckpt": {"model": {"net": WEIGHTS, "step": 4}}, "lr": 0.1})
    found = read_checkpoint(path)
    assert found.wrapper == "ckpt.model.net"
    assert set(found.skipped) == {"ckpt.model.step", "lr"}
    assert read_checkpoint(path, key="ckpt.model.net").wrapper == "ckpt.model.net"


def test_an_unknown_key_lists_the_known(tmp_path):
    path = saved(tmp_path / "a.pth", {"model": WEIGHTS, "ema": WEIGHTS})
    with pytest.raises(InputError, match="'model', 'ema'"):
        read_checkpoint(path, key="teacher")


@pytest.mark.parametrize("content", [{}, {"epoch": 3}, [1, 2], "text", 5, {"a": [1]}])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_without_tensors_is_refused(tmp_path, content, zipped):
    with pytest.raises(InputError, match="holds no dict of tensors"):
        read_checkpoint(saved(tmp_path / "a.pth", content, zipped=zipped))


@pytest.mark.parametrize("zipped", [True, False])
def test_numpy_scalars_beside_the_weights(tmp_path, zipped):
    content = {
        "state_dict": WEIGHTS,
        "best": np.float64(0.75),
        "step": np.int64(9),
        "history": np.arange(3.0),
    }
    found = read_checkpoint(saved(tmp_path / "a.pth", content, zipped=zipped))
    assert found.wrapper == "state_dict"
    assert list(found) == list(WEIGHTS)
    assert found.skipped["best"] == "float 0.75"
    assert found.skipped["step"] == "int 9"
    assert "history" in found.skipped


@pytest.mark.parametrize("zipped", [True, False])
def test_numpy_arrays_as_weights_in_a_torch_file(tmp_path, zipped):
    content = {"w": np.arange(6, dtype=np.float32).reshape(2, 3)}
    found = read_checkpoint(saved(tmp_path / "a.pth", content, zipped=zipped))
    assert bits(found["w"].load()) == bits(content["w"])


def test_paddle_wrappers(tmp_path):
    content = {"model": {"w": paddle.ones([2])}, "epoch": 3}
    paddle.save(content, str(tmp_path / "a.pdparams"))
    found = read_checkpoint(tmp_path / "a.pdparams")
    assert found.wrapper == "model"
    assert found.skipped == {"epoch": "int 3"}


def test_lightning_style_content_beside_the_weights(tmp_path):
    content = {
        "state_dict": WEIGHTS,
        "hparams": {"lr": 0.1, "sizes": (1, 2), "names": ["a"], "none": None},
        "callbacks": {},
        "size": torch.Size([2, 3]),
        "device": torch.device("cpu"),
        "flags": {1, 2},
        "type": torch.float16,
    }
    found = read_checkpoint(saved(tmp_path / "a.ckpt", content))
    assert found.wrapper == "state_dict"
    assert set(found.skipped) == set(content) - {"state_dict"}


# Each is harmless, and none of them is made.
BESIDE = {
    "milestones": Counter([30, 60, 60]),
    "losses": defaultdict(list, {"train": [0.5]}),
    "seen": defaultdict(int, {"cat": 3}),
    "names": defaultdict(str, {"cat": "tom"}),
    "frozen": frozenset(["stem"]),
    "raw": bytearray(b"abc"),
    "root": 1 + 2j,
    "part": slice(1, 2),
    "epochs": range(3),
    "args": argparse.Namespace(lr=0.1),
    "folder": Path("runs") / "one",
}


@pytest.mark.parametrize("what", BESIDE)
@pytest.mark.parametrize("zipped", [True, False])
def test_pythons_own_objects_beside_the_weights_are_passed_over(tmp_path, what, zipped):
    content = {"state_dict": WEIGHTS, what: BESIDE[what]}
    found = read_checkpoint(saved(tmp_path / "a.pth", content, zipped=zipped))
    assert bits(found["w"].load()) == bits(WEIGHTS["w"])
    assert set(found.skipped) == {what}
    paddles = {"model": {"w": np.ones(2, np.float32)}, what: BESIDE[what]}
    (tmp_path / "b.pdparams").write_bytes(pickle.dumps(paddles, 2))
    assert set(read_checkpoint(tmp_path / "b.pdparams").skipped) == {what}


def test_a_real_schedules_state(tmp_path):
    network = torch.nn.Linear(3, 2)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 4])
    content = {"model": network.state_dict(), "schedule": schedule.state_dict()}
    assert read_checkpoint(saved(tmp_path / "a.pth", content)).wrapper == "model"


def test_a_bytearray_of_any_size_costs_nothing(tmp_path):
    asked = b"c__builtin__\nbytearray\n\x8a\x06\x00\x00\x00\x00\x00\x01\x85R"
    (tmp_path / "a.pdparams").write_bytes(b"\x80\x02}(X\x01\x00\x00\x00a" + asked + b"u.")
    with pytest.raises(InputError, match="holds no dict of tensors"):
        read_checkpoint(tmp_path / "a.pdparams")


def test_an_object_of_a_class_is_refused_by_name(tmp_path):
    content = {"state_dict": WEIGHTS, "when": datetime.date(2021, 6, 19)}
    with pytest.raises(InputError, match=r"datetime\.date"):
        read_checkpoint(saved(tmp_path / "a.pth", content))


def test_keys_that_are_no_text_are_skipped(tmp_path):
    found = read_checkpoint(saved(tmp_path / "a.pth", {**WEIGHTS, 7: torch.ones(2)}))
    assert list(found) == list(WEIGHTS)
    assert "7" in found.skipped


def test_a_dict_that_holds_itself(tmp_path):
    content = {"state_dict": WEIGHTS}
    content["self"] = content
    found = read_checkpoint(saved(tmp_path / "a.pth", content))
    assert list(found) == list(WEIGHTS)
    loop = {"state_dict": {"w": np.ones(2, np.float32)}}
    loop["self"] = loop
    (tmp_path / "b.pdparams").write_bytes(pickle.dumps(loop, 4))
    assert list(read_checkpoint(tmp_path / "b.pdparams")) == ["w"]
