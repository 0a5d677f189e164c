"""What the checks of losses and of training need beside the networks, from the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from parity.inputs import random_labels
from parity.job.networks import find
from parity.job.request import DEFAULT_SIZE, JobError
from parity.job.stdc_training import stdc_losses, stdc_training
from parity.losses import LossCase, Losses, segmentation_cases
from parity.running import record
from parity.training import Training

if TYPE_CHECKING:
    from collections.abc import Mapping

    from parity.job.prepare import Job
    from parity.job.request import Request

#: A training step at this size takes about a second.
TRAINING_SIZE = (64, 128)
TRAINING_BATCH = 4
CITYSCAPES, IMAGENET = 19, 1000


def extras(request: Request, job: Job, options: Mapping[str, Any]) -> dict[str, Any]:
    """Give the arguments of `check_parity` that the options about losses and training stand for.

    Raises:
        JobError: Something is missing, or cannot be found.
    """
    found: dict[str, Any] = {name: options[name] for name in ("steps", "cotangent")}
    if "loss" in options["checks"]:
        found["losses"] = _losses(request, job, options)
    if "train" in options["checks"] or options["cotangent"] == "loss":
        found["training"] = _training(request, job, options)
    return found


def _size(request: Request) -> tuple[int, int]:
    return TRAINING_SIZE if request.size == DEFAULT_SIZE else request.size


def _arch(job: Job) -> tuple[str, int]:
    assert job.identity is not None  # noqa: S101 - the callers looked
    usual = CITYSCAPES if job.identity.arch.endswith("-seg") else IMAGENET
    return job.identity.arch, job.identity.num_classes or usual


def _training(request: Request, job: Job, options: Mapping[str, Any]) -> Training:
    factory = options["training_factory"]
    if factory is None and job.identity is None:
        raise JobError(
            "--check train, --cotangent loss: name what your networks are trained with by "
            "--training"
        )
    if factory is None:
        arch, classes = _arch(job)
        return stdc_training(
            arch,
            classes=classes,
            size=_size(request),
            batch=TRAINING_BATCH,
            steps=options["steps"],
            seed=request.seed,
            overrides=options["overrides"],
        )
    made = find(factory, "--training")()
    if not isinstance(made, Training):
        raise JobError(f"--training {factory}: returned no parity.training.Training")
    return made


def _losses(request: Request, job: Job, options: Mapping[str, Any]) -> Losses:
    names = options["torch_loss"], options["paddle_loss"]
    if bool(names[0]) != bool(names[1]):
        raise JobError("--torch-loss and --paddle-loss go together")
    if not names[0] and job.identity is None:
        raise JobError("--check loss: name your losses by --torch-loss and --paddle-loss")
    if not names[0]:
        arch, classes = _arch(job)
        return stdc_losses(arch, classes=classes, size=_size(request), seed=request.seed)
    ours, theirs = (
        find(name, option)
        for name, option in zip(names, ("--torch-loss", "--paddle-loss"), strict=True)
    )
    return Losses(ours, theirs, _cases(job, request.seed))


def _cases(job: Job, seed: int) -> tuple[LossCase, ...]:
    """Make batches in the shapes of the torch network's own outputs."""
    root = record(job.torch_module, job.inputs).records[-1]
    shapes = [value.array.shape for value in root.outputs if value.array.dtype.kind == "f"]
    if not shapes or len(shapes[0]) not in {2, 4}:
        raise JobError("--check loss: expected outputs (N, C) or (N, C, H, W) of the network")
    if len(shapes[0]) == 4:
        return segmentation_cases(shapes, shapes[0][2:], shapes[0][1], seed)
    random = np.random.default_rng(seed)
    drawn = tuple(random.standard_normal(shape).astype(np.float32) for shape in shapes)
    labels = random_labels(shapes[0][:1], shapes[0][1], seed)
    return (LossCase("class labels", drawn, (labels,)),)
