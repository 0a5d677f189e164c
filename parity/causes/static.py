"""Layers whose weights do not fit: their settings are compared, and the shapes predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parity.causes.layers import different_settings
from parity.causes.settings import MEASURED
from parity.result import Diagnosis

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def examine(torch_module: Any, paddle_layer: Any, paths: Mapping[str, str]) -> list[Diagnosis]:
    """Explain a refused conversion.

    Args:
        torch_module: The reference.
        paddle_layer: The network in question.
        paths: Paddle's path by torch's.
    """
    ours = dict(torch_module.named_modules())
    theirs = dict(paddle_layer.named_sublayers(include_self=True))
    pairs = ((path, ours[path], theirs[paths[path]]) for path in ours if path in paths)
    return [told for path, a, b in pairs for told in _layer(path, a, b)]


def _layer(path: str, ours: Any, theirs: Any) -> Iterator[Diagnosis]:
    yield from _bias(path, ours, theirs)
    kind = type(theirs).__name__
    for difference in different_settings(ours, theirs):
        confirmed = _CONFIRMED.get(difference.cause, _never)
        told = confirmed(ours, theirs)
        if told:
            evidence = (
                f"{difference.setting.keyword} is {difference.found!r}, torch's "
                f"{difference.wanted!r}: {told}"
            )
            code = difference.code(kind)
            yield Diagnosis(difference.cause, path, evidence, code, difference.setting.source)


def _bias(path: str, ours: Any, theirs: Any) -> Iterator[Diagnosis]:
    if not hasattr(ours, "weight") or not hasattr(theirs, "bias"):
        return
    has = [getattr(one, "bias", None) is not None for one in (ours, theirs)]
    kind = type(theirs).__name__
    if has == [True, False]:
        evidence = f"torch's layer has a bias {list(ours.bias.shape)}, paddle's has none"
        yield Diagnosis("bias-missing", path, evidence, f"nn.{kind}(…)", MEASURED)
    if has == [False, True]:
        evidence = "torch's layer has no bias; bias_attr=None means one in paddle"
        yield Diagnosis("bias-created", path, evidence, f"nn.{kind}(…, bias_attr=False)", MEASURED)


def _groups(ours: Any, theirs: Any) -> str:
    """A kernel is [out, in / groups, …] in both: the shapes tell the groups."""
    axis = 0 if "Transpose" in type(theirs).__name__ else 1
    wanted, found = list(ours.weight.shape), list(theirs.weight.shape)
    other = 1 - axis
    same = wanted[axis] * ours.groups == found[axis] * theirs._groups  # noqa: SLF001
    same = same or wanted[other] * ours.groups == found[other] * theirs._groups  # noqa: SLF001
    return f"hence the kernel {found} for {wanted}" if same and wanted != found else ""


def _padding_row(ours: Any, theirs: Any) -> str:
    row = ours.weight[theirs._padding_idx].detach()  # noqa: SLF001 - where paddle keeps it
    largest = float(abs(row).max())
    return f"torch's row holds values up to {largest:.1e}" if largest else ""


def _never(_: Any, __: Any) -> str:
    return ""


_CONFIRMED = {"groups": _groups, "embedding-padding-row": _padding_row}
