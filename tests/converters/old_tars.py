"""Tars as torch wrote them before 0.1.10."""

import io
import pickle
import struct
import tarfile
from collections import OrderedDict

import torch
from samples import bits


class Naming(pickle.Pickler):
    """Writes tensors as the persistent ids that the old tar files used."""

    def persistent_id(self, thing):
        return thing.number if isinstance(thing, Numbered) else None


class Numbered:
    def __init__(self, number):
        self.number = number


def tar_of(state, *, parts=()) -> bytes:
    """Return a tar file as torch before 0.1.10 wrote it."""
    storages, tensors = io.BytesIO(), io.BytesIO()
    names = {}
    pickle.dump(len(state), storages, 2)
    pickle.dump(len(state), tensors, 2)
    for number, (key, tensor) in enumerate(state.items()):
        length = tensor.untyped_storage().nbytes() // tensor.element_size()
        names[key] = Numbered(1000 + number)
        kind = tensor.dtype
        pickle.dump((number, "cpu", OLD[kind]), storages, 2)
        raw = bits(torch.tensor([], dtype=kind).set_(tensor.untyped_storage(), 0, (length,)))
        storages.write(struct.pack("<q", length) + raw)
        pickle.dump((1000 + number, number, OLD[kind]), tensors, 2)
        axes = tensor.dim()
        numbers = (*tensor.shape, *tensor.stride(), tensor.storage_offset())
        tensors.write(struct.pack(f"<ii{2 * axes + 1}q", axes, 0, *numbers))
    pickle.dump(list(parts), storages, 2)
    body = io.BytesIO()
    Naming(body, 2).dump(OrderedDict(names))
    return archive({"storages": storages, "tensors": tensors, "pickle": body})


OLD = {
    torch.float32: torch.FloatStorage,
    torch.float64: torch.DoubleStorage,
    torch.float16: torch.HalfStorage,
    torch.int64: torch.LongStorage,
    torch.int32: torch.IntStorage,
}


def archive(members) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content.getvalue())
            tar.addfile(info, io.BytesIO(content.getvalue()))
    return file.getvalue()
