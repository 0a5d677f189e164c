"""Networks that both torchvision and paddle.vision define: converted, nothing left over."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import paddle
import published
import pytest
import torch
from click.testing import CliRunner
from samples import generator, shape_tensor

from converters import plan_conversion
from converters.checkpoint import Checkpoint
from converters.cli import main
from converters.model import build_model

NETWORKS = {
    "resnet50": ("paddle.vision.models:resnet50", 320),
    "mobilenet_v2": ("paddle.vision.models:mobilenet_v2", 314),
    "vgg16_bn": ("paddle.vision.models:vgg16(batch_norm=True)", 97),
}


def published_state(name: str, *, device: str = "meta") -> dict[str, torch.Tensor]:
    return {
        key: torch.zeros(shape, dtype=torch.float32 if shape else torch.int64, device=device)
        for key, shape in getattr(published, name)()
    }


@pytest.mark.parametrize("name", NETWORKS)
def test_every_published_key_finds_its_place(name: str) -> None:
    factory, count = NETWORKS[name]
    state = published_state(name)
    assert len(state) == count
    checkpoint = Checkpoint(
        Path("published.pth"), "memory", {key: shape_tensor(one) for key, one in state.items()}
    )
    network = build_model(factory, "paddle")
    plan = plan_conversion(checkpoint, target=network)
    assert plan.problems == ()
    shapes = {key: list(value.shape) for key, value in network.state_dict().items()}
    assert {entry.target: list(entry.shape) for entry in plan.entries if entry.target} == shapes
    dropped = [entry.source for entry in plan.entries if entry.target is None]
    assert dropped == [key for key in state if key.endswith("num_batches_tracked")]
    # The way back needs no network: the tensors tell each other's kinds.
    back = plan_conversion(as_written(plan), to="torch")
    assert back.problems == ()
    assert {entry.target: entry.shape for entry in back.entries} == dict(getattr(published, name)())


def as_written(plan) -> Checkpoint:
    """Return what the plan would write, as a checkpoint of shapes."""
    # All at once: a tensor that is gone leaves its identity to the next one.
    kept = {e.target: torch.zeros(e.shape, device="meta") for e in plan.entries if e.target}
    tensors = {key: shape_tensor(tensor) for key, tensor in kept.items()}
    return Checkpoint(Path("published.pdparams"), "pdparams", tensors)


def test_a_published_file_through_the_command(tmp_path: Path) -> None:
    state = published_state("mobilenet_v2", device="cpu")
    for key, tensor in state.items():
        if tensor.ndim:
            tensor.copy_(torch.from_numpy(generator(1, key).uniform(0.1, 1, tensor.shape)))
    source, target = tmp_path / "mobilenet_v2.pth", tmp_path / "out.pdparams"
    torch.save(state, source)
    factory, _ = NETWORKS["mobilenet_v2"]
    result = CliRunner().invoke(main, [str(source), "-o", str(target), "--model", factory, "-q"])
    assert result.exit_code == 0, result.output
    network = build_model(factory, "paddle")
    assert network.set_state_dict(paddle.load(str(target))) == ([], [])
    weight = network.state_dict()["classifier.1.weight"].numpy()
    assert np.array_equal(weight, state["classifier.1.weight"].numpy().T)


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
