"""The objects that torch pickles, as stand-ins for :mod:`converters.formats.pickle_machine`.

Facts from torch's serialization notes and ``torch._utils``: a tensor is a view (offset, size,
stride, in elements) of a storage, and a storage is named by a persistent id.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from operator import index
from typing import Any

import numpy as np

from converters.checkpoint import LazyTensor
from converters.dtypes import BY_NAME, BY_STORAGE, DType
from converters.errors import InputError, brief
from converters.formats.beside import BESIDE_GLOBALS
from converters.formats.numpy_objects import NUMPY_GLOBALS
from converters.formats.pickle_values import Known, ordered_dict
from converters.mapped import before_reading, file_behind

UNTYPED = DType("untyped", "u1")


@dataclass(slots=True)
class Storage:
    """A block of elements that tensors are views of.

    Attributes:
        key: its name in the file.
        type: element type; :data:`UNTYPED` where the tensors tell it.
        count: elements it holds.
        data: its bytes; None until the reader has located them.
        checksum: CRC-32 of the bytes, 0 if there is none or it was found right.
        where: names the file in errors.
        root: the storage that this one is a part of, None if it stands by itself.
        start: first byte of it in the root.
    """

    key: str
    type: DType
    count: int
    data: memoryview | None = None
    checksum: int = 0
    where: str = "the file"
    root: Storage | None = None
    start: int = 0

    def attach(self, data: memoryview) -> None:
        """Give the storage its bytes.

        Raises:
            InputError: there are fewer than the storage's count needs.
        """
        needed = self.count * self.type.itemsize
        if len(data) < needed:
            raise InputError(
                f"storage {self.key!r}: {needed} bytes announced, {len(data)} present; "
                "the file is damaged or cut off: download it again"
            )
        self.data = data if len(data) == needed else data[:needed]

    def bytes(self) -> memoryview:
        """Return the bytes, compared with their checksum the first time.

        Raises:
            InputError: they are not in the file, or damaged.
        """
        if self.root is not None:
            return self.root.bytes()[self.start : self.start + self.count * self.type.itemsize]
        if self.data is None:
            raise InputError(f"{self.where}: storage {self.key!r} is not in the file")
        before_reading(len(self.data), self.data)
        if self.checksum and zlib.crc32(self.data) != self.checksum:
            if file := file_behind(self.data):
                file.require_unchanged()
            raise InputError(
                f"{self.where}: storage {self.key!r} does not have the bytes that its checksum "
                "promises; the file is damaged: download it again"
            )
        self.checksum = 0
        return self.data


def storage_of(reference: Any, storages: dict[str, Storage]) -> Storage:
    """Return the storage behind a persistent id ('storage', type, key, location, count, …).

    Raises:
        InputError: the id has another form.
    """
    if not (isinstance(reference, tuple) and len(reference) >= 5 and reference[0] == "storage"):
        raise InputError(f"the persistent id {brief(reference)} names no tensor storage")
    _, kind, key, _, count = reference[:5]
    if not (isinstance(kind, Known) and isinstance(kind.value, DType)):
        raise InputError(f"storage {key!r} has no known element type")
    if not (isinstance(key, str) and isinstance(count, int) and count >= 0):
        raise InputError(f"the persistent id {brief(reference)} names no tensor storage")
    storage = storages.setdefault(key, Storage(key, kind.value, count))
    view = reference[5] if len(reference) > 5 else None
    return storage if view is None else part_of(storage, *view)


# Bytes that an expanded tensor, which repeats its elements, may have written out.
LARGEST_EXPANDED = 1 << 30


def part_of(root: Storage, key: Any, offset: int, count: int) -> Storage:
    """Return a storage that is a part of another; torch before 0.4 made such for views.

    Raises:
        InputError: it reaches outside.
    """
    offset, count = index(offset), index(count)
    if min(offset, count) < 0 or offset + count > root.count:
        raise InputError(
            f"storage {key!r} reaches outside storage {root.key!r} of {root.count} elements; "
            "the file is damaged, get it again"
        )
    start = offset * root.type.itemsize
    return Storage(root.key, root.type, count, root=root, start=start)


def strided_view(
    storage: Storage, dtype: DType, offset: int, shape: tuple[int, ...], stride: tuple[int, ...]
) -> np.ndarray:
    """Return the view of a storage that is a tensor; nothing is copied."""
    size = dtype.itemsize
    steps = tuple(step * size for step in stride)
    # Nothing may begin anywhere, even behind the end.
    start = 0 if 0 in shape else offset * size
    return np.ndarray(shape, dtype.numpy, storage.bytes(), start, steps)


def check_view(
    storage: Storage, dtype: DType, offset: int, shape: tuple[int, ...], stride: tuple[int, ...]
) -> None:
    """Refuse a view that reaches outside its storage.

    Raises:
        InputError: a size, stride or offset is negative, the last element lies outside, or few
            elements are repeated until they fill a disk.
    """
    capacity = storage.count * storage.type.itemsize // dtype.itemsize
    steps = [(size - 1) * step for size, step in zip(shape, stride, strict=True)]
    last = -1 if 0 in shape else offset + sum(steps)
    if min((offset, *shape, *stride)) < 0 or last >= capacity:
        raise InputError(
            f"a tensor of shape {shape}, stride {stride}, offset {offset} reaches outside its "
            f"storage {storage.key!r} of {capacity} elements; the file is damaged, get it again"
        )
    if math.prod(shape) * dtype.itemsize > max(LARGEST_EXPANDED, capacity * dtype.itemsize):
        raise InputError(
            f"a tensor of shape {shape} repeats the {capacity} of storage {storage.key!r}; "
            "written out it would fill a disk: refused"
        )


def tensor_of(
    storage: Any, offset: Any, shape: Any, stride: Any, dtype: DType | None = None
) -> LazyTensor:
    """Return a view of a storage.

    Raises:
        InputError: it reaches outside.
        TypeError: an argument is of another kind than a tensor needs.
    """
    if not isinstance(storage, Storage):
        raise TypeError("a tensor needs a storage")
    kind = dtype or storage.type
    shape, stride, offset = tuple(map(index, shape)), tuple(map(index, stride)), index(offset)
    check_view(storage, kind, offset, shape, stride)
    return LazyTensor(
        shape,
        kind,
        partial(strided_view, storage, kind, offset, shape, stride),
        (storage.key, kind.name, storage.start + offset * kind.itemsize, shape, stride),
    )


def _rebuild_tensor(storage: Any, offset: Any, shape: Any, stride: Any, *rest: Any) -> LazyTensor:
    # Behind requires_grad and hooks: {'conj': True} or {'neg': True} for a view not yet computed.
    if len(rest) > 2 and rest[2]:
        raise InputError(f"a lazy view {rest[2]} of a tensor; resolve_conj() it before saving")
    return tensor_of(storage, offset, shape, stride)


def _rebuild_typed(
    storage: Any, offset: Any, shape: Any, stride: Any, _grad: Any, _hooks: Any, dtype: Any, *_: Any
) -> LazyTensor:
    return tensor_of(storage, offset, shape, stride, dtype.value)


def _tensor_class(dtype: DType) -> str:
    return dtype.storage.replace("Storage", "Tensor")


def _parameter(data: Any, *_: Any) -> Any:
    return data


def _row(module: str, name: str, **kind: Any) -> tuple[tuple[str, str], Known]:
    return (module, name), Known(f"{module}.{name}", **kind)


def _functions() -> dict[tuple[str, str], Callable[..., Any]]:
    rebuild = "torch._utils"
    return {
        ("collections", "OrderedDict"): ordered_dict,
        (rebuild, "_rebuild_tensor"): _rebuild_tensor,
        (rebuild, "_rebuild_tensor_v2"): _rebuild_tensor,
        (rebuild, "_rebuild_tensor_v3"): _rebuild_typed,
        (rebuild, "_rebuild_parameter"): _parameter,
        (rebuild, "_rebuild_parameter_with_state"): _parameter,
        ("torch", "Size"): tuple,
        ("torch", "device"): lambda *names: "device " + ":".join(map(str, names)),
    }


_NOT_TORCHS = BESIDE_GLOBALS | NUMPY_GLOBALS
TORCH_GLOBALS: dict[tuple[str, str], Known] = _NOT_TORCHS | dict(
    [
        *(
            _row(m, n, call=function, tensor=n.startswith("_rebuild_tensor"))
            for (m, n), function in _functions().items()
        ),
        *(_row("torch", dtype.storage, value=dtype) for dtype in BY_STORAGE.values()),
        *(_row("torch", _tensor_class(dtype)) for dtype in BY_STORAGE.values()),
        *(_row("torch", name, value=dtype) for name, dtype in BY_NAME.items()),
        _row("torch.storage", "UntypedStorage", value=UNTYPED),
        _row("torch", "UntypedStorage", value=UNTYPED),
    ]
)
