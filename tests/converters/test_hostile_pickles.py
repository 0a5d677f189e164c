"""Files that ask to run code, and damaged ones: refused in one line, and nothing ever runs."""

import os
import pickle
import struct

import numpy as np
import pytest
import torch
from hostile import (
    STORAGE,
    every_format,
    legacy,
    pdparams,
    refusal,
    text,
    zipped,
)

from converters import read_checkpoint


class Attack:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(6))
@every_format
def test_a_pickled_call_is_refused_and_never_made(tmp_path, write, protocol):
    sentinel = tmp_path / "sentinel"
    pickled = pickle.dumps({"w": Attack(os.mkdir, str(sentinel))}, protocol)
    message = refusal(write(tmp_path / "a.pth", pickled))
    assert "posix.mkdir" in message or "no known checkpoint" in message or "refused" in message
    assert not sentinel.exists()
    pickle.loads(pickled)  # the attack is real  # noqa: S301
    assert sentinel.exists()


@pytest.mark.parametrize("zipped_", [True, False])
def test_a_call_beside_real_tensors(tmp_path, zipped_):
    sentinel = tmp_path / "sentinel"
    content = {"w": torch.ones(2), "x": Attack(os.mkdir, str(sentinel))}
    torch.save(content, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped_)
    assert "'posix.mkdir'" in refusal(tmp_path / "a.pth")
    assert not sentinel.exists()


DANGEROUS = [
    ("os", "system"), ("posix", "system"), ("subprocess", "Popen"), ("builtins", "eval"),
    ("builtins", "exec"), ("builtins", "getattr"), ("builtins", "__import__"),
    ("builtins", "open"), ("__builtin__", "eval"), ("operator", "attrgetter"),
    ("functools", "partial"), ("torch", "load"), ("torch.hub", "load"), ("numpy", "load"),
    ("numpy.core.multiarray", "fromfile"), ("torch._utils", "_import_dotted_name"),
    ("collections", "OrderedDict.fromkeys"), ("types", "CodeType"), ("builtins", "type"),
    ("torch.nn.modules.linear", "Linear"), ("paddle", "load"), ("pickle", "loads"),
]  # fmt: skip


@pytest.mark.parametrize(("module", "name"), DANGEROUS)
@every_format
def test_every_global_but_the_known_is_refused_by_name(tmp_path, write, module, name):
    argument = b"(" + text("touch sentinel") + b"tR."
    for ask in (
        f"c{module}\n{name}\n".encode(),
        text(module) + text(name) + b"\x93",
    ):
        message = refusal(write(tmp_path / "a.pth", ask + argument))
        assert f"asks to run '{module}.{name}'" in message


OPCODES = {
    "INST": b"(" + text("x") + b"ios\nsystem\n.",
    "OBJ": b"(ccollections\nOrderedDict\no.",
    "EXT1": b"\x82\x01.",
    "EXT2": b"\x83\x01\x00.",
    "EXT4": b"\x84\x01\x00\x00\x00.",
    "NEWOBJ_EX": b"ccollections\nOrderedDict\n)}\x92.",
    "NEXT_BUFFER": b"\x97.",
    "READONLY_BUFFER": b"N\x98.",
    "STRING": b"S'x'\n.",
}


@pytest.mark.parametrize("opcode", OPCODES)
@every_format
def test_opcodes_without_place_in_a_weight_file(tmp_path, write, opcode):
    message = refusal(write(tmp_path / "a.pth", b"\x80\x04" + OPCODES[opcode]))
    assert f"pickle opcode {opcode} at byte" in message


@every_format
def test_attributes_are_set_on_nothing(tmp_path, write):
    ask = b"\x80\x04ccollections\nOrderedDict\n}" + text("__init__") + text("x") + b"sb."
    assert "sets attributes of an object" in refusal(write(tmp_path / "a.pth", ask))


@pytest.mark.parametrize(
    "reference",
    [text("abc"), b"K\x07", b")", b"N", b"(" + text("module") + text("x") + b"K\x01K\x01K\x01t"],
)
@every_format
def test_unknown_persistent_ids(tmp_path, write, reference):
    message = refusal(write(tmp_path / "a.pth", b"\x80\x02" + reference + b"Q."))
    assert "names no tensor storage" in message or "data outside itself" in message
    refusal(write(tmp_path / "b.pth", b"\x80\x02Pabc\n."))


@pytest.mark.parametrize("write", [zipped, legacy])
def test_a_mere_name_is_not_called(tmp_path, write):
    message = refusal(write(tmp_path / "a.pth", b"\x80\x02ctorch\nFloatStorage\n)R."))
    assert "calls 'torch.FloatStorage', which is no function" in message


@every_format
def test_a_name_with_control_characters_stays_one_line(tmp_path, write):
    ask = b"\x80\x04" + text("os\n\x1b[31m") + text("sys\ntem") + b"\x93."
    refusal(write(tmp_path / "a.pth", ask))


NONSENSE = {
    "empty stack": b"\x80\x02.",
    "unhashable key": b"\x80\x02}](K\x01sK\x02s.",
    "pop of nothing": b"\x80\x020.",
    "mark of nothing": b"\x80\x02t.",
    "unknown memo": b"\x80\x02h\x05.",
    "unknown opcode": b"\x80\x02\xff.",
    "no end": b"\x80\x02}",
    "huge text": b"\x80\x02X\xff\xff\xff\xffabc.",
    "negative length": b"\x80\x02T\xff\xff\xff\xffabc.",
    "huge bytes": b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
    "bad utf-8": b"\x80\x02X\x02\x00\x00\x00\xff\xfe.",
    "bad integer": b"\x80\x02Iabc\n.",
    "bad float": b"\x80\x02Fabc\n.",
    "no newline": b"\x80\x02cos",
    "items on a list": b"\x80\x02]K\x01K\x02s.",
    "append to a dict": b"\x80\x02}K\x01a.",
    "odd number of items": b"\x80\x02}(K\x01u.",
    "arguments no tuple": b"\x80\x02ccollections\nOrderedDict\nK\x01R.",
    "wrong arguments": b"\x80\x02ccollections\nOrderedDict\n(K\x01K\x02tR.",
    "global of no text": b"\x80\x04]]\x93.",
    "deep nest": b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".",
    "deep tuples": b"\x80\x02)" + b"\x85" * 100_000 + b".",
}


@pytest.mark.parametrize("name", NONSENSE)
@every_format
def test_nonsense(tmp_path, write, name):
    refusal(write(tmp_path / "a.pth", NONSENSE[name]))


def tensor(view: bytes) -> bytes:
    """Return a pickle of a dict with a tensor whose view of four floats is given."""
    call = b"ctorch._utils\n_rebuild_tensor_v2\n(" + STORAGE + b"Q" + view
    return b"\x80\x02}" + text("w") + call + b"\x89NtRs."


VIEWS = {
    "beyond the end": b"K\x00(K\x05t(K\x01t",
    "offset": b"K\x02(K\x03t(K\x01t",
    "stride": b"K\x00(K\x02t(K\x04t",
    "negative offset": b"J\xff\xff\xff\xff(K\x02t(K\x01t",
    "negative stride": b"K\x03(K\x02t(J\xff\xff\xff\xfft",
    "negative size": b"K\x00(J\xff\xff\xff\xfft(K\x01t",
    "fewer strides": b"K\x00(K\x02K\x02t(K\x01t",
    "sizes of text": b"K\x00(" + text("a") + b"t(K\x01t",
    "sizes of floats": b"K\x00(G@\x00\x00\x00\x00\x00\x00\x00t(K\x01t",
    "sizes beyond 64 bits": b"K\x00(\x8a\x0a" + b"\xff" * 9 + b"\x00t(K\x01t",
    "product beyond 64 bits": b"K\x00(\x8a\x05\0\0\0\0\x01\x8a\x05\0\0\0\0\x01t(K\x01K\x01t",
}


@pytest.mark.parametrize("view", VIEWS)
def test_views_outside_their_storage(tmp_path, view):
    refusal(zipped(tmp_path / "a.pth", tensor(VIEWS[view])))


def test_few_elements_do_not_fill_a_disk(tmp_path):
    view = b"K\x00(J\x01\x00\x00\x10t(K\x00t"  # 2²⁸ + 1 times the same four bytes
    assert "would fill a disk" in refusal(zipped(tmp_path / "a.pth", tensor(view)))
    expanded = zipped(tmp_path / "b.pth", tensor(b"K\x00(M\xff\xfft(K\x00t"))
    assert read_checkpoint(expanded)["w"].shape == (65535,)


def test_a_view_inside_its_storage_is_read(tmp_path):
    found = read_checkpoint(zipped(tmp_path / "a.pth", tensor(b"K\x01(K\x03t(K\x01t")))
    assert found["w"].load().tolist() == [0, 0, 0]


SHAPES = {
    "too large": (3,),
    "negative": (-1, -2),
    "product beyond 64 bits": (2**32, 2**32),
    "beyond 64 bits": (2**80,),
    "floats": (2.0,),
    "text": "ab",
}


@pytest.mark.parametrize("name", SHAPES)
def test_arrays_that_do_not_fill_their_shape(tmp_path, name):
    array = np.zeros(2, np.float32)
    function, arguments, state = array.__reduce__()[:3]
    state = (state[0], SHAPES[name], *state[2:])
    content = {"w": Rebuilt(function, arguments, state)}
    refusal(pdparams(tmp_path / "a.pdparams", pickle.dumps(content, 4)))


class Rebuilt:
    """Pickles as a call and a state."""

    def __init__(self, *parts):
        self.parts = parts

    def __reduce__(self):
        return self.parts


@pytest.mark.parametrize(
    "array",
    [
        np.array([{}, []], object),
        np.array(["a"]),
        np.zeros(2, "f4,i4"),
        np.array(["2020-01-01"], "M8[D]"),
    ],
    ids=str,
)
def test_arrays_of_no_numbers(tmp_path, array):
    message = refusal(pdparams(tmp_path / "a.pdparams", pickle.dumps({"w": array}, 4)))
    assert "numpy array of type" in message or "asks to run" in message


@pytest.mark.parametrize("header", [
    b"[]", b"{}x", b'{"w": 1}', b'{"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}',
    b'{"w": {"dtype": "F99", "shape": [2], "data_offsets": [0, 8]}}',
    b'{"w": {"dtype": "F32", "shape": [2], "data_offsets": [8, 16]}}',
    b'{"w": {"dtype": "F32", "shape": [-1, -2], "data_offsets": [0, 8]}}',
    b'{"w": {"dtype": "F32", "shape": [4294967296, 4294967296], "data_offsets": [0, 0]}}',
    b'{"w": {"dtype": "F32", "shape": [1e400], "data_offsets": [0, 8]}}',
    b'{"w": {"dtype": [], "shape": [2], "data_offsets": [0, 8]}}',
    b"{" * 100_000, b'{"w": ' + b"[" * 100_000,
    b'{"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, "\xff": 1}',
])  # fmt: skip
def test_broken_safetensors(tmp_path, header):
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 8)
    refusal(path)
