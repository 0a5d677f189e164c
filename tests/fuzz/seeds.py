"""Whole files of every format, small, from which the broken ones are made."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from converters.dtypes import BY_NAME
from converters.formats import pdparams, safetensors_file, torch_legacy, torch_zip
from converters.formats.content import Content, content_of

Seeds = dict[str, bytes]
SHARD = "shard.safetensors"


def contents(*, aliases: bool = True) -> Content:
    """A network of a convolution, a batch norm and a Linear, with an alias."""
    random = np.random.default_rng(1)
    shapes = {
        "conv.weight": (2, 3, 3, 3),
        "bn.weight": (2,),
        "bn.bias": (2,),
        "bn.running_mean": (2,),
        "bn.running_var": (2,),
        "fc.weight": (4, 2),
        "fc.bias": (4,),
        "scale": (),
        "none": (0, 2),
    }
    rows = [
        (key, BY_NAME["float32"], random.random(shape, np.float32)) for key, shape in shapes.items()
    ]
    rows.append(("bn.num_batches_tracked", BY_NAME["int64"], np.array(7)))
    return content_of(rows, {"second": "conv.weight"} if aliases else {})


def seeds(folder: Path, *, aliases: bool = True) -> Seeds:
    """Return the bytes of one whole file a format, with a second name of a tensor if wanted."""
    made = {}
    writers: dict[str, Callable[..., None]] = {
        "zip": torch_zip.write,
        "legacy": torch_legacy.write,
        "safetensors": safetensors_file.write,
        "pdparams": pdparams.write,
    }
    for name, write in writers.items():
        path = folder / name
        with path.open("wb") as file:
            write(file, contents(aliases=aliases))
        made[name] = path.read_bytes()
    (folder / SHARD).write_bytes(made["safetensors"])
    index = {
        "metadata": {"total_size": 1},
        "weight_map": {head.key: SHARD for head in contents().heads},
    }
    made["index"] = json.dumps(index).encode()
    return made | {"tar": old_tar()}


def old_tar() -> bytes:
    """Return a tar as torch wrote it before 0.1.10; torch makes its tensors."""
    sys.path.append(str(Path(__file__).parents[1] / "converters"))
    import torch
    from old_tars import tar_of

    torch.manual_seed(2)
    return tar_of({"conv.weight": torch.rand(2, 3, 3, 3), "fc.bias": torch.rand(4)})
