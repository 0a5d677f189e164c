"""What learns: a network with its loss, its optimizer and its first weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paddle

from stdc_port.paddle_nets import build
from stdc_port.paddle_nets.losses import SegmentationLoss
from stdc_port.training.groups import Group
from stdc_port.training.initialise import Initialisation, initialise
from stdc_port.training.norms import synchronise
from stdc_port.training.optimizer import build_optimizer
from stdc_port.training.parallel import ALONE, Processes
from stdc_port.training.recipe import Recipe
from stdc_port.training.state import Arrays, network_arrays
from stdc_port.training.step import Stepper
from stdc_port.training.variance import use_unbiased_variance


class Learner:
    """A segmentation network and all that changes it.

    Attributes:
        network: the Paddle network.
        loss: with its own parameter.
        groups: which parameter is trained how.
        trained: the trained parameters by path.
        optimizer: SGD with momentum.
        initialisation: where the first weights came from.
        step: trains the network by one batch.
        remark: what could not be done as the recipe says, '' if all could.
    """

    def __init__(self, recipe: Recipe, weights: Path | None, processes: Processes = ALONE) -> None:
        """Build the network and its optimizer.

        Args:
            recipe: what settles the run.
            weights: file with the first weights, None for random ones.
            processes: that train it together.

        Raises:
            InputError: the weights cannot be read.
            RefusedError: they do not fit.
        """
        paddle.seed(recipe.train.seed)
        self.network: Any = build(f"{recipe.model}-seg", variant=recipe.variant)
        self.loss: Any = SegmentationLoss()
        self.initialisation: Initialisation = initialise(
            self.network,
            weights,
            variant=recipe.variant,
            normalisation=recipe.data.normalisation(),
        )
        self.remark = synchronise(self.network, recipe.train.sync_batch_norm, processes)
        if recipe.train.unbiased_variance:
            use_unbiased_variance(self.network, processes.count)
        grouped = build_optimizer(self.network, self.loss, recipe)
        self.groups: tuple[Group, ...] = grouped.groups
        self.trained: dict[str, Any] = grouped.trained
        self.optimizer: Any = grouped.optimizer
        self.step = Stepper(
            self.network, self.loss, grouped.optimizer, grouped.trained, recipe, processes
        )

    @contextmanager
    def averaged(self) -> Iterator[Any]:
        """Yield the network with its averaged weights, in evaluation mode; its own where none."""
        tensors = self.network.state_dict()
        own = {path: tensors[path].clone() for path in self.step.average}
        for path, kept in self.step.average.items():
            tensors[path].set_value(kept)
        self.network.eval()
        try:
            yield self.network
        finally:
            for path, kept in own.items():
                tensors[path].set_value(kept)
            self.step.training_mode()

    def final_arrays(self) -> Arrays:
        """The weights that the training is for: the averaged ones, or else the network's own."""
        average = {path: kept.numpy() for path, kept in self.step.average.items()}
        return average or network_arrays(self.network)
