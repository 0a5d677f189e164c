"""What people give instead of weights: told what it is, and the way out works."""

import io
import os
import re
import sys
import zipfile

import numpy as np
import paddle
import pytest
import torch
from hostile import refusal
from samples import bits

from converters import InputError, read_checkpoint
from converters.formats.torch_legacy import SIGNATURE


@pytest.fixture
def network() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3)).eval()


SAVED = {
    "script": lambda network, path: torch.jit.save(torch.jit.script(network), path),
    "trace": lambda network, path: torch.jit.save(torch.jit.trace(network, torch.ones(4, 2)), path),
    "export": lambda network, path: torch.export.save(
        torch.export.export(network, (torch.ones(4, 2),)), path
    ),
    "whole model": torch.save,
    "whole model, legacy": lambda network, path: torch.save(
        network, path, _use_new_zipfile_serialization=False
    ),
}
TOLD = {
    "script": "a TorchScript program",
    "trace": "a TorchScript program",
    "export": "an exported program",
    "whole model": "holds a whole model, not its weights",
    "whole model, legacy": "holds a whole model, not its weights",
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("kind", SAVED)
def test_the_way_out_that_is_shown_works(network, tmp_path, monkeypatch, kind):
    path = tmp_path / "network.pt2"
    SAVED[kind](network, path)
    message = refusal(path)
    assert TOLD[kind] in message
    snippet = re.search(r"torch\.save\(.*'weights\.pth'\)", message)[0]
    monkeypatch.chdir(tmp_path)
    exec(snippet, {"torch": torch})  # noqa: S102
    found = read_checkpoint(tmp_path / "weights.pth")
    state = network.state_dict()
    assert set(found) == set(state)
    assert all(bits(found[key].load()) == bits(value) for key, value in state.items())


def test_a_whole_model_of_ones_own_inside_a_dict(tmp_path, monkeypatch):
    class Net(torch.nn.Linear):
        __module__ = "models.net"

    Net.__qualname__ = "Net"
    monkeypatch.setitem(sys.modules, "models", type(sys)("models"))
    monkeypatch.setitem(sys.modules, "models.net", type(sys)("models.net"))
    sys.modules["models.net"].Net = Net
    torch.save({"model": Net(2, 2), "epoch": 1}, tmp_path / "a.pth")
    message = refusal(tmp_path / "a.pth")
    assert "asks to run 'models.net.Net': it holds a whole model" in message


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
def test_quantised_tensors(tmp_path):
    torch.save(torch.quantize_per_tensor(torch.ones(2, 2), 0.1, 0, torch.qint8), tmp_path / "a.pth")
    assert "its tensors are quantised" in refusal(tmp_path / "a.pth")


def test_what_runs_code_is_no_model(tmp_path):
    class Runs:
        def __reduce__(self) -> tuple[object, ...]:
            return os.system, ("true",)

    torch.save({"w": torch.ones(2), "x": Runs()}, tmp_path / "a.pth")
    message = refusal(tmp_path / "a.pth")
    assert "asks to run 'posix.system', which is not on the list" in message
    assert "weights_only" not in message


def test_paddles_inference_export(tmp_path):
    paddle.save(paddle.ones([2]), str(tmp_path / "a.pdiparams"), use_binary_format=True)
    assert "inference export" in refusal(tmp_path / "a.pdiparams")


def arrays() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, a=np.ones(3))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "the file is empty"),
        (b"version https://git-lfs.github.com/spec/v1", "run `git lfs pull`"),
        (b"<!DOCTYPE html>", "HTML page"),
        (b"\n <HTML>", "HTML page"),
        (b"\x1f\x8b\x08", "gzip archive"),
        (b"\x89HDF\r\n\x1a\n", "as Keras writes it"),
        (b"GGUF\x03", "llama.cpp"),
        (b"\x93NUMPY\x01", "a single numpy array"),
        (arrays(), "numpy arrays (.npz)"),
        (b"\0" * 257 + b"ustar" + b"\0" * 300, "a real tar archive"),
        (b"PK\x03\x04" + b"\0" * 100, "the download was cut off"),
        (SIGNATURE, "not a readable pickle"),
        (b"nothing known", "no known checkpoint format (it begins with b'nothing ')"),
    ],
)
def test_other_files(tmp_path, content, told):
    (tmp_path / "a.pth").write_bytes(content)
    assert told in refusal(tmp_path / "a.pth")


def test_a_zip_file_of_something_else(tmp_path):
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("readme.txt", "x")
    assert "without one data.pkl" in refusal(tmp_path / "b.zip")


def test_no_file_and_a_folder(tmp_path):
    with pytest.raises(InputError, match=r"cannot be read .No such file"):
        read_checkpoint(tmp_path / "none.pth")
    with pytest.raises(InputError, match=r"cannot be read .Is a directory"):
        read_checkpoint(tmp_path)
