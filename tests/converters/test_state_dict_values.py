"""What a state dict in memory may hold: element types, arrays, tensors that are none yet."""

import numpy as np
import paddle
import pytest
import torch
from samples import bits, generator
from zoo import holding

from converters import InputError, convert_file, convert_state_dict
from converters.state_dict import lazy, plan_state_dict


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_element_types_are_kept(dtype):
    source = holding(layer=torch.nn.Linear(3, 4)).to(getattr(torch, dtype))
    target = holding(layer=paddle.nn.Linear(3, 4))
    found = convert_state_dict(source.state_dict(), target)["layer.weight"]
    assert found.dtype == (np.uint16 if dtype == "bfloat16" else np.dtype(dtype))
    assert bits(found) == bits(source.layer.weight.T)


def test_numpy_arrays_and_other_things():
    target = holding(layer=paddle.nn.Linear(3, 4))
    state = {"layer.weight": np.ones((4, 3), np.float32), "layer.bias": np.ones(4, np.float32)}
    assert set(convert_state_dict(state, target, origin="torch")) == set(state)
    with pytest.raises(InputError, match=r"'layer\.bias': list is no tensor"):
        convert_state_dict(state | {"layer.bias": [1, 2]}, target)
    with pytest.raises(InputError, match="dict is neither a torch Module nor a paddle Layer"):
        convert_state_dict(state, {})


@pytest.mark.parametrize("library", [torch, paddle])
def test_a_state_dict_of_the_targets_own_framework_keeps_its_layouts(library):
    """A Linear is square here: transposed, it would fit as well."""
    source, target = library.nn.Linear(4, 4), library.nn.Linear(4, 4)
    found = convert_state_dict(source.state_dict(), target)
    assert all(bits(found[key]) == bits(value) for key, value in source.state_dict().items())


def test_numpy_arrays_do_not_tell_whose_layouts_they_have():
    square = {"weight": np.arange(16, dtype=np.float32).reshape(4, 4), "bias": np.ones(4, "f4")}
    target = paddle.nn.Linear(4, 4)
    with pytest.raises(InputError, match="say origin='torch' or 'paddle'"):
        convert_state_dict(square, target)
    theirs = convert_state_dict(square, target, origin="torch")["weight"]
    ours = convert_state_dict(square, target, origin="paddle")["weight"]
    assert np.array_equal(theirs, square["weight"].T)
    assert np.array_equal(ours, square["weight"])
    # One tensor among arrays tells; against what it tells nothing is believed.
    mixed = square | {"bias": torch.ones(4)}
    assert np.array_equal(convert_state_dict(mixed, target)["weight"], square["weight"].T)
    with pytest.raises(InputError, match="holds tensors of torch; expected paddle alone"):
        convert_state_dict(mixed, target, origin="paddle")
    with pytest.raises(InputError, match="tensors of paddle and torch; expected one alone"):
        convert_state_dict(mixed | {"weight": paddle.ones([4, 4])}, target)


@pytest.mark.parametrize(("dtype", "how"), [("float32", "widened"), ("bfloat16", "rounded")])
def test_a_report_says_what_became_of_the_element_types(tmp_path, dtype, how) -> None:
    torch.save(torch.nn.Linear(2, 2).half().state_dict(), tmp_path / "a.pth")
    report = convert_file(tmp_path / "a.pth", target=paddle.nn.Linear(2, 2), dtype=dtype)
    assert all(entry.reason.endswith(f"float16 {how} to {dtype}") for entry in report.entries)


class Held(paddle.nn.Layer):
    """A layer of one's own with one tensor."""

    def __init__(self, dtype: str = "float32") -> None:
        super().__init__()
        self.register_buffer("w", paddle.zeros([2, 3], dtype=dtype))


COMPLEX = torch.from_numpy(
    (generator(1, "re").normal(size=(3, 2)) + 1j * generator(1, "im").normal(size=(3, 2))).astype(
        np.complex64
    )
)
# torch computes none of these before somebody looks at them.
VIEWS = {
    "conjugate": (COMPLEX.mH, COMPLEX.numpy().conj().T),
    "transposed": (COMPLEX.mT, COMPLEX.numpy().T),
    "negative": (COMPLEX.conj().imag.mT, -COMPLEX.numpy().imag.T),
}


@pytest.mark.parametrize("name", VIEWS)
def test_views_that_are_not_yet_computed_have_their_own_values(name: str) -> None:
    view, expected = VIEWS[name]
    target = Held(str(view.dtype).removeprefix("torch."))
    assert bits(convert_state_dict({"w": view}, target)["w"]) == bits(expected)


def test_a_conjugate_is_no_second_name_of_its_tensor() -> None:
    """Both lie in the same memory."""
    plain, conjugate, other = (lazy("w", one) for one in (COMPLEX, COMPLEX.conj(), COMPLEX.T))
    assert plain.identity == lazy("w", COMPLEX.view(3, 2)).identity
    assert len({plain.identity, conjugate.identity, other.identity}) == 3
    real = torch.ones(4)
    assert lazy("a", real).identity != lazy("a", real.view(torch.int32)).identity


def sparse() -> paddle.Tensor:
    return paddle.ones([2, 3]).to_sparse_coo(2)


def unborn() -> paddle.Tensor:
    with paddle.LazyGuard():
        return paddle.nn.Linear(2, 3).weight


UNUSABLE = {
    "float8": (lambda: torch.ones(2, 3).to(torch.float8_e4m3fn), "float8_e4m3fn.*cast it to bf"),
    "paddle's float8": (lambda: paddle.ones([2, 3]).astype("float8_e5m2"), "float8_e5m2.*cast it"),
    "sparse": (lambda: torch.ones(2, 3).to_sparse(), r"layout torch\.sparse_coo; call to_dense"),
    "rows": (lambda: torch.ones(2, 3).to_sparse_csr(), r"layout torch\.sparse_csr; call to_de"),
    "paddle's sparse": (sparse, r"layout sparse; call to_dense"),
    "meta": (lambda: torch.empty(2, 3, device="meta"), "without elements; load its weights"),
    "lazy": (lambda: torch.nn.LazyLinear(2).weight, "without shape; run the network once"),
    "paddle's lazy": (unborn, "without elements, as under paddle.LazyGuard"),
    "quantised": (
        lambda: torch.quantize_per_tensor(torch.ones(2, 3), 0.1, 0, torch.qint8),
        "Tensor is no tensor that can be converted",
    ),
}


@pytest.mark.filterwarnings("ignore:.*(sparse csr|quantize).*:UserWarning")
@pytest.mark.parametrize("name", UNUSABLE)
def test_a_tensor_without_elements_for_numpy_is_refused_in_one_line(name: str) -> None:
    make, message = UNUSABLE[name]
    with pytest.raises(InputError, match=f"^'w': .*{message}") as caught:
        convert_state_dict({"w": make()}, Held())
    assert "\n" not in str(caught.value)


def test_an_empty_tensor_has_elements_enough() -> None:
    target = paddle.nn.Layer()
    target.register_buffer("w", paddle.zeros([0, 3]))
    for empty in (torch.zeros(0, 3), paddle.zeros([0, 3])):
        assert convert_state_dict({"w": empty}, target)["w"].shape == (0, 3)


class Stateful(torch.nn.Linear):
    """A layer that saves more than tensors."""

    def __init__(self) -> None:
        super().__init__(3, 3)

    def get_extra_state(self) -> dict[str, int]:
        return {"seen": 7}

    def set_extra_state(self, state: dict[str, int]) -> None:
        assert state == {"seen": 7}


def test_what_a_module_saves_beside_its_tensors_is_none_of_ours() -> None:
    ours, theirs = torch.nn.Sequential(Stateful()), paddle.nn.Sequential(paddle.nn.Linear(3, 3))
    assert "0._extra_state" in ours.state_dict()
    plan = plan_state_dict(ours.state_dict(), theirs)
    assert plan.checkpoint.skipped == {"0._extra_state": "dict"}
    theirs.set_state_dict(convert_state_dict(ours.state_dict(), theirs))
    back = convert_state_dict(theirs.state_dict(), ours)
    assert {key: bits(value) for key, value in back.items()} == {
        key: bits(value)
        for key, value in ours[0].state_dict(prefix="0.").items()
        if "extra" not in key
    }
