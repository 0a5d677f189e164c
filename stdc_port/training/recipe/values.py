"""What settles a training, as typed, frozen values; what does not fit is refused."""

from __future__ import annotations

from dataclasses import asdict, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from stdc_port.training.augmentation import Augmentation, Normalisation
from stdc_port.training.decoded import PairReader
from stdc_port.training.schedule import Schedule, WarmupKind

_CLOSED = ConfigDict(extra="forbid")
Flag = Annotated[bool, Field(strict=True)]
Count = Annotated[int, Field(ge=1, strict=True)]
CountFromZero = Annotated[int, Field(ge=0, strict=True)]
Positive = Annotated[float, Field(gt=0, strict=True, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, strict=True, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, strict=True)]
Colours = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True, config=_CLOSED)
class DataRecipe:
    """Pictures on their way into the network; see `Augmentation` and `Normalisation`.

    Attributes:
        decoded: folder in which pictures are kept decoded, '' for none; see `PairReader`.
    """

    crop: tuple[Count, Count]
    scales: Annotated[tuple[Positive, ...], Field(min_length=1)]
    jitter: tuple[Share, Share, Share] = (0.5, 0.5, 0.5)
    flip: Share = 0.5
    mean: Colours = (0.485, 0.456, 0.406)
    std: tuple[Positive, Positive, Positive] = (0.229, 0.224, 0.225)
    threads: Count = 2
    decoded: str = ""

    def augmentation(self) -> Augmentation:
        """What happens to a training picture."""
        return Augmentation(self.crop, self.scales, self.jitter, self.flip)

    def reader(self) -> PairReader:
        """How pictures are read."""
        return PairReader(Path(self.decoded) if self.decoded else None)

    def normalisation(self) -> Normalisation:
        """How colours become inputs."""
        return Normalisation(self.mean, self.std)


@dataclass(frozen=True, kw_only=True, config=_CLOSED)
class TrainRecipe:
    """Length, batch and bookkeeping of a training.

    Attributes:
        iterations: steps of the optimizer.
        batch_size: pictures a step, over all processes.
        seed: of first weights, order and augmentation.
        accumulate: into how many equal parts a batch is cut to save memory; BN and OHEM see one
            part at a time.
        average: share that the running average of the weights keeps at each step, 0 for no
            average; where there is one, it is what is evaluated and written at the end.
        amp: arithmetic of the forward pass, on a GPU alone.
        log_every: iterations between two points of the curves; the JSON log has every one.
        checkpoint_every: iterations between two checkpoints.
        evaluate_every: iterations between two evaluations; 0 evaluates at the end alone.
        keep: the newest checkpoints that are kept, beside the best.
        unbiased_variance: BN keeps torch's running variance.
        devices: how many the recipe was made for, one process each; they divide every batch. More
            or fewer train too, and are told what differs.
        sync_batch_norm: which BN normalises by the pictures of all processes: those outside the
            backbone, as the authors have it, all, or none; on GPUs alone.
    """

    iterations: Count
    batch_size: Annotated[int, Field(ge=2, strict=True)]
    seed: CountFromZero = 0
    accumulate: Count = 1
    average: Annotated[float, Field(ge=0, lt=1, strict=True)] = 0.0
    amp: Literal["off", "bf16", "fp16"] = "off"
    log_every: Count = 10
    checkpoint_every: Count = 500
    evaluate_every: CountFromZero = 0
    keep: Count = 2
    unbiased_variance: Flag = True
    devices: Count = 1
    sync_batch_norm: Literal["no", "heads", "all"] = "heads"

    def __post_init__(self) -> None:
        """Refuse parts of a batch that are unequal, or on which BN cannot be computed.

        On a single value a channel Paddle's BN returns its input and leaves its statistics,
        without a word; the attentions have one value a picture.
        """
        part, rest = divmod(self.batch_size, self.accumulate)
        if rest or part < 2:
            raise ValueError(
                f"batch_size {self.batch_size} must fall into accumulate {self.accumulate} equal "
                "parts of at least 2 pictures"
            )


@dataclass(frozen=True, kw_only=True, config=_CLOSED)
class RateRecipe:
    """The learning rate; see `Schedule`."""

    base: Positive = 0.01
    warmup: WarmupKind = "exponential"
    warmup_iterations: CountFromZero = 1000
    warmup_start: Positive = 1e-5
    power: Positive = 0.9
    end: NotNegative = 0.0


@dataclass(frozen=True, kw_only=True, config=_CLOSED)
class OptimizerRecipe:
    """SGD with momentum, and which parameters it moves; see `stdc_port.training.groups`.

    Attributes:
        momentum: of SGD.
        weight_decay: of convolutions; scales, shifts and biases have none.
        head_factor: multiplies the rate of the fusion and of all heads.
        train_backbone_norms: the authors' grouping misses the backbone's BN scales and shifts and
            never trains them: false is their published run.
        decay_fuse_kernel: the kernel of the detail target has no gradient, and yet decays in the
            authors' code: true is their published run.
        clip_norm: bound on the norm over all gradients, as torch's `clip_grad_norm_`; 0 for none.
        freeze: what stays as it was loaded: nothing, every BN with its statistics, or the whole
            backbone, its BN statistics too.
    """

    momentum: Share = 0.9
    weight_decay: NotNegative = 5e-4
    head_factor: Positive = 10.0
    train_backbone_norms: Flag = False
    decay_fuse_kernel: Flag = True
    clip_norm: NotNegative = 0.0
    freeze: Literal["none", "norms", "backbone"] = "none"


@dataclass(frozen=True, kw_only=True, config=_CLOSED)
class EvaluationRecipe:
    """Scale of the picture that the network sees; its logits are enlarged to full size."""

    scale: Positive = 0.5


@dataclass(frozen=True, kw_only=True, config=_CLOSED)
class Recipe:
    """All that settles a training, but for the data and the first weights.

    `variant` is whose implementation of the network is trained; the others are for going on from
    their own weights.
    """

    name: str
    model: Literal["stdc1", "stdc2"]
    data: DataRecipe
    train: TrainRecipe
    rate: RateRecipe = field(default_factory=RateRecipe)
    optimizer: OptimizerRecipe = field(default_factory=OptimizerRecipe)
    evaluation: EvaluationRecipe = field(default_factory=EvaluationRecipe)
    variant: Literal["authors", "paddleseg", "mmseg", "mmseg-relu"] = "authors"

    def __post_init__(self) -> None:
        """Refuse combinations that cannot be trained (a `ValueError` says which)."""
        self.schedule()

    def schedule(self) -> Schedule:
        """The learning rate by iteration."""
        return Schedule(iterations=self.train.iterations, **asdict(self.rate))

    def to_json(self) -> dict[str, Any]:
        """Plain values, as the TOML files have them."""
        plain: dict[str, Any] = asdict(self)
        return plain
