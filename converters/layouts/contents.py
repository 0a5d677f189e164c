"""What a file of STDC may lack as a whole: a classifier, or all behind its context path."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace

from converters.layouts import Layer, Layout
from converters.layouts.naming import Naming

HEADS = "conv_out"


@dataclass(frozen=True)
class Part:
    """Layers that a file holds all or none of.

    Attributes:
        pattern: fits their paths.
        content: what a file without them is called, '' if no output depends on them.
        behind: the part without which this one may not be missing either.
    """

    pattern: str
    content: str = ""
    behind: str = ""

    def fits(self, layer: Layer) -> bool:
        """Return whether a layer belongs to it."""
        return re.fullmatch(self.pattern, layer.path) is not None


_CLASSIFIER = r"(fc|bn|linear)"
_SEGMENTATION = (
    Part(r"cp\.backbone\.(fc|bn|linear)"),
    Part(r"cp\.backbone\.conv_last\..+"),
    Part(r"conv_out.*", "context path"),
    Part(r"ffm\..+", "context path", behind=r"conv_out.*"),
)
_BACKBONE = (
    Part(_CLASSIFIER, "backbone"),
    Part(r"conv_last\..+", "backbone", behind=_CLASSIFIER),
)


def with_gaps(layout: Layout, names: Collection[str], framework: str, naming: Naming) -> Layout:
    """Return a layout in which the parts that a file lacks as a whole need not be there.

    Args:
        layout: of the whole network.
        names: the file's keys in this project's names.
        framework: whose they are.
        naming: which implementation's they were.
    """
    parts = _SEGMENTATION if layout.arch.endswith("-seg") else _BACKBONE
    held = [layer for layer in layout.layers if is_held(layer, names, framework)]
    missing = {part.pattern: part for part in parts if not any(map(part.fits, held))}
    gaps = [part for part in missing.values() if not part.behind or part.behind in missing]
    content = next((part.content for part in gaps if part.content), "")
    spare = f"the source holds the {content} alone; not written" if content else ""
    layers = []
    for layer in layout.layers:
        if any(part.fits(layer) for part in gaps):
            why = naming.why_absent(layer.path) or "not in the source"
            why = spare or f"{why}; no output depends on it, set to zero"
            layers.append(replace(layer, spare=why, filled=not spare))
        else:
            layers.append(layer)
    return replace(layout, layers=tuple(layers), content=content)


def is_held(layer: Layer, names: Collection[str], framework: str) -> bool:
    """Return whether a file holds any tensor of a layer."""
    return any(name in names for row in layer.rows for name in layer.keys(row, framework))
