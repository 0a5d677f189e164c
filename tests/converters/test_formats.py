"""Every format against the library that wrote it, bit for bit, in both directions."""

import io
from collections import OrderedDict

import numpy as np
import paddle
import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from samples import bits

from converters import InputError, read_checkpoint
from converters.dtypes import BY_NAME
from converters.formats import pdparams, torch_zip
from converters.formats.content import content_of

FAST = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
FLOATS = ("float16", "float32", "float64", "bfloat16")
OTHERS = ("int8", "int16", "int32", "int64", "uint8", "bool", "complex64", "complex128")
DTYPES = FLOATS + OTHERS
SHAPES = st.lists(st.integers(0, 4), max_size=4).map(tuple)
KEYS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
LAYOUTS = ("plain", "transposed", "strided", "expanded", "offset")


def random_tensor(name: str, shape: tuple[int, ...], seed: int) -> torch.Tensor:
    """Return any bits at all of a type: NaN, infinities and denormals included."""
    count = int(np.prod(shape, dtype=int))
    dtype = getattr(torch, name)
    if count == 0:
        return torch.empty(shape, dtype=dtype)
    raw = np.random.default_rng(seed).integers(0, 256, count * dtype.itemsize, np.uint8)
    if name == "bool":
        raw &= 1
    return torch.from_numpy(raw.copy()).view(dtype).reshape(shape)


def laid_out(name: str, shape: tuple[int, ...], layout: str, seed: int) -> torch.Tensor:
    """Return a tensor of ``shape`` that lies in its storage in the given way."""
    if layout == "transposed":
        return random_tensor(name, shape[::-1], seed).permute(tuple(reversed(range(len(shape)))))
    if layout == "strided" and shape:
        return random_tensor(name, (*shape[:-1], 2 * shape[-1]), seed)[..., ::2]
    if layout == "expanded" and shape:
        return random_tensor(name, (1, *shape[1:]), seed).expand(shape)
    if layout == "offset":
        return random_tensor(name, (3, *shape), seed)[1]
    return random_tensor(name, shape, seed)


ROWS = st.lists(
    st.tuples(st.sampled_from(DTYPES), SHAPES, st.sampled_from(LAYOUTS), st.integers(0, 2**32)),
    max_size=6,
)


@st.composite
def states(draw: st.DrawFn) -> dict[str, torch.Tensor]:
    """Draw a torch state dict of at least one tensor."""
    rows = draw(ROWS.filter(bool))
    keys = draw(st.lists(KEYS, min_size=len(rows), max_size=len(rows), unique=True))
    return {key: laid_out(*row) for key, row in zip(keys, rows, strict=True)}


def assert_same(found, expected) -> None:
    assert list(found) == list(expected)
    for key, value in expected.items():
        assert found[key].shape == tuple(value.shape), key
        assert found[key].dtype == str(value.dtype).rpartition(".")[2], key
        array = found[key].load()
        assert array.shape == tuple(value.shape)
        assert array.flags.c_contiguous
        assert bits(array) == bits(value), key


@FAST
@given(state=states(), zipped=st.booleans(), ordered=st.booleans())
def test_torch_files_are_read_as_torch_reads_them(tmp_path, state, zipped, ordered):
    path = tmp_path / "any.name"
    torch.save(
        OrderedDict(state) if ordered else state, path, _use_new_zipfile_serialization=zipped
    )
    found = read_checkpoint(path)
    assert found.format == ("torch-zip" if zipped else "torch-legacy")
    assert_same(found, torch.load(path, weights_only=True))
    assert_same(found, state)


@pytest.mark.parametrize("zipped", [True, False])
def test_views_of_one_storage_are_told_from_copies(tmp_path, zipped):
    base = torch.arange(24.0)
    state = {
        "whole": base,
        "again": base,
        "half": base[12:],
        "half_again": base[12:],
        "grid": base.view(4, 6),
        "crossed": base.view(4, 6).t(),
        "copy": base.clone(),
    }
    torch.save(state, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    found = read_checkpoint(tmp_path / "a.pth")
    assert_same(found, state)
    identity = {key: tensor.identity for key, tensor in found.items()}
    assert identity["whole"] == identity["again"]
    assert identity["half"] == identity["half_again"]
    assert len(set(identity.values())) == 5


@FAST
@given(state=states())
def test_paddle_files_are_read_as_paddle_reads_them(tmp_path, state):
    path = tmp_path / "a.pdparams"
    tensors = {key: as_paddle(value) for key, value in state.items()}
    paddle.save(tensors, str(path))
    found = read_checkpoint(path)
    assert found.format == "pdparams"
    assert_same(found, paddle.load(str(path)))
    assert_same(found, state)


def as_paddle(value: torch.Tensor) -> paddle.Tensor:
    if value.dtype == torch.bfloat16:
        carrier = value.contiguous().view(torch.int16).numpy().view(np.uint16)
        tensor = paddle.empty(list(value.shape), "bfloat16")
        tensor.get_tensor().set(carrier, paddle.CPUPlace())
        return tensor
    return paddle.to_tensor(value.contiguous().numpy())


def rows_of(state: dict[str, torch.Tensor]):
    """Yield what the writers take."""
    for key, value in state.items():
        dtype = BY_NAME[str(value.dtype).removeprefix("torch.")]
        raw = np.frombuffer(bits(value), dtype.numpy)
        yield key, dtype, raw.reshape(value.shape)


@FAST
@given(state=states())
def test_written_torch_files_load_with_weights_only(state):
    file = io.BytesIO()
    first = next(iter(state))
    torch_zip.write(file, content_of(rows_of(state), {"a second name": first}))
    file.seek(0)
    found = torch.load(file, weights_only=True)
    second = found.pop("a second name")
    assert second.data_ptr() == found[first].data_ptr()
    assert list(found) == list(state)
    for key, value in found.items():
        assert value.dtype == state[key].dtype
        assert value.shape == state[key].shape
        assert value.is_contiguous()
        assert bits(value) == bits(state[key])


@FAST
@given(state=states())
def test_written_paddle_files_load_with_paddle(tmp_path, state):
    path = tmp_path / "b.pdparams"
    with path.open("wb") as file:
        pdparams.write(file, content_of(rows_of(state)))
    found = paddle.load(str(path))
    assert list(found) == list(state)
    for key, value in found.items():
        assert str(value.dtype) == str(state[key].dtype).replace("torch", "paddle")
        assert tuple(value.shape) == tuple(state[key].shape)
        assert bits(value) == bits(state[key])
    assert_same(read_checkpoint(path), state)


def test_equal_weights_give_equal_files(tmp_path):
    state = {"w": random_tensor("float32", (3, 4), 1), "n": torch.tensor(7)}
    files = [io.BytesIO(), io.BytesIO()]
    for file in files:
        torch_zip.write(file, content_of(rows_of(state)))
    assert files[0].getvalue() == files[1].getvalue()


@FAST
@given(state=states())
def test_safetensors_are_read_as_their_library_reads_them(tmp_path, state):
    path = tmp_path / "a.safetensors"
    state = {key: value.contiguous().clone() for key, value in state.items()}
    state = {key: value for key, value in state.items() if value.dtype != torch.complex128}
    assume(state)
    safetensors.torch.save_file(state, path, metadata={"format": "pt"})
    found = read_checkpoint(path)
    assert found.format == "safetensors"
    expected = safetensors.torch.load_file(path)
    assert_same(found, {key: expected[key] for key in found})
    assert set(found) == set(expected)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_all_of_paddles_pickle_protocols(tmp_path, protocol):
    state = {"w": paddle.rand([3, 5]), "n": paddle.to_tensor(3)}
    paddle.save(state, str(tmp_path / "a.pdparams"), protocol=protocol)
    assert_same(read_checkpoint(tmp_path / "a.pdparams"), state)


def test_a_paddle_layers_file_comes_without_its_name_table(tmp_path):
    layer = paddle.nn.Sequential(paddle.nn.Linear(3, 4), paddle.nn.BatchNorm1D(4))
    paddle.save(layer.state_dict(), str(tmp_path / "a.pdparams"))
    assert_same(read_checkpoint(tmp_path / "a.pdparams"), layer.state_dict())


def test_fortran_ordered_numpy_arrays(tmp_path):
    state = {"w": np.asfortranarray(np.arange(12, dtype=np.float32).reshape(3, 4))}
    paddle.save(state, str(tmp_path / "a.pdparams"))
    assert_same(read_checkpoint(tmp_path / "a.pdparams"), state)


@pytest.mark.parametrize("zipped", [True, False])
def test_views_not_yet_computed_are_refused(tmp_path, zipped):
    value = torch.tensor([1 + 2j, 3 - 4j]).conj()
    torch.save({"w": value}, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match=r"'conj': True.*resolve_conj"):
        read_checkpoint(tmp_path / "a.pth")


def test_the_suffix_does_not_matter(tmp_path):
    torch.save({"w": torch.ones(2)}, tmp_path / "a.pdparams")
    assert read_checkpoint(tmp_path / "a.pdparams").format == "torch-zip"
    paddle.save({"w": paddle.ones([2])}, str(tmp_path / "b.pth"))
    assert read_checkpoint(tmp_path / "b.pth").format == "pdparams"
