"""What every command writes with --json is as the schema says that docs/formats.md names for it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click
import jsonschema
import numpy as np
import pages
import pytest
from safetensors.numpy import save_file

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (`stdc-.*`) \| `(\S+\.json)` \|$", re.MULTILINE)
SCHEMA_OF = {
    command: ROOT / path
    for commands, path in ROW.findall((ROOT / "docs/formats.md").read_text("utf-8"))
    for command in re.findall(r"`([^`]+)`", commands)
}
# What is run, in this order; what takes minutes is made from its result instead.
RUN = {
    "stdc-convert": "stdc-convert a.safetensors --to paddle --arch generic",
    "stdc-convert inspect": "stdc-convert inspect a.safetensors",
    "stdc-convert diff": "stdc-convert diff a.safetensors b.safetensors",
    "stdc-parity": "stdc-parity --arch stdc1 --size 32x32",
    "stdc-parity dump": "stdc-parity dump --arch stdc1 --size 32x32 --framework paddle -o p.npz",
    "stdc-parity diff": "stdc-parity diff t.npz p.npz",
    "stdc-parity traps": "stdc-parity traps bn-momentum pool-exclusive",
    "stdc-seg scenes": "stdc-seg scenes set --train 1 --val 1 --size 64x32",
    "stdc-seg evaluate": "stdc-seg evaluate --weights seg.pdparams --data set --flip",
    "stdc-seg combine": "stdc-seg combine evaluate.json",
    "stdc-seg predict": "stdc-seg predict set/leftImg8bit/val --weights seg.pdparams -o seen",
    "stdc-seg export": "stdc-seg export --weights seg.pdparams -o out --format safetensors "
    "--size 64x32 --pictures 1",
    "stdc-seg bench": "stdc-seg bench out --size 64x32 --runs 2",
}


def made() -> dict[str, dict[str, Any]]:
    from stdc_port.training.ablation import Ablation, Arm
    from stdc_port.training.metrics import Evaluation
    from stdc_port.training.outcome import Outcome

    arms = tuple(Arm(0, pretrained, 0.25, 0.5) for pretrained in (True, False))
    where = [Path(name) for name in ("data", "a.pth", "a.pdparams", "model.pdparams")]
    return {
        "stdc-seg finetune": Evaluation(np.eye(19, dtype=np.int64), 3, (0.5, 1.0)).to_json(),
        "stdc-seg ablation": Ablation(arms, 10, "w.pdparams").to_json(),
        "stdc-seg cityscapes": Outcome(*where, 0.2, 24, ("train",), True, "stdc1", 1.0).to_json(),
        "stdc-seg pretrain": {"path": "a.pth", "top1": 34.2, "classes": 7},
    }


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    import paddle

    from stdc_port import paddle_nets

    root = tmp_path_factory.mktemp("schemas")
    for name, value in (("a", 1), ("b", 2)):
        tensors = {"fc.weight": np.full((2, 3), value, "float32"), "fc.bias": np.ones(2, "float32")}
        save_file(tensors, root / f"{name}.safetensors")
    paddle.seed(0)
    paddle.save(paddle_nets.build("stdc1-seg").state_dict(), str(root / "seg.pdparams"))
    found: dict[str, Any] = made()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        dump = "stdc-parity dump --arch stdc1 --size 32x32 --framework torch -o t.npz"
        assert pages.invoke(dump).exit_code == 0
        for command, line in RUN.items():
            done = pages.invoke(f"{line} --json report.json")
            assert done.exit_code in (0, 1), done.output
            found[command] = strictly(Path("report.json").read_text("utf-8"))
            Path("report.json").rename(f"{command.split()[-1]}.json")
    return found


def strictly(text: str) -> Any:
    """Read JSON, which knows no NaN and no infinity."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def schema(command: str) -> Any:
    return json.loads(SCHEMA_OF[command].read_text("utf-8"))


def complaints(command: str, content: Any) -> list[str]:
    found = jsonschema.Draft202012Validator(schema(command)).iter_errors(content)
    return [f"{error.json_path}: {error.message}" for error in found]


def every_command() -> set[str]:
    groups = {name: one for name, one in pages.COMMANDS.items() if isinstance(one, click.Group)}
    named = {f"{name} {sub}" for name, group in groups.items() for sub in group.commands}
    return {name.removesuffix(" convert").removesuffix(" check") for name in named}


def test_every_command_has_a_schema() -> None:
    assert set(SCHEMA_OF) == every_command()
    assert set(RUN) | set(made()) == every_command()


@pytest.mark.parametrize("command", sorted(SCHEMA_OF))
def test_what_a_command_writes_is_as_its_schema_says(command: str, reports: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(command))
    assert complaints(command, json.loads(json.dumps(reports[command], allow_nan=False))) == []


@pytest.mark.parametrize("command", sorted(SCHEMA_OF))
def test_a_key_that_is_missing_or_new_is_seen(command: str, reports: dict[str, Any]) -> None:
    content = json.loads(json.dumps(reports[command]))
    for key in list(content):
        value = content.pop(key)
        assert complaints(command, content), key
        content[key] = value
    content["surprise"] = 1
    assert complaints(command, content)


def test_an_evaluation_of_nothing_is_json_too() -> None:
    from stdc_port.training.metrics import Evaluation

    content = Evaluation(np.zeros((19, 19), np.int64), 1, (1.0,)).to_json()
    assert content["miou"] is None
    assert complaints("stdc-seg finetune", content) == []
