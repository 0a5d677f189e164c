"""The pickle of a state dict as torch writes it; its storages lie elsewhere in the file."""

from __future__ import annotations

import math

from converters.formats.content import Content, Head
from converters.formats.opcodes import integer_opcode, text_opcode, tuple_opcodes

PROTOCOL_2 = b"\x80\x02"
ORDERED_DICT = b"ccollections\nOrderedDict\n)R"


def state_dict_pickle(content: Content, *, legacy: bool = False) -> bytes:
    """Return the pickle of a content whose tensors are storages '0', '1', … in their order.

    A second name is another tensor over the storage of the first.

    Args:
        content: what to write.
        legacy: as PyTorch 1.5 and older read it, whose ids of storages have a sixth part.
    """
    objects = {
        head.key: tensor_opcodes(str(number), head, legacy=legacy)
        for number, head in enumerate(content.heads)
    }
    objects |= {second: objects[first] for second, first in content.aliases.items()}
    body = b"".join(text_opcode(key) + made for key, made in objects.items())
    return PROTOCOL_2 + ORDERED_DICT + b"(" + body + b"u."


def tensor_opcodes(key: str, head: Head, *, legacy: bool = False) -> bytes:
    """Return the opcodes that rebuild a contiguous tensor over the whole of its storage."""
    shape, count = head.shape, math.prod(head.shape)
    # As torch has them where a size is zero.
    strides = [
        math.prod(max(1, size) for size in shape[axis:]) for axis in range(1, len(shape) + 1)
    ]
    # The types younger than typed storages are views of bytes; their own name comes last.
    typed = bool(head.type.storage)
    kind = f"ctorch\n{head.type.storage}\n" if typed else "ctorch.storage\nUntypedStorage\n"
    size = integer_opcode(count if typed else count * head.type.itemsize)
    name = b"" if typed else f"ctorch\n{head.type.name}\n".encode()
    rebuild = b"_rebuild_tensor_v2" if typed else b"_rebuild_tensor_v3"
    storage = b"(" + text_opcode("storage") + kind.encode() + text_opcode(key)
    # What stands last is the part of a storage that an old view was.
    storage += text_opcode("cpu") + size + (b"N" if legacy else b"") + b"tQ"
    view = integer_opcode(0) + tuple_opcodes(shape) + tuple_opcodes(strides)
    hooks = b"\x89" + ORDERED_DICT
    return b"".join((b"ctorch._utils\n", rebuild, b"\n(", storage, view, hooks, name, b"tR"))
