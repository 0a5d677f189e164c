"""STDC in PyTorch. ``paddle_nets`` has the same files: a diff of the two is the port.

Shapes are (N, C, H, W): batch, channels, height, width.
"""

from __future__ import annotations

from stdc_port.spec import resolve
from stdc_port.torch_nets.backbone import STDCNet
from stdc_port.torch_nets.segmentation import STDCSeg

__all__ = ["STDCNet", "STDCSeg", "build"]


def build(
    arch: str,
    *,
    variant: str = "authors",
    num_classes: int | None = None,
    block: str = "cat",
) -> STDCNet | STDCSeg:
    """Build a randomly initialised STDC network in training mode.

    Args:
        arch: ``stdc1``, ``stdc2`` (classifiers), ``stdc1-seg`` or ``stdc2-seg``.
        variant: whose implementation to follow, see :data:`stdc_port.spec.VARIANTS`.
        num_classes: outputs; 1000 for a classifier and 19 for a segmentation network if None.
        block: ``cat`` (the published networks) or ``add``.

    Raises:
        ValueError: a name is unknown; the valid ones are listed.
    """
    spec = resolve(arch, variant=variant, num_classes=num_classes, block=block)
    return STDCSeg(spec) if spec.segmentation else STDCNet(spec)
