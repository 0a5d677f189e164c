"""The rules for the tensors of one layer that is not at hand."""

from __future__ import annotations

from converters.layouts.evidence import Shapes
from converters.rules import BY_KIND, PARAMETER, TensorRule, parameters, reparametrised

PRUNED = "_mask"


def unexplained(path: str, kind: str, name: str, extra: list[str]) -> str:
    """Return why a tensor that a kind of layer does not have is an assumption."""
    if any(one.endswith(PRUNED) for one in extra):
        mend = "it is pruned; make that permanent first (torch.nn.utils.prune.remove)"
        return f"{path!r} is of kind {kind}, and {name!r} is copied as it is; {mend}"
    return f"{path!r} is of kind {kind}, and {name!r}, which that has not, is copied"


def rows_of(kind: str, own: Shapes, framework: str) -> tuple[tuple[TensorRule, ...], list[str]]:
    """Return the rows of a layer, and the names that its kind does not know; they are copied."""
    if kind == PARAMETER.kind:
        return parameters(list(own)), []
    rule = BY_KIND[kind]
    rows = [
        row
        for general in rule.rows_for(own, framework)
        for row in reparametrised(general, own, framework)
    ]
    twins = set(rule.twins(list(own))) if rule.twins and framework == "paddle" else set()
    # Running statistics stand under torch's names already.
    known = {name for row in rows for name in (row.torch, *row.also, *row.names(framework))}
    extra = [name for name in own if name not in known | twins]
    return (*rows, *parameters(extra)), extra
