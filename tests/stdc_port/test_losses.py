"""The losses of both frameworks against the plain reference, and each other's gradients."""

import math
from typing import Any

import numpy as np
import paddle
import pytest
import reference
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from parity.traps.tools import default_dtype
from stdc_port.paddle_nets import losses as paddle_losses
from stdc_port.torch_nets import losses as torch_losses

EXACT = 1e-12
# Paddle holds the scale of a resize in single precision.
RESIZED = 1e-6
SETTINGS = settings(max_examples=30, deadline=None)


@pytest.fixture(scope="module")
def ours():
    """Return Paddle's losses in double precision."""
    with default_dtype("float64"):
        yield paddle_losses.SegmentationLoss()


@pytest.fixture(scope="module")
def theirs():
    """Return torch's losses in double precision."""
    loss = torch_losses.SegmentationLoss().double()
    with torch.no_grad():  # as written, not as rounded to single precision on the way
        loss.detail.fuse_kernel.copy_(torch.tensor([0.6, 0.3, 0.1]).double().reshape(1, 3, 1, 1))
    return loss


def close(found: Any, expected: float, tolerance: float = EXACT) -> bool:
    value = found if isinstance(found, float) else found.item()
    return math.isclose(value, expected, rel_tol=tolerance, abs_tol=1e-15)


@st.composite
def batches(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Draw logits and labels: tiny to small, easy to hard, few to all pixels ignored."""
    n, height, width = draw(st.integers(1, 3)), draw(st.integers(1, 9)), draw(st.integers(1, 9))
    classes = draw(st.integers(2, 6))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    labels = random.integers(0, classes, (n, height, width))
    logits = random.standard_normal((n, classes, height, width)) * draw(
        st.sampled_from([0.0, 0.1, 1.0, 10.0])
    )
    # Raise the right class: the more, the fewer pixels stay hard.
    sure = draw(st.sampled_from([0.0, 2.0, 8.0]))
    np.put_along_axis(
        logits, labels[:, None], np.take_along_axis(logits, labels[:, None], 1) + sure, 1
    )
    labels[random.random(labels.shape) < draw(st.sampled_from([0.0, 0.3, 1.0]))] = 255
    return logits, labels


@SETTINGS
@given(batch=batches())
def test_ohem(theirs, ours, batch):
    logits, labels = batch
    expected = reference.ohem(logits, labels)
    assert close(theirs.ohem(torch.from_numpy(logits), torch.from_numpy(labels)), expected)
    assert close(ours.ohem(paddle.to_tensor(logits), paddle.to_tensor(labels)), expected)


def hard_pixels(share: float) -> tuple[np.ndarray, np.ndarray]:
    """Return a batch of 2 × 8 × 8 pixels of which a share is wrong."""
    random = np.random.default_rng(4)
    labels = random.integers(0, 3, (2, 8, 8))
    right = np.eye(3)[labels].transpose(0, 3, 1, 2)
    signs = np.where(random.permutation(128).reshape(2, 1, 8, 8) < share * 128, -1.0, 1.0)
    return right * signs * 6 + random.standard_normal(right.shape) * 0.1, labels


@pytest.mark.parametrize(("share", "counted"), [(0.02, 8), (0.5, 64), (1.0, 128)])
def test_few_and_many_hard_pixels(theirs, ours, share, counted):
    logits, labels = hard_pixels(share)
    ordered = np.sort(reference.pixel_losses(logits, labels).ravel())[::-1]
    expected = ordered[:counted].mean()
    assert close(reference.ohem(logits, labels), expected)
    assert close(theirs.ohem(torch.from_numpy(logits), torch.from_numpy(labels)), expected)
    assert close(ours.ohem(paddle.to_tensor(logits), paddle.to_tensor(labels)), expected)


def test_all_ignored_is_zero_with_zero_gradients(theirs, ours):
    logits, labels = hard_pixels(0.5)
    labels[:] = 255
    a = torch.from_numpy(logits).requires_grad_()
    b = paddle.to_tensor(logits, stop_gradient=False)
    one, two = theirs.ohem(a, torch.from_numpy(labels)), ours.ohem(b, paddle.to_tensor(labels))
    one.backward(), two.backward()
    assert one.item() == two.item() == 0
    assert not a.grad.numpy().any()
    assert not b.grad.numpy().any()


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 3, 5), (1, 4, 4), (2, 1, 8)])
def test_batches_of_at_most_sixteen_pixels(theirs, ours, shape):
    n, height, width = shape
    logits = np.random.default_rng(1).standard_normal((n, 4, height, width))
    labels = np.zeros(shape, np.int64)
    expected = reference.ohem(logits, labels)
    assert close(theirs.ohem(torch.from_numpy(logits), torch.from_numpy(labels)), expected)
    assert close(ours.ohem(paddle.to_tensor(logits), paddle.to_tensor(labels)), expected)


@SETTINGS
@given(
    n=st.integers(1, 3), height=st.integers(1, 17), width=st.integers(1, 17),
    seed=st.integers(0, 2**32), coarse=st.integers(1, 6),
)  # fmt: skip
def test_edge_target(theirs, ours, n, height, width, seed, coarse):
    labels = scene(n, height, width, seed, coarse)
    expected = reference.edges(labels)[:, None]
    assert np.array_equal(theirs.detail.edges(torch.from_numpy(labels)).detach(), expected)
    assert np.array_equal(ours.detail.edges(paddle.to_tensor(labels)).detach().numpy(), expected)


def scene(n: int, height: int, width: int, seed: int, coarse: int) -> np.ndarray:
    """Return labels in patches of ``coarse`` pixels, some of them ignored."""
    random = np.random.default_rng(seed)
    small = random.integers(0, 6, (n, height // coarse + 1, width // coarse + 1))
    small[small == 5] = 255
    return small.repeat(coarse, 1).repeat(coarse, 2)[:, :height, :width].copy()


def test_the_weights_of_the_three_strides_decide(theirs, ours):
    labels = scene(2, 32, 48, 7, 5)
    right = reference.edges(labels)
    found = [reference.edges(labels, one) for one in ((0.6, 0, 0), (0, 0.3, 0), (0, 0, 0.2))]
    # 0.6 and 0.3 exceed a tenth alone; 0.1 does not, unless it were anything above.
    assert np.array_equal(right, np.maximum(found[0], found[1]))
    assert (found[2] > right).any()
    for loss in (theirs, ours):
        kernel = np.asarray(loss.detail.fuse_kernel.detach().numpy()).ravel()
        assert np.allclose(kernel, (0.6, 0.3, 0.1), rtol=1e-7)


@SETTINGS
@given(
    n=st.integers(1, 2), height=st.integers(2, 12), width=st.integers(2, 12),
    seed=st.integers(0, 2**32), full=st.booleans(),
)  # fmt: skip
def test_detail_loss(theirs, ours, n, height, width, seed, full):
    labels = scene(n, height, width, seed, 3)
    size = (height, width) if full else (max(1, height // 2), max(1, width // 2))
    logits = np.random.default_rng(seed).standard_normal((n, 1, *size)) * 3
    expected = reference.detail(logits, labels)
    found = theirs.detail(torch.from_numpy(logits), torch.from_numpy(labels))
    for one, other in zip(found, expected, strict=True):
        assert close(one, other)
    tolerance = EXACT if full else RESIZED
    found = ours.detail(paddle.to_tensor(logits), paddle.to_tensor(labels))
    for one, other in zip(found, expected, strict=True):
        assert close(one, other, tolerance)


@pytest.mark.parametrize(("predicted", "wanted", "expected"), [
    (1.0, 1.0, 0.0), (0.0, 0.0, 0.0), (1.0, 0.0, 1 - 1 / 13), (0.0, 1.0, 1 - 1 / 13),
    (0.5, 1.0, 1 - 13 / 19),
])  # fmt: skip
def test_dice_of_constant_maps(predicted, wanted, expected):
    shape = (2, 1, 3, 4)
    one = torch_losses.dice_loss(
        torch.full(shape, predicted).double(), torch.full(shape, wanted).double()
    )
    two = paddle_losses.dice_loss(
        paddle.full(shape, predicted, "float64"), paddle.full(shape, wanted, "float64")
    )
    assert close(one, expected)
    assert close(two, expected)


def test_dice_is_the_mean_over_samples_not_over_the_batch():
    predicted = np.random.default_rng(1).random((3, 1, 4, 4))
    wanted = (
        np.random.default_rng(2).random((3, 1, 4, 4)) < [[[[0.1]]], [[[0.5]]], [[[0.9]]]]
    ) * 1.0
    each = [
        float(torch_losses.dice_loss(torch.from_numpy(p[None]), torch.from_numpy(w[None])))
        for p, w in zip(predicted, wanted, strict=True)
    ]
    whole = torch_losses.dice_loss(torch.from_numpy(predicted), torch.from_numpy(wanted))
    paddles = paddle_losses.dice_loss(paddle.to_tensor(predicted), paddle.to_tensor(wanted))
    assert close(whole, float(np.mean(each)))
    assert close(paddles, float(np.mean(each)))


def outputs(seed: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Return three class maps and a detail map of full size, and labels."""
    random = np.random.default_rng(seed)
    labels = scene(2, 12, 16, seed, 4)
    labels[labels == 255] = np.where(random.random((labels == 255).sum()) < 0.5, 255, 1)
    maps = [random.standard_normal((2, 6, 12, 16)) * scale for scale in (0.3, 1, 4)]
    return [*maps, random.standard_normal((2, 1, 12, 16))], labels


@pytest.mark.parametrize("seed", range(4))
def test_the_total_its_parts_and_their_gradients(theirs, ours, seed):
    maps, labels = outputs(seed)
    a = [torch.from_numpy(value).requires_grad_() for value in maps]
    b = [paddle.to_tensor(value, stop_gradient=False) for value in maps]
    one, two = theirs(tuple(a), torch.from_numpy(labels)), ours(tuple(b), paddle.to_tensor(labels))
    expected = [reference.ohem(value, labels) for value in maps[:3]]
    expected += reference.detail(maps[3], labels)
    for found in (one, two):
        assert close(found.total, sum(expected))
        for value, wanted in zip(found[1:], expected, strict=True):
            assert close(value, wanted)
    one.total.backward(), two.total.backward()
    for x, y in zip(a, b, strict=True):
        scale = x.grad.abs().max().item()
        assert scale > 0
        assert np.abs(x.grad.numpy() - y.grad.numpy()).max() <= EXACT * scale


def test_the_fuse_kernels_gradient_is_there_and_exactly_zero(theirs, ours):
    maps, labels = outputs(9)
    theirs.zero_grad(), ours.clear_gradients()
    theirs.detail.fuse_kernel.grad = None
    theirs(tuple(map(torch.from_numpy, maps)), torch.from_numpy(labels)).total.backward()
    ours(tuple(map(paddle.to_tensor, maps)), paddle.to_tensor(labels)).total.backward()
    for kernel in (theirs.detail.fuse_kernel, ours.detail.fuse_kernel):
        assert kernel.grad is not None
        assert kernel.grad.numpy().shape == (1, 3, 1, 1)
        assert not kernel.grad.numpy().any()


def test_the_kernel_is_trainable_and_the_laplacian_is_no_parameter():
    for module in (torch_losses, paddle_losses):
        loss = module.DetailLoss()
        assert list(loss.state_dict()) == ["fuse_kernel"]
        assert [name for name, _ in loss.named_parameters()] == ["fuse_kernel"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_edge_of_the_coarsest_stride_alone_never_counts(dtype):
    labels = scene(1, 40, 40, 3, 7)
    expected = reference.edges(labels)
    one = torch_losses.DetailLoss().to(getattr(torch, dtype)).edges(torch.from_numpy(labels))
    with default_dtype(dtype):
        two = paddle_losses.DetailLoss().edges(paddle.to_tensor(labels))
    assert np.array_equal(one.detach().numpy()[:, 0], expected)
    assert np.array_equal(two.detach().numpy()[:, 0], expected)
