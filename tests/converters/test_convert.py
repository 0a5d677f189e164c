"""Whole conversions of files: what is written, that it loads, and the way back."""

import hashlib
from pathlib import Path

import numpy as np
import paddle
import pytest
import torch
from samples import bits, trained

from converters import InputError, convert_file, read_checkpoint
from stdc_port import paddle_nets, torch_nets

ARCHS = {"stdc1": 11, "stdc1-seg": 5}


@pytest.fixture(scope="module", params=sorted(ARCHS))
def arch(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def states() -> dict[str, dict[str, torch.Tensor]]:
    """Return the authors' state dicts, aliases and in-place ABN included."""
    return {arch: trained(arch, num_classes=n).state_dict() for arch, n in ARCHS.items()}


@pytest.fixture(scope="module")
def files(states, tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("source")
    for arch, state in states.items():
        torch.save({"state_dict": state, "epoch": 7}, folder / f"{arch}.pth")
    return {arch: folder / f"{arch}.pth" for arch in states}


@pytest.fixture(scope="module")
def converted(files, tmp_path_factory):
    """Return the reports of plain conversions."""
    folder = tmp_path_factory.mktemp("target")
    return {arch: convert_file(path, folder / f"{arch}.pdparams") for arch, path in files.items()}


def expected_tensor(key: str, value: torch.Tensor, *, fold: bool) -> np.ndarray:
    array = value.numpy()
    if key.endswith(("fc.weight", "linear.weight")):
        return array.T
    if fold and not key.startswith("cp.backbone") and key.endswith(".weight") and array.ndim == 1:
        return (np.abs(array.astype(np.float64)) + 1e-5).astype(array.dtype)
    return array


def paddle_name(key: str) -> str:
    return key.replace("running_mean", "_mean").replace("running_var", "_variance")


def assert_converted(path: Path, state: dict[str, torch.Tensor], *, fold: bool) -> None:
    """Every tensor is where it belongs, and nothing else is in the file."""
    found = paddle.load(str(path), return_numpy=True)
    wanted = {
        paddle_name(key): expected_tensor(key, value, fold=fold)
        for key, value in state.items()
        if not key.endswith("num_batches_tracked") and not is_alias(key)
    }
    assert set(found) == set(wanted)
    for key, value in wanted.items():
        assert found[key].dtype == value.dtype, key
        assert found[key].shape == value.shape, key
        assert bits(found[key]) == bits(value), key


def is_alias(key: str) -> bool:
    return key.removeprefix("cp.backbone.").partition(".")[0] in ("x2", "x4", "x8", "x16", "x32")


def test_every_tensor_of_the_written_file(arch, states, converted):
    assert_converted(Path(converted[arch].target.path), states[arch], fold=arch.endswith("-seg"))


def test_the_file_loads_with_nothing_missing_and_nothing_unexpected(arch, converted):
    network = paddle_nets.build(arch, num_classes=ARCHS[arch])
    weights = paddle.load(converted[arch].target.path)
    assert network.set_state_dict(weights) == ([], [])


def test_the_report(arch, files, converted):
    report = converted[arch]
    assert (report.arch, report.num_classes) == (arch, ARCHS[arch])
    assert report.variant == "authors"
    assert report.verified
    assert report.problems == ()
    assert report.wrapper == "state_dict"
    assert report.skipped == {"epoch": "int 7"}
    for facts, path, form in (
        (report.source, files[arch], "torch-zip"),
        (report.target, Path(report.target.path), "pdparams"),
    ):
        content = path.read_bytes()
        assert Path(facts.path) == path
        assert facts.format == form
        assert facts.bytes == len(content)
        assert facts.sha256 == hashlib.sha256(content).hexdigest()


def test_json_as_documented(arch, converted):
    plain = converted[arch].to_json()
    assert set(plain["source"]) == set(plain["target"]) == {"path", "sha256", "format", "bytes"}
    assert set(plain["entries"][0]) == {"source", "target", "action", "shape", "dtype", "reason"}
    actions = [entry["action"] for entry in plain["entries"]]
    assert plain["counts"] == {action: actions.count(action) for action in dict.fromkeys(actions)}


def test_a_tensor_with_two_names_is_written_once(arch, states, converted):
    unique = {value.data_ptr(): value for value in states[arch].values() if value.ndim}
    size = sum(value.numel() * value.element_size() for value in unique.values())
    assert size < converted[arch].target.bytes < size + 220 * len(unique)


def test_legacy_unwrapped_and_prefixed_files_give_the_same_bytes(arch, states, converted, tmp_path):
    state = {f"module.{key}": value for key, value in states[arch].items()}
    torch.save(state, tmp_path / "a.tar", _use_new_zipfile_serialization=False)
    report = convert_file(tmp_path / "a.tar")
    assert report.source.format == "torch-legacy"
    assert report.target.path == str(tmp_path / "a.pdparams")
    assert report.target.sha256 == converted[arch].target.sha256


def test_copies_in_place_of_shared_storages_give_the_same_bytes(states, converted, tmp_path):
    torch.save({k: v.clone() for k, v in states["stdc1"].items()}, tmp_path / "a.pth")
    report = convert_file(tmp_path / "a.pth")
    assert report.target.sha256 == converted["stdc1"].target.sha256
    assert report.counts == converted["stdc1"].counts
    assert any(entry.reason.endswith("equal bits") for entry in report.entries)


def test_a_networks_dtype_is_kept(states, tmp_path):
    state = {k: v.half() if v.is_floating_point() else v for k, v in states["stdc1"].items()}
    torch.save(state, tmp_path / "a.pth")
    convert_file(tmp_path / "a.pth")
    assert_converted(tmp_path / "a.pdparams", state, fold=False)


# Rounding.


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_rounding_equals_torchs(states, files, tmp_path, dtype):
    convert_file(files["stdc1-seg"], tmp_path / "a.pdparams", dtype=dtype)
    found = read_checkpoint(tmp_path / "a.pdparams")
    for key, value in states["stdc1-seg"].items():
        if is_alias(key) or key.endswith("num_batches_tracked"):
            continue
        wanted = torch.from_numpy(np.array(expected_tensor(key, value.double(), fold=True))).to(
            getattr(torch, dtype)
        )
        assert found[paddle_name(key)].dtype == dtype
        assert bits(found[paddle_name(key)].load()) == bits(wanted), key


@pytest.mark.parametrize(("dtype", "step"), [("float16", 2.0**-10), ("bfloat16", 2.0**-7)])
def test_the_folded_scale_is_rounded_once(tmp_path, states, dtype, step):
    # |w| + 1e-5 lies a little below the middle of two values of the type: its float32 neighbour is
    # the middle itself, and rounding that again would go up to the even one.
    middle = 1 + 1.5 * step
    weight = np.float32(middle - 1e-5)
    exact = float(weight) + 1e-5
    assert exact < middle == np.float32(exact)
    state, key = dict(states["stdc1-seg"]), "conv_out.conv.bn.weight"
    state[key] = torch.full_like(state[key], -float(weight))
    torch.save(state, tmp_path / "a.pth")
    convert_file(tmp_path / "a.pth", dtype=dtype)
    wanted = torch.full_like(state[key], 1 + step).to(getattr(torch, dtype))
    assert bits(read_checkpoint(tmp_path / "a.pdparams")[key].load()) == bits(wanted)


# The way back.


def test_there_and_back_again(states, tmp_path):
    network = trained("stdc1-seg", variant="authors-bn", num_classes=5)
    state = network.state_dict()
    torch.save(state, tmp_path / "a.pth")
    convert_file(tmp_path / "a.pth")
    report = convert_file(tmp_path / "a.pdparams", tmp_path / "b.pth", to="torch")
    assert report.variant == "authors-bn"
    found = torch.load(tmp_path / "b.pth", weights_only=True)
    torch_nets.build("stdc1-seg", variant="authors-bn", num_classes=5).load_state_dict(
        found, strict=True
    )
    assert set(found) == set(state)
    for key, value in state.items():
        assert found[key].dtype == value.dtype
        # The counts of batches too: the file carries them along outside its weights.
        assert bits(found[key]) == bits(value), key
    second = "cp.backbone.x16.0.4.conv_list.0.conv.weight"
    first = "cp.backbone.features.4.conv_list.0.conv.weight"
    assert found[second].data_ptr() == found[first].data_ptr()
    assert report.target.bytes < 1.02 * (tmp_path / "a.pth").stat().st_size


def test_a_converted_classifier_comes_back(states, converted, tmp_path):
    convert_file(converted["stdc1"].target.path, tmp_path / "b.pth", to="torch")
    network = torch_nets.build("stdc1", num_classes=11)
    network.load_state_dict(torch.load(tmp_path / "b.pth", weights_only=True), strict=True)
    for key, value in network.state_dict().items():
        if not key.endswith("num_batches_tracked"):
            assert bits(value) == bits(states["stdc1"][key]), key


# Other ways to ask, other networks.


def test_a_dry_run_writes_nothing(files, converted, tmp_path):
    report = convert_file(files["stdc1"], tmp_path / "a.pdparams", dry_run=True)
    assert not report.verified
    assert report.counts == converted["stdc1"].counts
    assert report.entries == converted["stdc1"].entries
    assert report.source == converted["stdc1"].source
    assert report.target.sha256 == ""
    assert list(tmp_path.iterdir()) == []


def test_a_zip_without_checksums_is_read(tmp_path):
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"w": torch.arange(5.0)}, tmp_path / "a.pth")
    finally:
        torch.serialization.set_crc32_options(before)
    assert read_checkpoint(tmp_path / "a.pth")["w"].load().tolist() == [0, 1, 2, 3, 4]


def test_another_network_with_stdcs_first_names_is_any_other(tmp_path):
    torch.save(
        {f"features.{n}.conv.weight": torch.ones(4, 4, 3, 3) for n in range(4)}, tmp_path / "a.pth"
    )
    assert convert_file(tmp_path / "a.pth").counts == {"copy": 4}
    torch.save({"features.2.conv_list.0.conv.weight": torch.ones(4, 4, 3, 3)}, tmp_path / "b.pth")
    with pytest.raises(InputError, match=r"b\.pth: .* --arch generic converts any network"):
        convert_file(tmp_path / "b.pth")
    assert convert_file(tmp_path / "b.pth", arch="generic").counts == {"copy": 1}


def test_a_generic_network_keeps_its_names(states, tmp_path):
    """Whose names they look like does not matter then, nor what stands in front of them."""
    paddlesegs = paddle_nets.build("stdc1-seg", variant="paddleseg", num_classes=3).state_dict()
    named = {
        key.replace(".conv.conv.", ".conv._conv."): np.asarray(value.numpy())
        for key, value in paddlesegs.items()
        if not key.endswith(("fc.weight", "linear.weight"))
    }
    paddle.save({f"net.{key}": value for key, value in named.items()}, str(tmp_path / "a.pdparams"))
    report = convert_file(tmp_path / "a.pdparams", arch="generic")
    assert report.arch == "generic"
    targets = {key for entry in report.entries for key in entry.targets}
    assert {key for key in targets if key.endswith("weight")} == {
        f"net.{key}" for key in named if key.endswith("weight")
    }
