"""What a file is said to hold."""

import json

import pytest
import safetensors.torch
import torch
from click.testing import CliRunner
from samples import trained

from converters import InputError, inspect_checkpoint
from converters.cli import main


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Return a training script's file around the authors' classifier."""
    path = tmp_path_factory.mktemp("inspect") / "a.pth"
    state = trained("stdc1", num_classes=4).half().state_dict()
    torch.save({"state_dict": state, "epoch": 5, "optimizer": {"m": torch.ones(3)}}, path)
    return path


def test_a_known_network(source):
    found = inspect_checkpoint(source)
    assert (found.format, found.framework, found.wrapper) == ("torch-zip", "torch", "state_dict")
    assert (found.arch, found.variant, found.num_classes) == ("stdc1", "authors", 4)
    assert found.bytes == source.stat().st_size
    assert found.kinds["linear"] == 2
    assert found.kinds["conv"] == found.kinds["batch_norm"] - 1
    assert set(found.dtypes) == {"float16", "int64"}
    assert sum(found.dtypes.values()) == len(found.tensors) - found.aliases
    assert found.aliases > 100
    second = next(tensor for tensor in found.tensors if tensor.alias_of)
    assert (second.key.split(".")[0], second.alias_of.split(".")[0]) == ("x2", "features")
    assert found.skipped == {
        "epoch": "int 5",
        "optimizer": "dict of 1 entries, 1 tensors, 12 bytes",
    }


def test_an_unknown_network(tmp_path):
    path = tmp_path / "a.safetensors"
    safetensors.torch.save_file({"w": torch.ones(2)}, path, metadata={"format": "pt"})
    found = inspect_checkpoint(path)
    assert found.metadata == {"format": "pt"}
    assert [tensor.key for tensor in found.tensors] == ["w"]


def test_a_file_that_is_none(tmp_path):
    (tmp_path / "a.pth").write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match="no known checkpoint format"):
        inspect_checkpoint(tmp_path / "a.pth")
    assert CliRunner().invoke(main, ["inspect", str(tmp_path / "a.pth")]).exit_code == 2


def test_the_command(source, tmp_path):
    report = tmp_path / "report.json"
    result = CliRunner().invoke(main, ["inspect", str(source), "--all", "--json", str(report)])
    assert result.exit_code == 0, result.output
    for words in ("stdc1 authors, 4 classes, torch", "conv", "float16", "epoch", "features.0"):
        assert words in result.stdout
    plain = json.loads(report.read_text())
    assert plain["arch"] == "stdc1"
    assert len(plain["tensors"]) == len(inspect_checkpoint(source).tensors)
    assert CliRunner().invoke(main, ["inspect", "-q", str(source)]).output == ""


def test_layers_of_an_unknown_network_are_told_by_their_tensors(tmp_path):
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Linear(4, 4)
    )
    torch.save(network.state_dict(), tmp_path / "a.pth")
    found = inspect_checkpoint(tmp_path / "a.pth")
    assert found.kinds == {"conv": 1, "batch_norm": 1, "linear": 1}
    assert (found.arch, bool(found.unknown)) == ("generic", True)


def test_what_layers_could_be_as_well_is_said(tmp_path):
    layer = torch.nn.TransformerEncoderLayer(4, 2, 8)
    network = torch.nn.ModuleDict({"layer": layer, "emb": torch.nn.Embedding(3, 4)})
    torch.save(network.state_dict(), tmp_path / "a.pth")
    found = inspect_checkpoint(tmp_path / "a.pth")
    assert found.kinds["layer_norm"] == 2
    assert sorted(found.doubts.values()) == [1, 2]
    told = found.plain()
    assert "doubt     2 layers: of kind layer_norm; an InstanceNorm has such tensors too" in told
    assert "doubt     1 layer: of kind embedding, by its name alone" in told
    plain = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    torch.save(plain.state_dict(), tmp_path / "b.pth")
    assert inspect_checkpoint(tmp_path / "b.pth").doubts == {}


def test_a_variant_that_nothing_tells_is_said(tmp_path):
    state = trained("stdc1-seg", num_classes=3).state_dict()
    bare = {key: value for key, value in state.items() if "num_batches" not in key}
    torch.save(bare, tmp_path / "a.pth")
    (doubt,) = inspect_checkpoint(tmp_path / "a.pth").doubts
    assert "no layer of the file counts batches" in doubt
