"""Networks that both torchvision and paddle.vision define: converted, nothing left over."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import paddle
import published
import pytest
import torch
from click.testing import CliRunner
from published_networks import NETWORKS
from samples import fill, generator

from converters.cli import main
from converters.model import build_model

# Paddle's factory, and how many tensors the torch side publishes.
FACTORIES = {
    "resnet50": ("paddle.vision.models:resnet50", 320),
    "mobilenet_v2": ("paddle.vision.models:mobilenet_v2", 314),
    "vgg16_bn": ("paddle.vision.models:vgg16(batch_norm=True)", 97),
}


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder that is gone at once: VGG's files have half a gigabyte each."""
    with TemporaryDirectory() as name:
        yield Path(name)


@pytest.mark.parametrize("name", FACTORIES)
def test_a_published_network_goes_over_whole_and_comes_back(name: str, folder: Path) -> None:
    """One pass through all that is held of it, since VGG has 138 million parameters."""
    source, target, again = (folder / one for one in ("x.pth", "x.pdparams", "again.pth"))
    ours = torch_network(name)
    torch.save(ours.state_dict(), source)
    factory, _ = FACTORIES[name]
    report = converted(source, target, "--model", factory)
    nothing_is_left_over(report, ours)
    theirs = build_model(factory, "paddle")
    assert theirs.set_state_dict(paddle.load(str(target))) == ([], [])
    # The way back needs no network: the tensors tell each other's kinds.
    converted(target, again)
    bit_for_bit(torch.load(source, mmap=True), torch.load(again, mmap=True))
    computes_the_same(ours, theirs)


def torch_network(name: str) -> torch.nn.Module:
    """Return a network with the published keys, and another seed for each of its tensors."""
    with torch.device("meta"):
        network = NETWORKS[name]()
    state = network.to_empty(device="cpu").state_dict()
    assert {key: tuple(one.shape) for key, one in state.items()} == dict(getattr(published, name)())
    assert len(state) == FACTORIES[name][1]
    for key, tensor in state.items():
        fill(key, tensor, seed=5)
    return network.eval()


def converted(source: Path, target: Path, *options: str) -> dict:
    """Run the command and return its report."""
    report = target.with_suffix(".json")
    command = [str(source), "-o", str(target), "--json", str(report), "-q", *options]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    return json.loads(report.read_text("utf-8"))


def nothing_is_left_over(report: dict, ours: torch.nn.Module) -> None:
    """Paddle counts no batches; the file carries the counts along in its head."""
    entries = report["entries"]
    assert {one["source"] for one in entries} == set(ours.state_dict())
    assert {one["action"] for one in entries} <= {"copy", "rename", "transpose", "drop"}
    dropped = [one["source"] for one in entries if one["action"] == "drop"]
    assert dropped == [key for key in ours.state_dict() if key.endswith("num_batches_tracked")]


def bit_for_bit(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert set(one) == set(other)
    for key, tensor in one.items():
        assert tensor.dtype == other[key].dtype, key
        whole = (tensor.reshape(-1).view(torch.uint8), other[key].reshape(-1).view(torch.uint8))
        assert torch.equal(*whole), key


def computes_the_same(ours: torch.nn.Module, theirs: paddle.nn.Layer) -> None:
    ours.double()
    theirs.to(dtype="float64")
    theirs.eval()
    image = generator(1, "image").normal(size=(2, 3, 64, 64))
    with torch.no_grad(), paddle.no_grad():
        expected = ours(torch.from_numpy(image)).numpy()
        found = theirs(paddle.to_tensor(image)).numpy()
    assert found.dtype == np.float64
    assert expected.shape == (2, 1000)
    assert np.ptp(expected, axis=0).min() > 0  # each output depends on the image
    assert np.abs(found - expected).max() <= 1e-9 * np.abs(expected).max()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("paddle.vision.models", "expected pkg.mod:factory"),
        ("paddle.vision.models:resnet50(10)", "expected pkg.mod:factory"),
        ("paddle.vision.models:resnet50(a=open)", "expected pkg.mod:factory"),
        ("no.such.module:net", "no.such.module cannot be imported"),
        ("paddle.vision.models:resnet51", "has no callable 'resnet51'"),
        ("paddle.vision.models:resnet50(depth=1)", "the factory failed"),
        ("torch.nn:Identity", "is a network of torch"),
        ("collections:OrderedDict", "neither a torch Module nor a paddle Layer"),
    ],
)
def test_a_bad_model_is_one_line(tmp_path: Path, model: str, message: str) -> None:
    source = tmp_path / "a.pth"
    torch.save({"w": torch.ones(2)}, source)
    result = CliRunner().invoke(main, [str(source), "--to", "paddle", "--model", model])
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_no_framework_is_loaded_without_a_model() -> None:
    check = "import sys, converters.cli; print({'torch', 'paddle'} & {*sys.modules})"
    command = [sys.executable, "-c", check]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "set()"
