"""What the whole path from a torch checkpoint to a fine-tuned Paddle model left behind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from rich.table import Table

from converters.shown import Shown
from stdc_port.training.metrics import Evaluation
from stdc_port.training.recipe import Recipe

#: The Cityscapes folder, the torch checkpoint, and its Paddle file.
Files: TypeAlias = tuple[Path, Path, Path]


@dataclass(frozen=True)
class Outcome(Shown):
    """What the pipeline left behind.

    Attributes:
        data: the Cityscapes folder.
        source: the torch checkpoint.
        converted: its Paddle file.
        weights: the fine-tuned network.
        miou: on the validation split, a share of 1.
        images: in that split.
        absent: classes that the split does not hold.
        generated: whether data or checkpoint were made here.
        model: which network.
        scale: at which it was evaluated.
    """

    data: Path
    source: Path
    converted: Path
    weights: Path
    miou: float
    images: int
    absent: tuple[str, ...]
    generated: bool
    model: str
    scale: float

    @classmethod
    def of(
        cls, result: Evaluation, recipe: Recipe, files: Files, folder: Path, *, generated: bool
    ) -> Outcome:
        """Sum up a training in a folder by its last evaluation."""
        return cls(
            *files,
            folder / "model.pdparams",
            result.miou,
            result.images,
            result.absent,
            generated,
            recipe.model,
            recipe.evaluation.scale,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {key: str(v) if isinstance(v, Path) else v for key, v in vars(self).items()}

    def __rich__(self) -> Table:
        """The summary."""
        table = Table(title="Result", title_justify="left", show_header=False)
        table.add_row("mIoU", f"{100 * self.miou:.2f} % on {self.images} images")
        if self.absent:
            table.add_row("absent classes", ", ".join(self.absent))
        table.add_row("data", str(self.data))
        table.add_row("torch checkpoint", str(self.source))
        table.add_row("converted", str(self.converted))
        table.add_row("fine-tuned weights", str(self.weights))
        predicted = self.weights.parent / "predicted"
        table.add_row(
            "next",
            f"stdc-seg predict {self.data / 'leftImg8bit' / 'val'} --weights {self.weights} "
            f"-o {predicted}",
        )
        return table
