"""Weights from torch to PaddlePaddle and back, with every tensor accounted for.

Neither framework is imported, nor needed: numpy does the work.
"""

from converters.checkpoint import Checkpoint, LazyTensor
from converters.convert import convert_file, convert_state_dict
from converters.errors import ConverterError, InputError, RefusedError
from converters.execute import execute
from converters.formats import read_checkpoint
from converters.plan import ConversionPlan, Entry, detect, plan_conversion
from converters.report import ConversionReport

__all__ = [
    "Checkpoint",
    "ConversionPlan",
    "ConversionReport",
    "ConverterError",
    "Entry",
    "InputError",
    "LazyTensor",
    "RefusedError",
    "convert_file",
    "convert_state_dict",
    "detect",
    "execute",
    "plan_conversion",
    "read_checkpoint",
]
