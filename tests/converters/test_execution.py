"""Between the first byte and the file's name: planted faults, interruptions, and memory."""

import signal
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import paddle
import pytest
import torch
from samples import trained

from converters import (
    ConverterError,
    InputError,
    UserRules,
    convert_file,
    execution,
    read_checkpoint,
)
from converters.checkpoint import LazyTensor
from converters.dtypes import BY_NAME
from converters.formats import pdparams, safetensors_file
from converters.formats.content import content_of

WIDTH, HEADS, HIDDEN = 16, 4, 32


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def attention(tmp_path_factory) -> Path:
    """Return the file of a layer whose tensors are copied, transposed and split."""
    path = tmp_path_factory.mktemp("attention") / "torch.pth"
    layer = torch.nn.TransformerEncoderLayer(WIDTH, HEADS, HIDDEN)
    state = {
        key: torch.from_numpy(np.random.default_rng(seed).standard_normal(value.shape, np.float32))
        for seed, (key, value) in enumerate(layer.state_dict().items())
    }
    torch.save(state, path)
    return path


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> Path:
    """Return the file of a network whose head has scales to be folded."""
    path = tmp_path_factory.mktemp("network") / "seg.pth"
    torch.save(trained("stdc1-seg", num_classes=2).state_dict(), path)
    return path


def into_paddle(source: Path, target: Path):
    return convert_file(
        source, target, target=paddle.nn.TransformerEncoderLayer(WIDTH, HEADS, HIDDEN)
    )


def into_torch(source: Path, target: Path):
    return convert_file(
        source, target, target=torch.nn.TransformerEncoderLayer(WIDTH, HEADS, HIDDEN)
    )


def damage(path: Path, tensor: LazyTensor, place: int, bit: int) -> None:
    """Turn one bit of a tensor's bytes in a file."""
    content = path.read_bytes()
    start = content.index(tensor.load().tobytes()) + place
    with path.open("r+b") as file:  # in place: the file is mapped
        file.seek(start)
        file.write(bytes([content[start] ^ (1 << bit)]))


def plant(monkeypatch, key: str, place: int) -> None:
    """Damage a tensor after the file was written and before it is read back."""
    compare = execution.compare

    def struck(plan, path: Path, progress) -> None:
        tensor = read_checkpoint(path)[key]
        damage(path, tensor, place % tensor.nbytes, bit=place % 8)
        compare(plan, path, progress)

    monkeypatch.setattr(execution, "compare", struck)


# Key in the target and what was done to it.
SPLIT = ("self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.bias")
COPIED, TRANSPOSED = (
    ("norm1.weight", "linear2.bias"),
    ("linear1.weight", "self_attn.out_proj.weight"),
)


@pytest.mark.parametrize("place", [0, 5, -1])
@pytest.mark.parametrize("key", [*SPLIT, *COPIED, *TRANSPOSED])
def test_a_single_wrong_bit_in_the_written_file_is_caught(
    attention, tmp_path, monkeypatch, key, place
):
    plant(monkeypatch, key, place)
    with pytest.raises(ConverterError, match="was not written as planned"):
        into_paddle(attention, tmp_path / "a.pdparams")
    assert left(tmp_path) == []


@pytest.mark.parametrize("target", ["a.pth", "a.safetensors"])
@pytest.mark.parametrize("key", ["self_attn.in_proj_weight", "linear1.weight", "norm1.weight"])
def test_on_the_way_back_too(attention, tmp_path, monkeypatch, key, target):
    into_paddle(attention, tmp_path / "p.pdparams")
    plant(monkeypatch, key, -3)
    # Torch's files have checksums, which notice it first.
    with pytest.raises(ConverterError, match=r"was not written as planned|its checksum promises"):
        into_torch(tmp_path / "p.pdparams", tmp_path / target)
    assert left(tmp_path) == ["p.pdparams"]


@pytest.mark.parametrize("key", ["ffm.convblk.bn.weight", "conv_out.conv_out.weight"])
def test_a_wrong_bit_behind_a_fold_is_caught(network, tmp_path, monkeypatch, key):
    plant(monkeypatch, key, 2)
    with pytest.raises(ConverterError, match=f"'{key}' was not written as planned"):
        convert_file(network, tmp_path / "a.pdparams")
    assert left(tmp_path) == []


def test_without_the_planted_fault_it_holds(attention, tmp_path):
    there = into_paddle(attention, tmp_path / "a.pdparams")
    assert there.verified
    assert {"copy", "transpose", "split"} <= set(there.counts)
    assert "merge" in into_torch(tmp_path / "a.pdparams", tmp_path / "b.pth").counts


def test_every_storage_of_a_zip_is_checked_before_the_file_gets_its_name(attention, tmp_path):
    with zipfile.ZipFile(attention) as archive:
        members = [info for info in archive.infolist() if "/data/" in info.filename]
    content = attention.read_bytes()
    for member in members:
        tensor = zipfile.ZipFile(attention).read(member)
        damaged = bytearray(content)
        damaged[content.index(tensor) + len(tensor) // 2] ^= 1
        (tmp_path / "a.pth").write_bytes(damaged)
        with pytest.raises(InputError, match="its checksum promises; the file is damaged"):
            into_paddle(tmp_path / "a.pth", tmp_path / "b.pdparams")
        assert left(tmp_path) == ["a.pth"]


# Interruptions.


def stop_at(step: int) -> Callable[[str], None]:
    """Return a progress that is interrupted at a step."""
    steps = iter(range(10**6))

    def progress(_: str) -> None:
        if next(steps) == step:
            raise KeyboardInterrupt

    return progress


@pytest.mark.parametrize("step", [0, 20, -1])
@pytest.mark.parametrize("verifying", [False, True])
def test_interrupted_nothing_is_left_and_the_old_file_stays(network, tmp_path, step, verifying):
    target = tmp_path / "a.pdparams"
    target.write_text("old")
    tensors = sum(len(e.targets) for e in convert_file(network, target, dry_run=True).entries)
    place = (step % tensors) + (tensors if verifying else 0)
    with pytest.raises(KeyboardInterrupt):
        convert_file(network, target, force=True, progress=stop_at(place))
    assert target.read_text() == "old"
    assert left(tmp_path) == ["a.pdparams"]


STRUCK = """
import os, signal, sys
from converters import cli, execution
# Started from a shell's background, a process is born deaf to Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
number, compare = int(sys.argv.pop(1)), execution.compare
def struck(*arguments):
    os.kill(os.getpid(), number)
    compare(*arguments)
execution.compare = struck
cli.main(prog_name="stdc-convert")
"""


@pytest.mark.parametrize(
    ("name", "code"),
    [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)],
    ids=["ended", "ctrl-c", "no terminal"],
)
def test_a_command_that_is_stopped_leaves_nothing(network, tmp_path, name, code):
    target = tmp_path / "a.pdparams"
    command = [sys.executable, "-c", STRUCK, str(int(name)), str(network), "-o", str(target)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, "", "")
    assert left(tmp_path) == []


# Memory.


@pytest.mark.parametrize("form", ["torch-legacy", "safetensors", "torch-zip"])
def test_nor_where_the_target_is_another_format_or_in_shards(tmp_path, form):
    size = 3072
    rows = [
        (f"{n}.weight", BY_NAME["float32"], np.full((size, size), n, np.float32)) for n in range(3)
    ]
    with (tmp_path / "a.pdparams").open("wb") as file:
        pdparams.write(file, content_of(rows))
    one, _ = rows[0][2].nbytes, rows.clear()
    rules = UserRules.of(kinds={".*": "linear"})
    options = {"form": form, "max_shard_size": one, "force": True, "rules": rules}
    convert = lambda: convert_file(tmp_path / "a.pdparams", tmp_path / "b.x", **options)  # noqa: E731
    convert()
    tracemalloc.start()
    report = convert()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (report.counts, len(report.files)) == ({"transpose": 3}, 4)
    assert peak < 0.6 * one  # four megabytes for each file that is hashed at the same time


def test_not_even_one_tensor_is_in_memory(tmp_path):
    size = 3072
    random = np.random.default_rng(3)
    rows = []
    for number in range(2):
        weight = random.standard_normal((size + 1, size), np.float32)
        rows.append((f"{number}.weight", BY_NAME["float32"], weight))
        rows.append((f"{number}.bias", BY_NAME["float32"], weight[:, 0].copy()))
    with (tmp_path / "a.safetensors").open("wb") as file:
        safetensors_file.write(file, content_of(rows))
    wanted = rows[2][2].T.tobytes()
    one, _ = rows[0][2].nbytes, rows.clear()
    convert = lambda: convert_file(tmp_path / "a.safetensors", force=True)  # noqa: E731
    convert()
    tracemalloc.start()
    report = convert()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert report.counts["transpose"] == 2
    assert peak < 0.5 * one
    assert read_checkpoint(tmp_path / "a.pdparams")["1.weight"].load().tobytes() == wanted
