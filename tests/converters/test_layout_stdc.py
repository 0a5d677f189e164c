"""The layout written down in data against the networks as torch and paddle hold them."""

import paddle
import pytest
from samples import changed, shapes_of, skeleton

from converters import InputError, RefusedError, detect, plan_conversion
from converters.layouts import Layout, join, stdc
from stdc_port import paddle_nets, spec

NETWORKS = [
    (arch, variant, block)
    for arch in spec.ARCHS
    for variant in spec.VARIANTS
    for block in ("cat", "add")
]
every_network = pytest.mark.parametrize(("arch", "variant", "block"), NETWORKS)


def torch_shapes(layout: Layout) -> dict[str, tuple[int, ...]]:
    return {
        join(layer.path, name): shape
        for layer in layout.layers
        for name, shape in layer.shapes.items()
    }


@every_network
def test_keys_shapes_and_aliases_are_the_torch_networks(arch, variant, block):
    network = skeleton(arch, variant=variant, block=block, num_classes=7)
    layout = stdc.layout_of(spec.resolve(arch, variant=variant, block=block, num_classes=7))
    first, shapes, aliases = {}, {}, {}
    for key, value in network.state_dict(keep_vars=True).items():
        name = first.setdefault(id(value), key)
        if name == key:
            shapes[key] = tuple(value.shape)
        else:
            aliases[key] = name
    assert torch_shapes(layout) == shapes
    assert layout.aliases == aliases


@every_network
def test_a_plan_names_exactly_the_paddle_networks_tensors(arch, variant, block):
    plan = plan_conversion(shapes_of(skeleton(arch, variant=variant, block=block, num_classes=7)))
    assert plan.problems == ()
    with paddle.LazyGuard():
        network = paddle_nets.build(arch, variant=variant, block=block, num_classes=7)
    expected = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    planned = [(entry.target, entry.shape) for entry in plan.entries if entry.target]
    assert dict(planned) == expected
    assert len(planned) == len(expected)


@every_network
def test_the_network_is_told_by_the_keys(arch, variant, block):
    network = skeleton(arch, variant=variant, block=block, num_classes=7)
    layout = detect(shapes_of(network, prefix="module."))
    assert (layout.arch, layout.num_classes) == (arch, 7)
    # A classifier is plain BN without biases in all variants: nothing in it tells them apart.
    # In this project's names MMSegmentation's two versions differ in no key.
    expected = variant.removesuffix("-relu")
    told = layout.variant if arch.endswith("-seg") else expected
    assert told == expected
    rebuilt = skeleton(arch, variant=layout.variant, block=block, num_classes=7)
    assert torch_shapes(layout) | {
        second: torch_shapes(layout)[first] for second, first in layout.aliases.items()
    } == {key: tuple(value.shape) for key, value in rebuilt.state_dict().items()}


@pytest.mark.parametrize(("arch", "other"), [("stdc1", "stdc2"), ("stdc1-seg", "stdc1")])
def test_another_network_than_asked_for_is_refused(arch, other):
    checkpoint = shapes_of(skeleton(arch))
    with pytest.raises(InputError, match=f"those of {arch}, not of {other}"):
        plan_conversion(checkpoint, arch=other)


def test_a_backbone_of_another_depth_is_refused():
    checkpoint = shapes_of(skeleton("stdc1"))
    cut = {key for key in checkpoint if key.startswith("features.7.")}
    with pytest.raises(InputError, match=r"of 7 layers under 'features'; expected 8 .* or 14"):
        plan_conversion(changed(checkpoint, drop=cut))


def test_keys_of_no_known_network_are_refused():
    checkpoint = shapes_of(skeleton("stdc1"))
    strange = changed(checkpoint, drop=set(checkpoint), put={"w": checkpoint["linear.weight"]})
    plan = plan_conversion(strange)
    assert plan.layout.arch == "generic"
    with pytest.raises(RefusedError, match="two axes"):
        plan.require_complete()
    with pytest.raises(InputError, match="not those of stdc1"):
        plan_conversion(strange, arch="stdc1")
