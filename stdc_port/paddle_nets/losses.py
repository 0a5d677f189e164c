"""The losses of STDC-Seg (PaddlePaddle). Logits are (N, C, H, W), labels (N, H, W)."""

from __future__ import annotations

import math

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn
from paddle.nn.initializer import Assign

from stdc_port.spec import (
    EDGE_STRIDES,
    EDGE_THRESHOLD,
    FUSE_WEIGHTS,
    IGNORED_LABEL,
    OHEM_SHARE,
    OHEM_THRESHOLD,
    LossParts,
)


class OhemCrossEntropy(nn.Layer):
    """Cross-entropy over the hard pixels only.

    Those whose loss exceeds −log(threshold), and at least a fixed share of all: if too few do,
    the hardest ``pixels // share`` count. Ignored pixels stay in the list with loss 0, as in the
    authors' code.
    """

    def __init__(
        self,
        threshold: float = OHEM_THRESHOLD,
        share: int = OHEM_SHARE,
        ignore_index: int = IGNORED_LABEL,
    ) -> None:
        super().__init__()
        self.loss_threshold = -math.log(threshold)
        self.share = share
        self.ignore_index = ignore_index

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the scalar loss of logits (N, C, H, W) on integer labels (N, H, W)."""
        # Paddle looks for the classes on the last axis unless told otherwise.
        losses = F.cross_entropy(
            logits, labels, ignore_index=self.ignore_index, reduction="none", axis=1
        )
        losses = losses.flatten().sort(descending=True)
        # The authors index with n_min unchecked, which fails on a batch that is too small.
        n_min = min(max(losses.size // self.share, 1), losses.size - 1)
        if losses[n_min] > self.loss_threshold:
            return losses[losses > self.loss_threshold].mean()
        return losses[: max(n_min, 1)].mean()


class DetailLoss(nn.Layer):
    """Binary cross-entropy and dice between a detail map and the edges of the label map.

    ``fuse_kernel`` mixes the edges found at three strides. The thresholds behind it leave its
    gradient at zero, so weight decay alone moves it.
    """

    laplacian: Tensor

    def __init__(self) -> None:
        super().__init__()
        laplacian = paddle.full((1, 1, 3, 3), -1.0)
        laplacian[0, 0, 1, 1] = 8.0
        self.register_buffer("laplacian", laplacian, persistable=False)
        # Without an initialiser Paddle would draw the kernel at random.
        fuse_weights = Assign(np.reshape(FUSE_WEIGHTS, (1, 3, 1, 1)))
        self.fuse_kernel = self.create_parameter((1, 3, 1, 1), default_initializer=fuse_weights)

    def edges(self, labels: Tensor) -> Tensor:
        """Return the edge target (N, 1, H, W) of labels (N, H, W): zeros and ones.

        Ignored pixels count as label 255, as in the authors' code.
        """
        plane = labels.unsqueeze(1).astype(self.laplacian.dtype)
        scales = []
        for stride in EDGE_STRIDES:
            edge = F.conv2d(plane, self.laplacian, stride=stride, padding=1).clip(min=0)
            edge = F.interpolate(edge, size=labels.shape[1:], mode="nearest")
            scales.append((edge > EDGE_THRESHOLD).astype(plane.dtype))
        mixed = F.conv2d(paddle.concat(scales, axis=1), self.fuse_kernel)
        # The zero keeps the kernel in the graph: no gradient, but weight decay reaches it.
        return (mixed > EDGE_THRESHOLD).astype(plane.dtype) + 0.0 * mixed

    def forward(self, detail: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return binary cross-entropy and dice loss of detail logits (N, 1, h, w)."""
        target = self.edges(labels)
        if detail.shape[-1] != target.shape[-1]:
            size = target.shape[2:]
            detail = F.interpolate(detail, size=size, mode="bilinear", align_corners=True)
        bce = F.binary_cross_entropy_with_logits(detail, target)
        return bce, dice_loss(F.sigmoid(detail), target)


def dice_loss(probabilities: Tensor, target: Tensor) -> Tensor:
    """Return the mean over samples of 1 − (2·inter + 1)/(sum + sum + 1); both (N, 1, H, W)."""
    predicted, wanted = probabilities.flatten(1), target.flatten(1)
    inter = (predicted * wanted).sum(1)
    return (1 - (2 * inter + 1) / (predicted.sum(1) + wanted.sum(1) + 1)).mean()


class SegmentationLoss(nn.Layer):
    """The training loss: OHEM on three class maps, and the detail loss, all with weight 1."""

    def __init__(self) -> None:
        super().__init__()
        self.ohem = OhemCrossEntropy()
        self.detail = DetailLoss()

    def forward(self, outputs: tuple[Tensor, Tensor, Tensor, Tensor], labels: Tensor) -> LossParts:
        """Return the loss of a training network's four outputs on labels (N, H, W)."""
        *class_maps, detail = outputs
        ohem, ohem16, ohem32 = (self.ohem(logits, labels) for logits in class_maps)
        bce, dice = self.detail(detail, labels)
        return LossParts(ohem + ohem16 + ohem32 + bce + dice, ohem, ohem16, ohem32, bce, dice)
