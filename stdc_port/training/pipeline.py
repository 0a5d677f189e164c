"""From a torch checkpoint to a fine-tuned Paddle model: convert, prove, train, evaluate.

Every step leaves its result in the run's folder and is not repeated when that is there and still
belongs to the same inputs.
"""

from __future__ import annotations

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from rich.console import Console

from converters import InputError, RefusedError, convert_file, read_checkpoint
from converters.command_line import progress_bar, write_json
from converters.files import made_folder, write_text
from stdc_port.training.checkpoints import Checkpoints
from stdc_port.training.cityscapes import SPLITS, find_pairs
from stdc_port.training.jobs import EVALUATION, Resume, finetune
from stdc_port.training.launch import finetune_on, has_gpus
from stdc_port.training.metrics import Evaluation
from stdc_port.training.outcome import Files, Outcome
from stdc_port.training.parallel import require_alone
from stdc_port.training.preflight import recipe_remarks
from stdc_port.training.recipe import Recipe, differences
from stdc_port.training.scenes import SceneSet, write_scenes

DEMO_SCENES = SceneSet(train=80, val=24, width=256, height=128, seed=0)
PRETRAINED, CONVERTED, PARITY = "stdc1_generated.pth", "converted.pdparams", "parity.json"


def run_pipeline(
    recipe: Recipe,
    output: Path,
    *,
    data: Path | None,
    weights: Path | None,
    devices: tuple[str, ...] = (),
    quiet: bool = False,
) -> Outcome:
    """Run every step, those that are done already excepted.

    Args:
        recipe: of the fine-tuning.
        output: folder of the run.
        data: a Cityscapes folder; None generates one.
        weights: a torch checkpoint; None trains a small one.
        devices: numbers of the GPUs that train together; none for one process.
        quiet: print errors alone.

    Raises:
        InputError: data or checkpoint cannot be used.
        RefusedError: a tensor is unaccounted for, or parity does not hold.
    """
    require_alone("stdc-seg cityscapes (its --devices are for several)")
    console = Console(stderr=True, quiet=quiet)
    if devices:
        console.print(_introduced(devices))
        recipe_remarks(recipe, len(devices))  # refuses what they cannot divide among them
    _require_readable(data, weights)
    made_folder(output)
    generated = data is None or weights is None
    files = _made(output, data, weights, console, quiet=quiet)
    result = _finetuned(devices, recipe, files, output / "finetune", console, quiet=quiet)
    outcome = Outcome.of(result, recipe, files, output / "finetune", generated=generated)
    write_json(output / EVALUATION, {**outcome.to_json(), "evaluation": result.to_json()})
    return outcome


def _require_readable(data: Path | None, weights: Path | None) -> None:
    """Say what is missing before anything long begins."""
    if data is not None:
        for split in SPLITS:
            find_pairs(data, split)
    if weights is not None:
        read_checkpoint(weights)


def _finetuned(
    devices: tuple[str, ...],
    recipe: Recipe,
    files: Files,
    folder: Path,
    console: Console,
    *,
    quiet: bool,
) -> Evaluation:
    """Train from the converted file, or go on where this very training was stopped."""
    data, _, converted = files
    console.print("[bold]5. fine-tuning[/] in Paddle")
    how: Resume = "no"
    if _begun_before(folder, recipe, data, converted):
        console.print("  this very training was begun before and goes on from its checkpoint")
        how = "must"
    if devices:
        return finetune_on(devices, recipe, data, folder, converted, resume=how, quiet=quiet)
    result = finetune(recipe, data, folder, converted, resume=how, quiet=quiet)
    if not quiet:
        Console().print(result)
    return result


def _introduced(devices: tuple[str, ...]) -> str:
    """Say where the training will be computed."""
    if has_gpus():
        return f"training on {len(devices)} GPUs, one process each: {', '.join(devices)}"
    return (
        "note: this build of Paddle computes on the CPU and has no devices to choose from; "
        f"{len(devices)} processes train together over gloo, slower than one would"
    )


def prepare(
    output: Path, *, data: Path | None, converted: Path | None, quiet: bool
) -> tuple[Path, Path]:
    """Data and converted weights for a training: what is given, else made as the pipeline does.

    Returns:
        The Cityscapes folder and the converted file. What is made has been proven by parity.
    """
    require_alone("this command")
    made_folder(output)
    console = Console(stderr=True, quiet=quiet)
    if converted is not None:
        return data or _scenes(output, console, quiet=quiet), converted
    made, _, proven = _made(output, data, None, console, quiet=quiet)
    return made, proven


def require_same_inputs(folder: Path, recipe: Recipe, data: Path, weights: Path) -> None:
    """Note what the trainings of a folder are made of; refuse a folder of others.

    Raises:
        InputError: it holds trainings by another recipe, or on other data or weights.
    """
    note = folder / "inputs.json"
    inputs = {
        "recipe": recipe.to_json(),
        "data": str(data.resolve()),
        "weights": _digest(weights),
    }
    text = json.dumps(inputs, sort_keys=True)
    if note.is_file() and note.read_text(encoding="utf-8") != text:
        raise InputError(
            f"{folder}: holds trainings of other inputs, see {note}; name another folder with -o"
        )
    made_folder(folder)
    write_text(note, text)


def _made(
    output: Path, data: Path | None, weights: Path | None, console: Console, *, quiet: bool
) -> Files:
    """Data, torch checkpoint and the converted file, whose parity holds."""
    if data is None:
        data = _scenes(output, console, quiet=quiet)
    if weights is None:
        console.print(
            "[bold]2. torch checkpoint[/]: none given; a small STDC1 is trained in torch on "
            "patches of generated scenes (no ImageNet)"
        )
        weights = _pretrained(output / PRETRAINED, quiet=quiet)
    console.print("[bold]3. conversion[/]: torch → Paddle, every tensor accounted for")
    converted = _converted(weights, output / CONVERTED, console)
    console.print("[bold]4. parity[/]: both networks, layer by layer")
    _prove(weights, converted, output / PARITY, console, quiet=quiet)
    return data, weights, converted


def _scenes(output: Path, console: Console, *, quiet: bool) -> Path:
    console.print("[bold]1. data[/]: no Cityscapes folder given; street scenes are generated")
    return generate(output / "scenes", DEMO_SCENES, quiet=quiet)


def generate(folder: Path, scenes: SceneSet, *, quiet: bool) -> Path:
    """Write a generated set, unless this very one is there.

    Raises:
        InputError: something else lies there.
    """
    try:
        with progress_bar("drawing scenes", scenes.train + scenes.val, quiet=quiet) as advance:
            write_scenes(folder, scenes, advance=lambda: advance(""))
    except FileExistsError as error:
        raise InputError(str(error)) from error
    return folder


def _pretrained(path: Path, *, quiet: bool) -> Path:
    """Train the demo's classifier in a process of its own: it needs torch, this one Paddle."""
    if not path.exists():
        command = ["-m", "stdc_port.cli", "pretrain", str(path), *(["--quiet"] if quiet else [])]
        if subprocess.run([sys.executable, *command], check=False).returncode:  # noqa: S603
            raise InputError(f"{path}: the checkpoint could not be trained; see above")
    return path


def _converted(source: Path, target: Path, console: Console) -> Path:
    report = convert_file(source, target, force=True)
    counts = ", ".join(f"{n} {action}" for action, n in sorted(report.counts.items()) if n)
    console.print(f"{target}: {report.arch}, {counts}")
    for entry in report.entries:
        if entry.action == "drop" and not str(entry.source).endswith("num_batches_tracked"):
            console.print(f"  dropped {entry.source}: {entry.reason}")
    return target


def _prove(source: Path, converted: Path, verdict: Path, console: Console, *, quiet: bool) -> None:
    """The gate: no training starts from weights that were not shown to be the same network."""
    key = {"source": _digest(source), "converted": _digest(converted)}
    proof = verdict.with_suffix(".proof")
    if proof.is_file() and proof.read_text(encoding="utf-8") == json.dumps(key):
        console.print("  shown before for these very files")
        return
    proof.unlink(missing_ok=True)
    command = [
        sys.executable,
        "-m",
        "parity",
        str(source),
        "--converted",
        str(converted),
        "--size",
        "128x256",
        "--json",
        str(verdict),
        *(["--quiet"] if quiet else []),
    ]
    code = subprocess.run(command, check=False).returncode  # noqa: S603
    if code == 1:
        raise RefusedError("parity does not hold, nothing was trained", [f"see {verdict}"])
    if code:
        raise InputError(f"parity could not be checked (exit code {code}); see above")
    write_text(proof, json.dumps(key))


def _begun_before(folder: Path, recipe: Recipe, data: Path, converted: Path) -> bool:
    """Whether the folder holds a checkpoint of this recipe, data and weights; notes them if not."""
    note, checkpoints = folder / "inputs.json", Checkpoints(folder)
    inputs = {"data": str(data.resolve()), "weights": _digest(converted)}
    text = json.dumps(inputs, sort_keys=True)
    same = note.is_file() and note.read_text(encoding="utf-8") == text
    state = checkpoints.newest().state if same else None
    if state is not None and not differences(state.recipe, recipe):
        return True
    made_folder(folder)
    checkpoints.clear()
    write_text(note, text)
    return False


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()
