"""Rounding between the floating-point types, against torch and against exact arithmetic."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hn
from samples import bits

from converters.bits import contiguous
from converters.dtypes import BY_NAME
from converters.transforms import FLOATING, TRANSFORMS, from_float64, rounded, to_float64

SETTINGS = settings(max_examples=200, deadline=None)
SINGLES = hn.arrays(np.float32, hn.array_shapes(min_dims=0), elements=st.floats(width=32))


@SETTINGS
@given(values=SINGLES, name=st.sampled_from(["float16", "bfloat16", "float32"]))
def test_float32_is_rounded_as_torch_rounds(values, name):
    found = from_float64(to_float64(values, BY_NAME["float32"]), BY_NAME[name])
    wanted = torch.from_numpy(values).to(getattr(torch, name))
    assert found.shape == values.shape
    number = ~np.isnan(values)
    carrier = np.frombuffer(bits(wanted), found.dtype).reshape(values.shape)
    assert np.array_equal(bits(found[number]), bits(carrier[number]))
    assert np.isnan(to_float64(found, BY_NAME[name])[~number]).all()


@pytest.mark.parametrize("dtype", FLOATING, ids=lambda dtype: dtype.name)
def test_every_type_survives_double_precision(dtype):
    raw = np.random.default_rng(1).integers(0, 2**16, 200_000, np.uint16)
    values = raw.view(dtype.numpy) if dtype.itemsize <= 2 else raw.astype(dtype.numpy)
    doubles = to_float64(values, dtype)
    number = ~np.isnan(doubles)
    assert number.any()
    assert bits(from_float64(doubles, dtype)[number]) == bits(values[number])


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("odd", [0, 1])
@pytest.mark.parametrize(("beside", "up"), [(-(2.0**-40), False), (0.0, None), (2.0**-40, True)])
def test_double_precision_is_rounded_to_bfloat16_once(sign, odd, beside, up):
    low, high = 1 + odd * 2.0**-7, 1 + (odd + 1) * 2.0**-7
    value = np.array(sign * ((low + high) / 2 + beside))
    assert abs(np.float32(value)) == (low + high) / 2
    wanted = high if (bool(odd) if up is None else up) else low
    found = to_float64(from_float64(value, BY_NAME["bfloat16"]), BY_NAME["bfloat16"])
    assert found == sign * wanted


@SETTINGS
@given(values=hn.arrays(np.float32, 7, elements=st.floats(width=32, allow_nan=False)))
def test_the_fold_is_the_absolute_value_plus_epsilon_rounded_once(values):
    found = TRANSFORMS["fold"].apply(values, BY_NAME["float32"])
    wanted = [np.float32(abs(float(value)) + 1e-5) for value in values]
    assert found.dtype == np.float32
    assert bits(found) == bits(np.array(wanted, np.float32))
    assert (found > 0).all()


@pytest.mark.parametrize("name", [name for name, row in TRANSFORMS.items() if row.undo])
@pytest.mark.parametrize("shape", [(6,), (3, 4), (6, 6), (0, 2)])
def test_every_way_back_restores_each_bit(name, shape):
    transform, dtype = TRANSFORMS[name], BY_NAME["float32"]
    values = np.random.default_rng(2).standard_normal(shape, np.float32)
    if name == "split_transpose" and len(shape) != 2:
        return
    there = transform.apply(values, dtype)
    if transform.undone == "merge":
        assert there.shape == (3, *transform.shape(shape))
    elif name not in ("flatten", "row"):  # the entry says in which shape
        assert there.shape == transform.shape(shape)
    assert there.size == values.size
    there = contiguous(there)
    for written in (there, contiguous(there)):
        assert bits(transform.undo(written, dtype)) == bits(values)
    if transform.back is not None:
        assert transform.back(transform.shape(shape)) == shape


# Bits of 1 and of several kinds of NaN.
NANS = {
    "float16": [0x3C00, 0x7C01, 0x7E00, 0xFC01, 0xFFFF],
    "bfloat16": [0x3F80, 0x7F81, 0x7FC0, 0xFF81, 0xFFFF],
    "float32": [0x3F800000, 0x7F800001, 0x7FC00000, 0xFF800001, 0xFFFFFFFF],
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("target", NANS)
@pytest.mark.parametrize("source", NANS)
def test_nan_of_any_bits_stays_nan_without_a_warning(source, target):
    width = np.uint32 if source == "float32" else np.uint16
    values = np.array(NANS[source], width).view(BY_NAME[source].numpy)
    found = to_float64(rounded(values, BY_NAME[source], BY_NAME[target]), BY_NAME[target])
    assert found[0] == 1
    assert np.isnan(found[1:]).all()
