"""Training of the STDC networks: what `stdc-seg finetune` does, and its mirror in torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from parity.inputs import random_input, random_labels
from parity.job.request import JobError
from parity.losses import LossCase, Losses, segmentation_cases
from parity.training import Training

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stdc_port.training.recipe import Recipe

#: Batches that are used in turn.
BATCHES = 3
#: Of a classifier, for which no training is published: any will do.
CLASSIFIER_RATE, CLASSIFIER_DECAY, MOMENTUM = 0.01, 1e-4, 0.9


def stdc_training(
    arch: str,
    *,
    classes: int,
    size: tuple[int, int],
    batch: int,
    steps: int,
    seed: int = 0,
    overrides: Sequence[str] = (),
) -> Training:
    """Give the training of an STDC network on seeded batches.

    Args:
        arch: Which network.
        classes: Its outputs.
        size: Height and width of the images.
        batch: Images a batch, at least 2: the attentions' norms see one value an image.
        steps: The length of the whole training: warm-up and decay lie within it.
        seed: Of images and labels.
        overrides: Changes of the recipe, as in `train.unbiased_variance=false`.

    Raises:
        JobError: The recipe cannot be had.
    """
    if not arch.endswith("-seg"):
        return _classifier(classes, size, batch, seed)
    recipe = _recipe(arch, steps, batch, overrides)
    return segmentation_training(recipe, _batches((batch, 3, *size), classes, seed, pixels=True))


def segmentation_training(recipe: Recipe, batches: Sequence[tuple[Any, ...]]) -> Training:
    """Give the training of a recipe: Paddle's is what `stdc-seg finetune` runs.

    Args:
        recipe: Settles optimizer, groups, rate and running variance.
        batches: Images (N, 3, H, W) and labels (N, H, W).
    """
    from parity.job.stdc_recipe import set_rate, torch_optimizer
    from stdc_port.paddle_nets import losses as paddle_losses
    from stdc_port.torch_nets import losses as torch_losses
    from stdc_port.training.optimizer import build_optimizer
    from stdc_port.training.variance import use_unbiased_variance

    schedule = recipe.schedule()
    return Training(
        torch_loss=torch_losses.SegmentationLoss(),
        paddle_loss=paddle_losses.SegmentationLoss(),
        torch_optimizer=lambda network, loss: torch_optimizer(network, loss, recipe),
        paddle_optimizer=lambda network, loss: build_optimizer(network, loss, recipe).optimizer,
        torch_schedule=lambda optimizer, step: set_rate(optimizer, step, recipe),
        paddle_schedule=lambda optimizer, step: optimizer.set_lr(schedule.rate(step)),
        paddle_prepare=use_unbiased_variance if recipe.train.unbiased_variance else None,
        batches=batches,
    )


def stdc_losses(arch: str, *, classes: int, size: tuple[int, int], seed: int = 0) -> Losses:
    """Give both losses of an STDC network, and batches on which they are compared.

    Args:
        arch: Which network.
        classes: Its outputs.
        size: Height and width of the label maps.
        seed: Of outputs and labels.
    """
    if not arch.endswith("-seg"):
        import paddle
        import torch

        random = np.random.default_rng([seed, classes])
        outputs = (random.standard_normal((8, classes)).astype(np.float32),)
        case = LossCase("class labels", outputs, (random_labels((8,), classes, seed),))
        return Losses(torch.nn.CrossEntropyLoss(), paddle.nn.CrossEntropyLoss(), (case,))
    from stdc_port.paddle_nets import losses as paddle_losses
    from stdc_port.torch_nets import losses as torch_losses

    detail = (2, 1, -(-size[0] // 8), -(-size[1] // 8))
    cases = segmentation_cases([*[(2, classes, *size)] * 3, detail], size, classes, seed)
    return Losses(torch_losses.SegmentationLoss(), paddle_losses.SegmentationLoss(), cases)


def _recipe(arch: str, steps: int, batch: int, overrides: Sequence[str]) -> Recipe:
    from converters.errors import InputError

    try:
        from stdc_port.training.recipe import load_recipe
    except ImportError as error:
        raise JobError(
            f"--check train: {error}; install this package with its extra 'train'"
        ) from error
    shortened = [
        f"train.iterations={steps}",
        f"train.batch_size={batch}",
        f"rate.warmup_iterations={min(steps // 3, steps - 1)}",
    ]
    try:
        return load_recipe(f"{arch.removesuffix('-seg')}_seg50", [*shortened, *overrides])
    except InputError as error:
        raise JobError(str(error)) from error


def _batches(
    shape: tuple[int, int, int, int], classes: int, seed: int, *, pixels: bool
) -> list[tuple[np.ndarray, np.ndarray]]:
    labels = (shape[0], *shape[2:]) if pixels else (shape[0],)
    return [
        (random_input(shape, seed + number), random_labels(labels, classes, seed + number))
        for number in range(BATCHES)
    ]


def _classifier(classes: int, size: tuple[int, int], batch: int, seed: int) -> Training:
    import paddle
    import torch

    return Training(
        torch_loss=torch.nn.CrossEntropyLoss(),
        paddle_loss=paddle.nn.CrossEntropyLoss(),
        torch_optimizer=lambda network, _: torch.optim.SGD(
            network.parameters(), CLASSIFIER_RATE, MOMENTUM, weight_decay=CLASSIFIER_DECAY
        ),
        paddle_optimizer=lambda network, _: paddle.optimizer.Momentum(
            CLASSIFIER_RATE,
            MOMENTUM,
            parameters=network.parameters(),
            weight_decay=CLASSIFIER_DECAY,
        ),
        batches=_batches((batch, 3, *size), classes, seed, pixels=False),
    )
