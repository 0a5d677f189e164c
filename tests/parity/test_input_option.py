"""What `--input` reads and draws."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import parity_toys as toys
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from parity import check_parity
from parity.cli import main
from parity.dump import write_dump
from parity.input_files import InputError, Picture
from parity.input_option import read_inputs

PICTURE = Picture((8, 12), (0.5, 0.25, 0.0), (0.5, 0.5, 2.0), batched=True)


def read(*options: str, seed: int = 0, picture: Picture = PICTURE) -> Any:
    return read_inputs(options, picture, seed)


def lone(option: str, **more: Any) -> np.ndarray:
    arguments, _ = read(option, **more)
    assert len(arguments) == 1
    return arguments[0]


@pytest.mark.parametrize("options", [(), ("random",)])
def test_nothing_and_random_are_one_image_of_the_size(options: tuple[str, ...]) -> None:
    arguments, said = read(*options)
    assert [x.shape for x in arguments] == [(1, 3, 8, 12)]
    assert arguments[0].dtype == np.float32
    assert said == ("input 1×3×8×12",)


def test_shapes_kinds_and_ranges() -> None:
    assert lone("2x5").shape == lone("2×5").shape == (2, 5)
    words = lone("int:40x50:3..9")
    assert (words.dtype, words.min(), words.max()) == (np.int64, 3, 8)
    assert lone("int32:4:-2..2").dtype == np.int32
    assert lone("int:1x6:1").tolist() == [[1] * 6]
    values = lone("float:100:-1..0.5")
    assert values.dtype == np.float32
    assert -1 <= values.min() < values.max() < 0.5
    mask = lone("bool:100")
    assert mask.dtype == np.bool_
    assert 20 < mask.sum() < 80


def test_a_seed_repeats_and_two_inputs_differ() -> None:
    assert np.array_equal(lone("3x4", seed=5), lone("3x4", seed=5))
    assert not np.array_equal(lone("3x4", seed=5), lone("3x4", seed=6))
    (one, other), _ = read("3x4", "3x4")
    assert not np.array_equal(one, other)


def test_inputs_by_name(tmp_path: Path) -> None:
    arguments, said = read("2x3", "mask=bool:2x3", "ids=int:2x3:0..9")
    assert arguments.names == ("mask", "ids")
    assert [name for name, _ in arguments.items()] == ["", "mask", "ids"]
    assert said[2] == "input ids 2×3 int"
    with pytest.raises(InputError, match="mask was given before"):
        read("mask=2x3", "mask=2x3")
    with pytest.raises(InputError, match="change the order"):
        read("mask=2x3", "2x3")


def test_arrays_and_archives(tmp_path: Path) -> None:
    image = toys.images()
    np.save(tmp_path / "one.npy", image[0])
    assert lone(str(tmp_path / "one.npy")).shape == (1, 3, 9, 7)
    # A network of the user's own may well take three axes.
    as_it_is = Picture((8, 12), (0, 0, 0), (1, 1, 1))
    assert lone(str(tmp_path / "one.npy"), picture=as_it_is).shape == (3, 9, 7)
    np.savez(tmp_path / "some.npz", image, mask=image > 0)
    arguments, said = read(str(tmp_path / "some.npz"))
    assert arguments.names == ("mask",)
    assert np.array_equal(arguments[0], image)
    assert said[0] == "input 2×3×9×7 from some.npz"


def test_a_dumps_inputs(tmp_path: Path) -> None:
    path = tmp_path / "torch.npz"
    write_dump(toys.torch_model(), toys.images(), path, precision="float32")
    assert np.array_equal(lone(str(path)), toys.images())


def test_an_image_is_resized_and_normalised_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "red.png"
    Image.new("RGBA", (30, 20), (255, 0, 51, 128)).save(path)
    (array,), said = read(str(path))
    assert (array.shape, array.dtype) == ((1, 3, 8, 12), np.float32)
    np.testing.assert_allclose(array[0, :, 0, 0], [1.0, -0.5, 0.1], atol=1e-6)
    assert "from red.png: 20×30 resized to 8×12 (bilinear), RGB of mean 0.5, 0.25, 0" in said[0]
    assert "standard deviation 0.5, 0.5, 2" in said[0]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("absent.png", "no such file, and no other form; expected random; a shape"),
        ("1x3x", "no such file, and no other form"),
        ("int:1x6", "no range: expected LOW..HIGH"),
        ("int:1x6:9..3", "9..3: expected LOW..HIGH"),
        ("int:1x6:0.5..3", "0.5..3: expected LOW..HIGH"),
        ("int::0..3", "'' is no shape"),
        ("int:axb:0..3", "'axb' is no shape"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_can(option: str, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        read(option)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.png", b"no image", "neither an image nor a .npy or .npz file"),
        ("a.npy", b"\x93NUMPY", "cannot be read"),
        ("a.npz", b"PK\x05\x06", "neither an image"),
    ],
)
def test_a_file_that_holds_no_input_is_refused(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=f"{name}: {message}"):
        read(str(tmp_path / name))
    np.save(tmp_path / "words.npy", np.array(["a"]))
    with pytest.raises(InputError, match=r"words\.npy is no array of numbers"):
        read(str(tmp_path / "words.npy"))


class Reader(torch.nn.Module):
    """Takes words by position and a mask by name, as language models do."""

    def __init__(self) -> None:
        super().__init__()
        self.words = torch.nn.Embedding(50, 6)
        self.out = torch.nn.Linear(6, 4)

    def forward(self, ids: Any, mask: Any = None) -> Any:
        return {"logits": self.out(self.words(ids) * mask.unsqueeze(-1)), "best": ids.argmax(-1)}


class PaddleReader(paddle.nn.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.words = paddle.nn.Embedding(50, 6)
        self.out = paddle.nn.Linear(6, 4)

    def forward(self, ids: Any, mask: Any = None) -> Any:
        words = self.words(ids) * mask.unsqueeze(-1).astype(self.words.weight.dtype)
        return {"logits": self.out(words), "best": ids.argmax(-1)}


def test_integers_and_names_through_the_command_line() -> None:
    toys.Reader, toys.PaddleReader = Reader, PaddleReader
    factories = ["--torch", "parity_toys:Reader", "--paddle", "parity_toys:PaddleReader"]
    inputs = ["--input", "int:2x7:0..50", "--input", "mask=int:2x7:0..2"]
    result = CliRunner().invoke(main, [*factories, *inputs])
    assert result.exit_code == 0, result.output
    assert "input 2×7 int, input mask 2×7 int" in " ".join(result.stdout.split())
    without = CliRunner().invoke(main, [*factories, *inputs[:2]])
    assert without.exit_code == 2
    assert "network stopped in" in without.stderr


def test_inputs_by_name_in_python() -> None:
    ids = np.arange(14).reshape(2, 7)
    result = check_parity(Reader(), PaddleReader(), {"ids": ids, "mask": ids % 2})
    assert result, result.failures
    assert "int64 2×7" in result.inputs
