"""What would make a training end otherwise than by an earlier recipe."""

from __future__ import annotations

import json
from typing import Any

from stdc_port.training.recipe.values import Recipe

# These change neither weights nor losses; a resumed training may have others.
_FREE = frozenset(
    {
        "data.threads",
        "data.decoded",
        "train.devices",
        "train.log_every",
        "train.checkpoint_every",
        "train.evaluate_every",
        "train.keep",
    }
)


def differences(earlier: dict[str, Any], recipe: Recipe) -> list[str]:
    """What would make a training end otherwise than by an earlier recipe, one line a key.

    Args:
        earlier: a recipe as plain values.
        recipe: another one.
    """
    then, now = _flat(earlier), _flat(json.loads(json.dumps(recipe.to_json())))
    return [
        f"{key}: was {then.get(key)!r}, now {now.get(key)!r}"
        for key in sorted(then.keys() | now.keys())
        if key not in _FREE and not key.startswith("evaluation.") and then.get(key) != now.get(key)
    ]


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        inner = _flat(value, f"{key}.") if isinstance(value, dict) else {key: value}
        flat |= {prefix + name: found for name, found in inner.items()}
    return flat
