"""Weights from torch to PaddlePaddle and back, with every tensor accounted for.

Neither framework is imported, nor needed: numpy does the work. Each name is loaded when it is first
asked for, so that a command starts with no more than it uses.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from converters.checkpoint import Checkpoint, LazyTensor
    from converters.convert import convert_file
    from converters.diff import Difference, diff_checkpoints
    from converters.errors import ConverterError, InputError, RefusedError
    from converters.execution import execute
    from converters.formats import read_checkpoint
    from converters.inspect import Inspection, inspect_checkpoint
    from converters.plan import ConversionPlan, Entry, detect, plan_conversion
    from converters.report import ConversionReport
    from converters.state_dict import convert_state_dict
    from converters.user_rules import UserRules, read_rules

__all__ = [
    "Checkpoint",
    "ConversionPlan",
    "ConversionReport",
    "ConverterError",
    "Difference",
    "Entry",
    "InputError",
    "Inspection",
    "LazyTensor",
    "RefusedError",
    "UserRules",
    "convert_file",
    "convert_state_dict",
    "detect",
    "diff_checkpoints",
    "execute",
    "inspect_checkpoint",
    "plan_conversion",
    "read_checkpoint",
    "read_rules",
]

_MODULE_OF = {
    "Checkpoint": "checkpoint",
    "ConversionPlan": "plan",
    "ConversionReport": "report",
    "ConverterError": "errors",
    "Difference": "diff",
    "Entry": "plan",
    "InputError": "errors",
    "Inspection": "inspect",
    "LazyTensor": "checkpoint",
    "RefusedError": "errors",
    "UserRules": "user_rules",
    "convert_file": "convert",
    "convert_state_dict": "state_dict",
    "detect": "plan",
    "diff_checkpoints": "diff",
    "execute": "execution",
    "inspect_checkpoint": "inspect",
    "plan_conversion": "plan",
    "read_checkpoint": "formats",
    "read_rules": "user_rules",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return [*globals(), *_MODULE_OF]
