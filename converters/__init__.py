"""Weights from torch to PaddlePaddle and back, with every tensor accounted for.

Neither framework is imported, nor needed: numpy does the work.
"""

from converters.checkpoint import Checkpoint, LazyTensor
from converters.convert import convert_file, convert_state_dict
from converters.diff import Difference, diff_checkpoints
from converters.errors import ConverterError, InputError, RefusedError
from converters.execute import execute
from converters.formats import read_checkpoint
from converters.inspect import Inspection, inspect_checkpoint
from converters.plan import ConversionPlan, Entry, detect, plan_conversion
from converters.report import ConversionReport

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
    "convert_file",
    "convert_state_dict",
    "detect",
    "diff_checkpoints",
    "execute",
    "inspect_checkpoint",
    "plan_conversion",
    "read_checkpoint",
]
