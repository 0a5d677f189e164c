"""What people have instead of a file of weights: what it is, and how to get one from it."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

_WEB = "an HTML page: the download gave a web page instead of the file"
_KERAS = "an HDF5 file, as Keras writes it; save a state dict with torch.save or paddle.save"
_KEYLESS = (
    "tensors without keys: Paddle's inference export (paddle.jit.save, .pdiparams) or "
    "use_binary_format; save the network's weights instead: "
    "paddle.save(network.state_dict(), 'weights.pdparams')"
)
# By how the file begins, in lower case.
BEGINNINGS = (
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself: run `git lfs pull`"),
    (b"<!doctype", _WEB),
    (b"<html", _WEB),
    (b"\x1f\x8b", "a gzip archive: unpack it first"),
    (b"\x89hdf\r\n", _KERAS),
    (b"gguf", "a GGUF file of llama.cpp; convert the checkpoint that it was made of"),
    (b"\x93numpy", "a single numpy array; save a dict of tensors with torch.save or paddle.save"),
    (b"\0" * 16, _KEYLESS),
)
_SCRIPT = (
    "a TorchScript program (torch.jit.save), not a file of weights; in torch: "
    "torch.save(torch.jit.load({path!r}).state_dict(), 'weights.pth'), then convert that"
)
_EXPORTED = (
    "an exported program (torch.export.save), not a file of weights; in torch: "
    "torch.save(torch.export.load({path!r}).state_dict, 'weights.pth'), then convert that"
)
_ARRAYS = "numpy arrays (.npz); save a dict of tensors with torch.save or paddle.save"
# By a member of a zip file, as a regular expression.
MEMBERS = (
    (r"(.*/)?(constants\.pkl|bytecode\.pkl|code/__torch__.*)", _SCRIPT),
    (r"(.*/)?(archive_format|models/.+\.json|serialized_exported_program\.json)", _EXPORTED),
    (r".+\.npy", _ARRAYS),
)
_WHOLE = (
    "refused, the file asks to run {name!r}: it holds a whole model, not its weights. If you trust "
    "it, save them where its code can be imported: torch.save(torch.load({path!r}, "
    "weights_only=False).state_dict(), 'weights.pth'), or so with the model inside if it is a dict"
)
_QUANTISED = (
    "refused, the file asks to run {name!r}: its tensors are quantised; convert the network "
    "before it is quantised"
)
_UNKNOWN = (
    "refused, the file asks to run {name!r}, which is not on the list of known names; save the "
    "weights alone (the state dict) and try again"
)
# By a name that a pickle asks for, as a regular expression.
GLOBALS = (
    (r"__torch__\..+|torch\.jit\..+", _SCRIPT),
    (r"torch\.q\w+|torch\._utils\._rebuild_qtensor|torch\.ao\..+", _QUANTISED),
    (r"(.+\.)?(nn|modules|models?|nets?|networks?|backbones?)(\.\w+)*\.[A-Z]\w*", _WHOLE),
)


def told_by_beginning(data: memoryview) -> str:
    """Return what a file that is no checkpoint seems to be, and how to mend it."""
    if bytes(data[257:262]) == b"ustar":
        return "a real tar archive: unpack it and give the file inside"
    head = bytes(data[:64]).lstrip().lower()
    told = next((meaning for start, meaning in BEGINNINGS if head.startswith(start)), "")
    return told or (
        f"no known checkpoint format (it begins with {bytes(data[:8])!r}); "
        "expected torch (zip or legacy), safetensors or .pdparams"
    )


def told_by_members(path: Path, members: Collection[str]) -> str:
    """Return what a zip file is that torch.save did not write, '' if it may have."""
    for pattern, meaning in MEMBERS:
        if any(re.fullmatch(pattern, name) for name in members):
            return meaning.format(path=str(path))
    return ""


def told_by_global(where: str, name: str) -> str:
    """Return why a pickle is refused that asks for a name which is not known."""
    fits = (meaning for pattern, meaning in GLOBALS if re.fullmatch(pattern, name))
    return next(fits, _UNKNOWN).format(path=where, name=name)
