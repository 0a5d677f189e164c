"""The pickle of a state dict as torch writes it; its storages lie elsewhere in the file."""

from __future__ import annotations

import math

from converters.formats.content import Content, Head
from converters.formats.opcodes import (
    get_opcode,
    integer_opcode,
    put_opcode,
    text_opcode,
    tuple_opcodes,
)

PROTOCOL_2 = b"\x80\x02"
ORDERED_DICT = b"ccollections\nOrderedDict\n"
EMPTY = b")R"


class Memo:
    """What a pickle names over and over: in full the first time, by its number from then on."""

    def __init__(self) -> None:
        self._places: dict[bytes, int] = {}

    def __call__(self, made: bytes) -> bytes:
        """Return the opcodes that push what these opcodes make."""
        if made in self._places:
            return get_opcode(self._places[made])
        place = self._places[made] = len(self._places)
        return made + put_opcode(place)


def state_dict_pickle(content: Content, *, legacy: bool = False) -> bytes:
    """Return the pickle of a content whose tensors are storages '0', '1', … in their order.

    A second name is another tensor over the storage of the first.

    Args:
        content: what to write.
        legacy: as PyTorch 1.5 and older read it, whose ids of storages have a sixth part.
    """
    memo = Memo()
    begin = PROTOCOL_2 + memo(ORDERED_DICT) + EMPTY + b"("
    objects = {
        head.key: tensor_opcodes(str(number), head, memo, legacy=legacy)
        for number, head in enumerate(content.heads)
    }
    objects |= {second: objects[first] for second, first in content.aliases.items()}
    body = b"".join(text_opcode(key) + made for key, made in objects.items())
    return begin + body + b"u."


def tensor_opcodes(key: str, head: Head, memo: Memo, *, legacy: bool = False) -> bytes:
    """Return the opcodes that rebuild a contiguous tensor over the whole of its storage."""
    shape, count = head.shape, math.prod(head.shape)
    # As torch has them where a size is zero.
    strides = [
        math.prod(max(1, size) for size in shape[axis:]) for axis in range(1, len(shape) + 1)
    ]
    # The types younger than typed storages are views of bytes; their own name comes last.
    typed = bool(head.type.storage)
    kind = f"ctorch\n{head.type.storage}\n" if typed else "ctorch.storage\nUntypedStorage\n"
    version = b"_rebuild_tensor_v2" if typed else b"_rebuild_tensor_v3"
    # In the order of the pickle: what is named first is named in full.
    rebuild = memo(b"ctorch._utils\n" + version + b"\n")
    size = integer_opcode(count if typed else count * head.type.itemsize)
    storage = b"(" + memo(text_opcode("storage")) + memo(kind.encode()) + text_opcode(key)
    # What stands last is the part of a storage that an old view was.
    storage += memo(text_opcode("cpu")) + size + (b"N" if legacy else b"") + b"tQ"
    view = integer_opcode(0) + tuple_opcodes(shape) + tuple_opcodes(strides)
    hooks = b"\x89" + memo(ORDERED_DICT) + EMPTY
    name = b"" if typed else memo(f"ctorch\n{head.type.name}\n".encode())
    return b"".join((rebuild, b"(", storage, view, hooks, name, b"tR"))
