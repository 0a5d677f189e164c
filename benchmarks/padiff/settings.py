"""How PaDiff is asked."""

from __future__ import annotations

from typing import Any

STRICT = "strict 1e-5"
#: Options of `auto_diff`, by what the tables call them.
SETTINGS: dict[str, dict[str, Any]] = {
    "defaults": {},
    STRICT: {"compare_mode": "strict", "atol": 1e-5, "rtol": 1e-5},
}
STEPS = 5
