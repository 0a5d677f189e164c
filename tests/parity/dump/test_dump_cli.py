"""`stdc-parity dump` and `diff`: where weights and inputs come from, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import paddle
import pytest
import torch
from click.testing import CliRunner, Result

import converters
from parity.cli import main
from parity.dump import Dump
from parity.inputs import seed_weights
from stdc_port import torch_nets

SIZE = ["--size", "33x65"]


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def dump(framework: str, out: Path, *arguments: object) -> Path:
    result = call("dump", *arguments, "--framework", framework, "-o", out, "--force")
    assert result.exit_code == 0, result.output
    return out


def refused(result: Result, code: int = 2) -> str:
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return " ".join(result.stderr.split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="module")
def checkpoint(folder: Path) -> Path:
    network = torch_nets.build("stdc1-seg", num_classes=5)
    seed_weights(network, 4)
    torch.save({"state_dict": network.state_dict()}, folder / "model.pth")
    return folder / "model.pth"


@pytest.fixture(scope="module")
def converted(checkpoint: Path) -> Path:
    return Path(converters.convert_file(checkpoint).target.path)


@pytest.fixture(scope="module")
def torch_dump(checkpoint: Path, folder: Path) -> Path:
    return dump("torch", folder / "torch.npz", checkpoint, *SIZE)


def test_both_sides_take_the_torch_file(torch_dump: Path, checkpoint: Path, folder: Path) -> None:
    # In-place ABN's folded scales are not rounded to float32 on their way: float64 agrees.
    other = dump("paddle", folder / "a.npz", checkpoint, *SIZE)
    result = call("diff", torch_dump, other, "--json", folder / "a.json")
    assert result.exit_code == 0, result.output
    content = json.loads((folder / "a.json").read_text())
    assert content["counts"]["match"] == len(content["layers"])
    assert max(layer["error64"] for layer in content["layers"]) < 1e-13


def test_both_sides_take_the_converted_file(
    torch_dump: Path, converted: Path, folder: Path
) -> None:
    ours = dump("torch", folder / "b.npz", converted, *SIZE)
    theirs = dump("paddle", folder / "c.npz", converted, *SIZE)
    assert call("diff", ours, theirs).exit_code == 0
    said = refused(call("diff", torch_dump, theirs))
    assert "other weights (model.pth)" in said
    assert "(model.pdparams)" in said


def test_weights_of_another_seed_are_refused_with_what_mends(folder: Path) -> None:
    arch = ("--arch", "stdc1")
    ours = dump("torch", folder / "s.npz", *arch, *SIZE)
    theirs = dump("paddle", folder / "t.npz", *arch, *SIZE, "--seed", 3)
    said = refused(call("diff", ours, theirs))
    mend = ("--input", ours, "--seed", 0)
    words = " ".join(map(str, mend))
    assert f"stdc-parity dump {words} --framework paddle, with the --arch of the first" in said
    mended = dump("paddle", folder / "u.npz", *arch, *mend)
    assert call("diff", ours, mended).exit_code == 0


def test_a_converted_file_as_it_stands_is_judged_without_excuses(
    torch_dump: Path, converted: Path, folder: Path
) -> None:
    own = dump("paddle", folder / "d.npz", converted, *SIZE, "--no-convert")
    result = call("diff", torch_dump, own)
    # Rounded to float32, the folded scale is off by 6e-8: named, and not waved through.
    assert result.exit_code == 1
    assert "first divergence: cp.conv_avg.bn" in result.stdout
    assert "up to 6e-08" in " ".join(result.stdout.split())


def test_the_other_sides_dump_brings_inputs_and_weights(folder: Path, checkpoint: Path) -> None:
    factory = ["--torch", "parity_toys:torch_stdc1"]
    ours = dump("torch", folder / "e.npz", *factory, "--input", "2x3x64x33")
    theirs = dump("paddle", folder / "f.npz", ours, "--paddle", "parity_toys:paddle_stdc1")
    assert call("diff", theirs, ours).exit_code == 0
    assert Dump(theirs).manifest.inputs == Dump(ours).manifest.inputs
    # An STDC network is told by the weights in the dump.
    named = dump("paddle", folder / "g.npz", ours)
    assert "stdc1, authors" in Dump(named).manifest.title
    assert call("diff", named, ours).exit_code == 0


def test_a_dump_without_weights_says_whose_they_are(torch_dump: Path, folder: Path) -> None:
    said = refused(call("dump", torch_dump, "--framework", "paddle", "-o", folder / "x.npz"))
    assert "made with model.pth; give that, and --input" in said
    assert not (folder / "x.npz").exists()


def test_a_converted_file_is_compared_where_paddle_is(
    checkpoint: Path, converted: Path, torch_dump: Path, folder: Path
) -> None:
    arguments = [checkpoint, *SIZE, "--converted"]
    right = dump("paddle", folder / "h.npz", *arguments, converted)
    assert call("diff", torch_dump, right).exit_code == 0
    tensors = paddle.load(str(converted))
    tensors["ffm.conv1.weight"] = np.asarray(tensors["ffm.conv1.weight"]) * np.float32(1.5)
    paddle.save(tensors, str(folder / "wrong.pdparams"))
    wrong = dump("paddle", folder / "i.npz", *arguments, folder / "wrong.pdparams")
    result = call("diff", torch_dump, wrong)
    assert result.exit_code == 1
    assert "weights that differ (1): ffm.conv1.weight" in result.stdout


def test_the_converters_refusal_is_a_verdict(folder: Path) -> None:
    network = torch_nets.build("stdc1", num_classes=5)
    torch.save(network.state_dict() | {"extra.weight": torch.ones(3)}, folder / "extra.pth")
    arguments = ["--framework", "paddle", "-o", folder / "y.npz", *SIZE]
    said = refused(call("dump", folder / "extra.pth", *arguments), code=1)
    assert "extra.weight" in said
    assert not (folder / "y.npz").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--framework", "paddle", "--paddle", "parity_toys:paddle_stdc1"], "which weights?"),
        (["--framework", "torch", "--paddle", "parity_toys:paddle_stdc1"], "leave out the other"),
        (["--framework", "paddle", "--no-convert"], "needs weights of Paddle's"),
        (["--framework", "torch", "--device", "gpu:7"], "--device gpu:7: torch cannot use it"),
        (["--framework", "paddle", "--device", "cuda"], "--device cuda: paddle cannot use it"),
        (["--framework", "jax"], "'jax'"),
        ([], "--framework"),
    ],
)
def test_what_cannot_be_dumped_is_one_clear_line(
    folder: Path, arguments: list[str], message: str
) -> None:
    said = refused(call("dump", *arguments, *SIZE, "-o", folder / "z.npz"))
    assert message in said
    assert not (folder / "z.npz").exists()


def test_an_existing_file_is_kept(torch_dump: Path, checkpoint: Path) -> None:
    arguments = ["dump", checkpoint, *SIZE, "--framework", "torch", "-o", torch_dump]
    assert "--force replaces it" in refused(call(*arguments))


def test_no_dump_is_refused(torch_dump: Path, checkpoint: Path, folder: Path) -> None:
    assert "no dump" in refused(call("diff", torch_dump, checkpoint))
    assert "both of torch" in refused(call("diff", torch_dump, torch_dump))
    assert "absent.npz" in refused(call("diff", torch_dump, folder / "absent.npz"))


def test_other_inputs_are_refused(torch_dump: Path, checkpoint: Path, folder: Path) -> None:
    other = dump("paddle", folder / "j.npz", checkpoint, *SIZE, "--seed", "9")
    assert "input 0 has other values" in refused(call("diff", torch_dump, other))


def test_quiet_and_json(checkpoint: Path, folder: Path) -> None:
    arguments = ["--framework", "torch", "-o", folder / "k.npz", "--json", folder / "k.json"]
    result = call("dump", checkpoint, *SIZE, *arguments, "--quiet", "--precision", "float32")
    assert (result.exit_code, result.output) == (0, "")
    content = json.loads((folder / "k.json").read_text())
    assert content["framework"] == "torch"
    assert content["precisions"] == ["float32"]
    assert content["device"]["kind"] == "cpu"
