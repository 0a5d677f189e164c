"""Finding the state dict inside what training scripts save around it."""

import argparse
from collections import OrderedDict

import numpy as np
import paddle
import pytest
import torch
from samples import bits

from converters import InputError, read_checkpoint

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


def test_an_object_of_a_class_is_refused_by_name(tmp_path):
    content = {"state_dict": WEIGHTS, "args": argparse.Namespace(lr=1)}
    with pytest.raises(InputError, match=r"argparse\.Namespace"):
        read_checkpoint(saved(tmp_path / "a.pth", content))


def test_a_whole_pickled_model_is_refused_by_name(tmp_path):
    path = saved(tmp_path / "a.pth", torch.nn.Linear(2, 3))
    with pytest.raises(InputError, match=r"torch\.nn\.modules\.linear\.Linear.*state dict"):
        read_checkpoint(path)


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
    import pickle

    (tmp_path / "b.pdparams").write_bytes(pickle.dumps(loop, 4))
    assert list(read_checkpoint(tmp_path / "b.pdparams")) == ["w"]
