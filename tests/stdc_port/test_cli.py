"""The command: exit codes, and messages a user can act on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stdc_port.cli import main
from stdc_port.training.stops import StoppedError

TINY = [
    "--set", "data.crop=[64, 32]", "--set", "train.iterations=2", "--set", "train.batch_size=2",
    "--set", "rate.warmup=none",
]  # fmt: skip


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "scenes"
    made = run("scenes", folder, "--train", 2, "--val", 2, "--size", "64x32", "--seed", 1)
    assert made.exit_code == 0, made.output
    return folder


def test_help_loads_no_framework() -> None:
    code = (
        "import sys; from stdc_port.cli import main; main(['--help'], standalone_mode=False); "
        "print('loaded', *({'torch', 'paddle', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "finetune" in done.stdout
    assert done.stdout.splitlines()[-1] == "loaded"


@pytest.mark.parametrize("command", sorted(main.commands))
def test_every_command_has_help_and_version(command: str) -> None:
    assert run(command, "-h").exit_code == 0
    assert run(command, "--version").exit_code == 0
    assert "--quiet" in run(command, "-h").output
    assert "--json" in run(command, "-h").output


def test_train_evaluate_predict(data: Path, tmp_path: Path) -> None:
    output, report = tmp_path / "run", tmp_path / "report.json"
    trained = run("finetune", "--data", data, "--scratch", "-o", output, "--json", report, *TINY)
    assert trained.exit_code == 0, trained.output
    weights = output / "model.pdparams"
    asked = ["evaluate", "--weights", weights, "--data", data]
    again = run(*asked, "-o", tmp_path / "e")
    assert again.exit_code == 0, again.output
    assert "mIoU over" in again.output
    assert {p.name for p in (tmp_path / "e").iterdir()} == {
        "evaluation.json", "confusion.csv", "confusion.png"
    }  # fmt: skip
    first, second = (json.loads(p.read_text()) for p in (report, tmp_path / "e/evaluation.json"))
    assert first["matrix"] == second["matrix"]
    for number in (1, 2):
        part = run(*asked, "--part", f"{number}/2", "--json", tmp_path / f"{number}.json")
        assert part.exit_code == 0, part.output
    parts = [tmp_path / f"{number}.json" for number in (1, 2)]
    both = run("combine", *parts, "-o", tmp_path / "both")
    assert both.exit_code == 0, both.output
    assert json.loads((tmp_path / "both/evaluation.json").read_text()) == second
    assert (tmp_path / "both/confusion.csv").read_text() == (
        tmp_path / "e/confusion.csv"
    ).read_text()
    lacking = run("combine", parts[0])
    assert lacking.exit_code == 2
    assert "part 2/2 is missing" in lacking.output
    assert "named twice" in run("combine", parts[0], parts[0]).output
    predicting = ["predict", "--weights", weights, data / "leftImg8bit/val", "-o", tmp_path / "o"]
    shown = run(*predicting)
    assert shown.exit_code == 0, shown.output
    assert len(list((tmp_path / "o").glob("*/*/*.png"))) == 6
    assert "0 pictures predicted, 2 were there" in " ".join(run(*predicting).output.split())
    other = run(*predicting, "--flip")
    assert other.exit_code == 2
    assert "other weights or settings" in other.output


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130), (signal.SIGHUP, 129)]
)
def test_a_training_that_was_stopped_ends_well(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals, code: int
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise StoppedError(number, "stopped, and saved")

    monkeypatch.setattr("stdc_port.training.jobs.finetune", stopped)
    result = run("finetune", "--data", "x", "-o", "y", "--scratch", "--resume", "auto")
    assert result.exit_code == code
    assert "stopped, and saved" in result.output


def test_the_resolved_recipe_is_shown() -> None:
    shown = run("finetune", "--show-recipe", "--recipe", "stdc2_seg75", "--set", "rate.base=0.5")
    assert shown.exit_code == 0
    recipe = json.loads(shown.output)
    assert (recipe["model"], recipe["rate"]["base"], recipe["train"]["batch_size"]) == (
        "stdc2",
        0.5,
        48,
    )
    assert "give --data" in run("finetune", "--scratch").output


def test_several_processes_are_refused_where_one_has_to_do_it(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PADDLE_TRAINERS_NUM", "2")
    for command in ("cityscapes", "ablation"):
        result = run(command, "-o", tmp_path / "run")
        assert result.exit_code == 2
        assert "as 2 processes by a launcher; start it without" in result.output
    result = run("finetune", "--data", data, "-o", tmp_path / "run", "--scratch", *TINY)
    assert result.exit_code == 2
    assert "cannot join the 2 processes" in result.output
    assert "PADDLE_TRAINER_ID" in result.output
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("devices", ["0,0", "gpu", "0,,1"])
def test_devices_are_numbers(devices: str) -> None:
    result = run("cityscapes", "--devices", devices)
    assert result.exit_code == 2
    assert "expected different whole numbers" in result.output


def test_a_folder_with_a_training_is_not_begun_anew(data: Path, tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoints" / "000000007.safetensors"
    checkpoint.parent.mkdir()
    checkpoint.write_bytes(b"")
    result = run("finetune", "--data", data, "-o", tmp_path, "--scratch", *TINY)
    assert result.exit_code == 2
    assert "--resume" in result.output


def test_an_ablation_goes_on_and_mixes_with_no_other(data: Path, tmp_path: Path) -> None:
    import paddle

    from stdc_port.paddle_nets import build

    paddle.save(build("stdc1").state_dict(), str(tmp_path / "first.pdparams"))
    asked = ["ablation", "--data", data, "--init", tmp_path / "first.pdparams", *TINY]
    asked += ["--seeds", "4", "-o", tmp_path / "out", "--quiet"]
    results = []
    for _ in range(2):
        assert run(*asked).exit_code in {0, 1}  # two iterations show nothing
        results.append(json.loads((tmp_path / "out/ablation.json").read_text()))
    assert results[0] == results[1]
    arms = {(arm["seed"], arm["pretrained"]) for arm in results[0]["arms"]}
    assert arms == {(4, True), (4, False)}
    assert (tmp_path / "out/ablation.png").stat().st_size > 1000
    other = run(*asked, "--set", "rate.base=0.5")
    assert other.exit_code == 2
    assert "other inputs" in other.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["cityscapes", "--cityscapes", "nowhere"], "nowhere/leftImg8bit/train"),
        (["cityscapes", "--cityscapes", "nowhere"], "nowhere/gtFine/train"),
        (["cityscapes", "--weights", "none.pth"], "none.pth"),
        (["cityscapes", "--model", "stdc2"], "--weights"),
        (["evaluate", "--weights", "x", "--data", "nowhere"], "missing folder"),
        (["finetune", "--data", "x", "-o", "y"], "--scratch"),
        (["finetune", "--data", "x", "-o", "y", "--scratch", "--set", "train.batchsize=2"],
         "did you mean 'batch_size'"),
        (["scenes", "x", "--size", "12"], "width x height"),
        (["ablation", "--seeds", "1,1"], "--seeds"),
        (["predict", "nowhere", "--weights", "x", "-o", "y"], "nowhere"),
        (["predict", "x", "--weights", "x", "-o", "y", "--scales", "1,much"], "expected scales"),
        (["evaluate", "--weights", "x", "--data", "y", "--part", "half"], "--part"),
        (["combine", "/dev/zero"], "/dev/zero: is no regular file"),
        (["bench", "/dev"], "no folder that stdc-seg export wrote"),
        (["cityscapes", "-o", "/dev/null"], "no folder can be made (a file is in its way)"),
        (["ablation", "-o", "/dev/null/x"], "no folder can be made (a file is in its way)"),
        (["pretrain", "/dev/null"], "is no regular file"),
        (["scenes", "."], "name it from outside"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_exits_2(
    arguments: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 2
    assert told in result.output
    assert "Traceback" not in result.output
    assert list(tmp_path.iterdir()) == []


def test_scenes_refuse_a_folder_of_others(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    result = run("scenes", tmp_path, "--train", 1, "--val", 1, "--size", "64x32")
    assert result.exit_code == 2
    assert "no generated set" in result.output
