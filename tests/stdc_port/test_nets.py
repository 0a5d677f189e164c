"""The networks: sizes, counts, outputs, and torch against Paddle in double precision."""

import numpy as np
import paddle
import pytest
import torch
from paddle_building import blank
from pairs import error, image, pair, randomise

from converters import convert_state_dict
from stdc_port import paddle_nets, spec, torch_nets
from stdc_port.torch_nets.segmentation import InPlaceABN

EXACT = 1e-11
# Paddle keeps the scale of a resize in single precision, also in double precision.
RESIZED = 1e-6


@pytest.mark.parametrize(
    ("arch", "keys", "storages", "parameters"),
    [
        ("stdc1", 361, None, None),
        ("stdc1-seg", 445, 271, 12.049),
        ("stdc2-seg", 733, 415, 16.079),
    ],
)
def test_the_authors_counts(arch, keys, storages, parameters):
    network = torch_nets.build(arch)
    state = network.state_dict()
    assert len(state) == keys
    if storages:
        assert len({value.data_ptr() for value in state.values()}) == storages
        count = sum(value.numel() for value in network.parameters())
        assert round(count / 1e6, 3) == parameters


@pytest.mark.parametrize("arch", ["stdc1", "stdc2"])
@pytest.mark.parametrize("size", [(64, 96), (65, 97), (33, 71)])
def test_channels_and_sizes_of_the_five_maps(arch, size):
    network = torch_nets.build(arch).eval()
    with torch.no_grad():
        maps = network.features(torch.zeros(1, 3, *size))
    height, width = size
    for channels, found in zip((32, 64, 256, 512, 1024), maps, strict=True):
        height, width = (height + 1) // 2, (width + 1) // 2
        assert tuple(found.shape) == (1, channels, height, width)


@pytest.mark.parametrize("arch", ["stdc1", "stdc2"])
@pytest.mark.parametrize(
    ("variant", "block"),
    [*((variant, "cat") for variant in spec.VARIANTS), ("authors", "add")],
)
def test_classifiers_agree(arch, variant, block):
    theirs, ours = pair(arch, variant=variant, block=block, num_classes=5)
    x = image(65, 97)
    with torch.no_grad(), paddle.no_grad():
        for a, b in zip(
            theirs.features(torch.from_numpy(x)), ours.features(paddle.to_tensor(x)), strict=True
        ):
            assert error(b, a) <= EXACT
        assert error(ours(paddle.to_tensor(x)), theirs(torch.from_numpy(x))) <= EXACT


@pytest.mark.parametrize(
    ("arch", "variant", "block"),
    [("stdc1-seg", variant, "cat") for variant in spec.VARIANTS]
    + [("stdc2-seg", "authors", "cat"), ("stdc1-seg", "authors", "add")],
)
def test_segmentation_networks_agree(arch, variant, block):
    theirs, ours = pair(arch, variant=variant, block=block, num_classes=5)
    x = image(64, 96)
    with torch.no_grad(), paddle.no_grad():
        maps, *contexts = theirs.cp(torch.from_numpy(x))
        our_maps, *our_contexts = ours.cp(paddle.to_tensor(x))
        for a, b in zip((*maps, *contexts), (*our_maps, *our_contexts), strict=True):
            assert error(b, a) <= EXACT
        fused, our_fused = theirs.ffm(maps[2], contexts[0]), ours.ffm(our_maps[2], our_contexts[0])
        assert error(our_fused, fused) <= EXACT
        for name, a, b in (
            ("conv_out", fused, our_fused),
            ("conv_out16", contexts[0], our_contexts[0]),
            ("conv_out32", contexts[1], our_contexts[1]),
            ("conv_out_sp2", maps[0], our_maps[0]),
            ("conv_out_sp4", maps[1], our_maps[1]),
            ("conv_out_sp8", maps[2], our_maps[2]),
            ("conv_out_sp16", maps[3], our_maps[3]),
        ):
            assert error(getattr(ours, name)(b), getattr(theirs, name)(a)) <= EXACT, name
        assert error(ours(paddle.to_tensor(x)), theirs(torch.from_numpy(x))) <= RESIZED


@pytest.mark.parametrize("variant", ["authors", "mmseg"])
def test_training_outputs_agree(variant):
    theirs, ours = pair("stdc1-seg", variant=variant, num_classes=5)
    theirs.train(), ours.train()
    x = image(64, 96)
    with torch.no_grad(), paddle.no_grad():
        expected, found = theirs(torch.from_numpy(x)), ours(paddle.to_tensor(x))
    assert [tuple(value.shape) for value in expected] == [(2, 5, 64, 96)] * 3 + [(2, 1, 8, 12)]
    for a, b in zip(expected, found, strict=True):
        assert error(b, a) <= RESIZED


@pytest.mark.parametrize("variant", ["authors", "mmseg"])
def test_auxiliary_maps_are_enlarged_as_the_variant_says(variant):
    network = randomise(torch_nets.build("stdc1-seg", variant=variant, num_classes=3)).train()
    x = torch.from_numpy(image(64, 96)).float()
    with torch.no_grad():
        _, logits16, _, _ = network(x)
        small = network.conv_out16(network.cp(x)[1])
    aligned = torch.nn.functional.interpolate(
        small, size=(64, 96), mode="bilinear", align_corners=True
    )
    assert torch.equal(logits16, aligned) == spec.VARIANTS[variant].aux_align_corners


HEADS = [
    "conv_out", "conv_out16", "conv_out32",
    "conv_out_sp2", "conv_out_sp4", "conv_out_sp8", "conv_out_sp16",
]  # fmt: skip


@pytest.mark.parametrize("framework", ["torch", "paddle"])
@pytest.mark.parametrize(
    ("training", "computed"),
    [(False, {"conv_out"}), (True, {"conv_out", "conv_out16", "conv_out32", "conv_out_sp8"})],
)
def test_only_the_heads_that_are_returned_are_computed(framework, training, computed):
    build = torch_nets.build if framework == "torch" else paddle_nets.build
    network, called = build("stdc1-seg"), []
    for name in HEADS:
        head = getattr(network, name)
        hook = (
            head.register_forward_hook
            if framework == "torch"
            else (head.register_forward_post_hook)
        )
        hook(lambda *_, name=name: called.append(name))
    network.train() if training else network.eval()
    x = np.zeros((2, 3, 64, 64), np.float32)
    out = network(torch.from_numpy(x) if framework == "torch" else paddle.to_tensor(x))
    assert sorted(called) == sorted(computed)
    assert isinstance(out, tuple) == training


def test_the_unused_norm_of_the_classifier_changes_nothing():
    theirs, ours = pair("stdc1", num_classes=5)
    x = image(64, 64)
    before = theirs(torch.from_numpy(x))
    with torch.no_grad():
        theirs.bn.weight.fill_(float("nan"))
    assert torch.equal(theirs(torch.from_numpy(x)), before)
    assert "bn.weight" in ours.state_dict()


# Deliberately wrong ports: each must show far beyond the limits above.


def maps_error(theirs, ours, size=(65, 97)) -> list[float]:
    x = image(*size)
    with torch.no_grad(), paddle.no_grad():
        expected = theirs.features(torch.from_numpy(x))
        found = ours.features(paddle.to_tensor(x))
    return [error(b, a) for a, b in zip(expected, found, strict=True)]


def crossed(theirs_options: dict, ours_options: dict, arch: str = "stdc1"):
    theirs, _ = pair(arch, num_classes=5, **theirs_options)
    ours = blank(arch, dtype="float64", num_classes=5, **ours_options)
    assert ours.set_state_dict(convert_state_dict(theirs.state_dict(), ours)) == ([], [])
    ours.eval()
    return theirs, ours


def test_the_pooling_of_paddleseg_differs_from_the_authors():
    theirs, ours = crossed({"variant": "authors"}, {"variant": "paddleseg"})
    errors = maps_error(theirs, ours)
    assert max(errors[:2]) <= EXACT
    assert min(errors[2:]) > 1e-3


def test_a_relu_too_many_in_the_attention_shows():
    theirs, ours = crossed({"variant": "authors-bn"}, {"variant": "authors-bn"}, "stdc1-seg")
    x = image(64, 96)
    theirs.cp.arm16.conv.relu = torch.nn.Identity()
    with torch.no_grad(), paddle.no_grad():
        expected = theirs.cp.arm16(theirs.cp.backbone.features(torch.from_numpy(x))[3])
        found = ours.cp.arm16(ours.cp.backbone.features(paddle.to_tensor(x))[3])
    assert error(found, expected) > 1e-2


def test_an_unfolded_scale_shows():
    theirs, ours = crossed({"variant": "authors"}, {"variant": "authors-bn"}, "stdc1-seg")
    scale = ours.ffm.convblk.bn.weight
    expected = theirs.ffm.convblk.bn.weight.detach().numpy()
    assert np.array_equal(scale.numpy(), np.abs(expected) + 1e-5)
    assert (expected < 0).any()
    x = image(64, 96)
    with torch.no_grad(), paddle.no_grad():
        wanted = theirs(torch.from_numpy(x))
        right = ours(paddle.to_tensor(x))
        scale.set_value(expected)
        wrong = ours(paddle.to_tensor(x))
    assert error(right, wanted) <= RESIZED
    assert error(wrong, wanted) > 1e-3


def test_a_square_linear_without_its_transpose_shows():
    theirs, ours = pair("stdc1", num_classes=5)
    x = image(64, 64)
    with torch.no_grad(), paddle.no_grad():
        wanted = theirs(torch.from_numpy(x))
        ours.fc.weight.set_value(ours.fc.weight.numpy().T)
        assert error(ours(paddle.to_tensor(x)), wanted) > 1e-2


# In-place ABN: a plain batch norm whose scale is |weight| + eps.


@pytest.mark.parametrize("training", [True, False])
def test_inplace_abn_is_batch_norm_with_the_folded_scale(training):
    random = np.random.default_rng(3)
    layer, plain = InPlaceABN(6).double(), torch.nn.BatchNorm2d(6).double()
    weight = torch.tensor([-1.5, 0.7, 0.0, -1e-6, 1e-6, 2.0], dtype=torch.float64)
    with torch.no_grad():
        for module in (layer, plain):
            module.running_mean.copy_(torch.arange(6.0) / 7)
            module.running_var.copy_(torch.arange(1.0, 7.0))
            module.bias.copy_(torch.linspace(-1, 1, 6))
            module.train(training)
        layer.weight.copy_(weight)
        plain.weight.copy_(weight.abs() + 1e-5)
    x = torch.from_numpy(random.standard_normal((3, 6, 4, 5)))
    one, two = x.clone().requires_grad_(), x.clone().requires_grad_()
    cotangent = torch.from_numpy(random.standard_normal((3, 6, 4, 5)))
    out, expected = layer(one), plain(two)
    assert torch.equal(out, expected)
    out.backward(cotangent)
    expected.backward(cotangent)
    assert torch.equal(one.grad, two.grad)
    assert torch.equal(layer.bias.grad, plain.bias.grad)
    assert torch.equal(layer.weight.grad, plain.weight.grad * weight.sign())
    assert torch.equal(layer.running_mean, plain.running_mean)
    assert torch.equal(layer.running_var, plain.running_var)
    assert "num_batches_tracked" not in layer.state_dict()
