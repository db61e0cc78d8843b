"""The networks themselves: shapes, symmetries, and that each one scripts and exports for any size."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from instanseg_export.families.instanseg.augmented import AugmentedNetwork
from instanseg_export.families.instanseg.pixel_classifier import ConvProbabilityNet, ProbabilityNet
from instanseg_export.families.instanseg.spec import InstanSegSpec, UNetSpec
from instanseg_export.layers.blocks import InstanceNorm
from support.training_runs import channel_net_spec, random_network, small_spec


def unet(**changes: Any) -> UNetSpec:
    return UNetSpec(**{"in_channels": 3, "layers": (4, 6, 8), "norm": "batch", "heads": ((2, 2, 1),), **changes})


SPECS: dict[str, InstanSegSpec] = {
    "one level, one channel": small_spec(channels=1, backbone=unet(layers=(4,), in_channels=1)),
    "no norm, multihead": small_spec(backbone=unet(norm="none", heads=((2,), (2,), (1,)))),
    "six levels, instance": small_spec(backbone=unet(layers=(2, 2, 2, 2, 2, 2), norm="instance")),
    "U-Net in front": small_spec(adaptor=unet(heads=((3,),))),
    "ChannelNet": channel_net_spec(),
    "ChannelNet, sum": channel_net_spec("sum", "batch"),
    "ChannelNet, ablated": channel_net_spec("no_aggregation", "none"),
}


def image_for(spec: InstanSegSpec, batch: int, channels: int, height: int, width: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, spec.channels or channels, height, width, generator=generator)


@pytest.mark.parametrize("name", SPECS)
def test_scripted_and_exported_networks_equal_the_module_at_any_size(name: str) -> None:
    spec = SPECS[name]
    network = random_network(spec)
    step = network.multiple
    assert step == (32 if name.startswith("six levels") else 16)
    scripted = torch.jit.script(network)
    sizes: dict[int, Any] = {0: torch.export.Dim("b", min=1, max=64)}
    if spec.channels is None:
        sizes[1] = torch.export.Dim("c", min=1, max=64)
    sizes |= {2: step * torch.export.Dim("h", min=1, max=256), 3: step * torch.export.Dim("w", min=1, max=256)}
    example = image_for(spec, 2, 4, 3 * step, 2 * step)
    exported = torch.export.export(network, (example,), dynamic_shapes=(sizes,)).module()
    for image in (image_for(spec, 1, 1, 2 * step, 2 * step), image_for(spec, 3, 5, 2 * step, 4 * step)):
        expected = network(image)
        assert expected.shape == (image.shape[0], len(spec.structures) * 5, *image.shape[2:])
        torch.testing.assert_close(scripted(image), expected)
        # Instance norm is exported in another form, and planes of few pixels magnify rounding.
        torch.testing.assert_close(exported(image), expected, rtol=0, atol=3e-4 * float(expected.abs().max()))
    smallest = image_for(spec, 1, 1, step, step)
    assert network(smallest).isfinite().all()
    torch.testing.assert_close(scripted(smallest), network(smallest))


def _prepared(network: torch.nn.Module) -> torch.nn.Module:
    """A copy in which the blocks save memory, with nothing else changed."""
    prepared = copy.deepcopy(network)
    for module in prepared.modules():
        if callable(prepare := getattr(module, "prepare_for_inference", None)):
            prepare()
    return prepared


@pytest.mark.parametrize("rows", [512, 528, 1008])
def test_strips_of_rows_change_nothing(rows: int) -> None:
    spec = small_spec(backbone=unet(layers=(4, 6, 8, 10)))
    whole = random_network(spec)
    network = _prepared(whole)
    assert sum(bool(getattr(module, "strips", 0)) for module in network.modules()) > 4
    image = image_for(spec, 2, 3, rows, 48)
    expected = whole(image)
    # No more than another order of additions; a missing row would show near a strip's border.
    limit = 1e-5 * float(expected.abs().max())
    torch.testing.assert_close(network(image), expected, rtol=0, atol=limit)
    torch.testing.assert_close(torch.jit.script(network)(image), expected, rtol=0, atol=limit)


def test_a_graph_with_augmentation_holds_the_network_once_for_each_view() -> None:
    """Not once for each strip of each view: such graphs are twice as long, and so is their export."""
    spec = small_spec(backbone=unet())
    network = _prepared(random_network(spec))
    convolutions = sum(isinstance(module, torch.nn.Conv2d) for module in network.modules())

    def exported(forward: torch.nn.Module) -> int:
        graph = torch.export.export(forward, (torch.zeros(1, 3, 64, 64),)).run_decompositions().graph
        return sum("convolution" in str(node.target) for node in graph.nodes)

    assert exported(network) > convolutions
    assert exported(AugmentedNetwork(network, spec)) == 8 * convolutions


def test_output_is_the_heads_in_order() -> None:
    spec = small_spec(backbone=unet(heads=((2, 2), (1,))))
    network = random_network(spec)
    image = image_for(spec, 1, 3, 32, 32)
    before = network(image)
    network.get_parameter("backbone.decoders.1.final_block.0.0.bias").add_(1.0)
    changed = (network(image) != before).flatten(2).any(dim=2)[0]
    assert changed.tolist() == [False, False, False, False, True]


@pytest.mark.parametrize("aggregation", ["concat", "sum"])
def test_channel_net_ignores_the_order_of_channels(aggregation: str) -> None:
    network = random_network(channel_net_spec(aggregation))
    image = torch.randn(2, 6, 32, 32, generator=torch.Generator().manual_seed(1))
    shuffled = network(image[:, [3, 0, 5, 1, 4, 2]])
    torch.testing.assert_close(shuffled, network(image))
    assert not torch.allclose(network(image[:, :3]), shuffled)


def test_images_of_a_batch_do_not_mix() -> None:
    for spec in (small_spec(backbone=unet(norm="instance")), SPECS["ChannelNet"]):
        network = random_network(spec)
        images = image_for(spec, 3, 4, 32, 48)
        alone = torch.cat([network(image[None]) for image in images])
        torch.testing.assert_close(network(images), alone, rtol=1e-4, atol=1e-4)


def test_input_is_not_written_to() -> None:
    for spec in (small_spec(), SPECS["ChannelNet"]):
        image = image_for(spec, 1, 2, 32, 32)
        copy = image.clone()
        random_network(spec)(image)
        assert torch.equal(image, copy)


def test_instance_norm_equals_torchs_and_takes_single_pixels() -> None:
    ours, theirs = InstanceNorm(4), torch.nn.InstanceNorm2d(4, affine=True)
    with torch.no_grad():
        ours.weight.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0]))
        ours.bias.copy_(torch.tensor([-1.0, 0.0, 1.0, 2.0]))
    theirs.load_state_dict(ours.state_dict())
    image = torch.randn(2, 4, 5, 7)
    torch.testing.assert_close(ours(image), theirs(image))
    pixel = ours(torch.randn(2, 4, 1, 1))
    torch.testing.assert_close(pixel, ours.bias.reshape(1, 4, 1, 1).expand(2, 4, 1, 1), rtol=0, atol=1e-3)


def test_probability_net_is_the_perceptron_of_the_paper() -> None:
    net = ProbabilityNet(4, 3)
    x = torch.randn(7, 4)
    hidden = torch.relu(torch.relu(x @ net.fc1.weight.T + net.fc1.bias) @ net.fc2.weight.T + net.fc2.bias)
    torch.testing.assert_close(net(x), hidden @ net.fc3.weight.T + net.fc3.bias)
    assert net(x[:0]).shape == (0, 1)


def test_guided_classifier_scripts_for_any_window() -> None:
    net = ConvProbabilityNet(4, 5).eval()
    torch.nn.init.uniform_(net.positional_embedding_params, 0, 10)
    scripted = torch.jit.script(net)
    for shape in ((3, 4, 100, 100), (2, 4, 64, 48), (0, 4, 16, 16)):
        windows = torch.randn(shape)
        result = net(windows)
        assert result.shape == (shape[0], 1, *shape[2:])
        torch.testing.assert_close(scripted(windows), result)
    fx, fy, phase = net.positional_embedding_params[2].tolist()
    expected = torch.sin(torch.tensor(fx * 0.25 + fy * 0.5 + phase))
    torch.testing.assert_close(net.guide(3, 5)[2, 1, 1], expected)


@pytest.mark.parametrize(
    ("changes", "fact"),
    [
        ({"dim_coords": 3}, "need 6"),
        ({"channels": 4}, "network takes 3"),
        ({"channels": None}, "ChannelNet in front"),
        ({"adaptor": unet(heads=((2,),))}, "adaptor gives 2"),
        ({"structures": ("nuclei", "nuclei")}, "need 10"),
        ({"structures": ("vessels",)}, "nuclei"),
        ({"dim_seeds": 3}, "less than or equal to 2"),
    ],
)
def test_descriptions_that_do_not_fit_are_refused(changes: dict[str, Any], fact: str) -> None:
    with pytest.raises(ValidationError, match=fact):
        small_spec(**changes)
