"""Folders such as EmbedSeg's training leaves, with random weights under EmbedSeg's names."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from instanseg_export.families.embedseg.network import BranchedERFNet
from instanseg_export.images.synthetic_volumes import draw_spheres

__all__ = [
    "PROPERTIES",
    "embedseg_state",
    "network_with_objects",
    "their_state",
    "write_embedseg_run",
    "write_volume_run",
]

PROPERTIES: dict[int, dict[str, Any]] = {
    2: {"n_z": None, "n_y": 512.0, "n_x": 640.0, "min_object_size": 21.0, "one_hot": False, "data_type": "8-bit"},
    3: {
        "n_z": 128.0,
        "n_y": 512.0,
        "n_x": 512.0,
        "min_object_size": 662.0,
        "avg_background_intensity": 124.7,
        "pixel_size_x_microns": 0.073,
        "pixel_size_y_microns": 0.073,
        "pixel_size_z_microns": 0.2,
    },
}
"""As the published checkpoints have them, by the number of axes."""

_KERNELS = {2: ("3x1", "1x3"), 3: ("3x1x1", "1x3x1", "1x1x3")}


def embedseg_state(axes: int, channels: int = 1, classes: tuple[int, ...] | None = None) -> dict[str, Tensor]:
    """Return random weights under EmbedSeg's names, with the layer that it trains and does not use."""
    torch.manual_seed(axes)
    return their_state(BranchedERFNet(channels, classes or (2 * axes, 1), axes), axes)


def network_with_objects(image: Tensor) -> BranchedERFNet:
    """Return a network of random weights whose output on an image holds some dozens of objects.

    Args:
        image: (1, C, [D,] H, W), normalised, sizes multiples of 8.
    """
    axes = image.dim() - 2
    torch.manual_seed(axes)
    network = BranchedERFNet(image.shape[1], (2 * axes, 1), axes).eval()
    with torch.no_grad():
        # Small offsets, few and large objects: among many small ones, rounding decides a near tie. With these, noise of
        # 2e-5 of the largest output, ten times what machines differ by, changes no object of the standard volumes.
        wanted = [(0.0, 0.01)] * axes + [(0.3, 0.02)] * axes + [(-1.0, 2.0)]
        decoders: Any = network.decoders
        layers = [(decoder[-1], place) for decoder in decoders for place in range(decoder[-1].bias.numel())]
        output = network(image)
        for channel, ((layer, place), (mean, spread)) in enumerate(zip(layers, wanted, strict=True)):
            found = output[:, channel]
            factor = spread / found.std()
            layer.weight[:, place] *= factor
            layer.bias[place] = (layer.bias[place] - found.mean()) * factor + mean
    return network


def their_state(network: BranchedERFNet, axes: int) -> dict[str, Tensor]:
    """Return a network's weights under EmbedSeg's names."""
    state = {f"module.{_their_name(name, axes)}": tensor for name, tensor in network.state_dict().items()}
    state["module.encoder.output_conv.weight"] = torch.zeros(5, 128, *[1] * axes)
    return state


def _their_name(name: str, axes: int) -> str:
    part, block, rest = re.fullmatch(r"(encoder|decoders\.\d)\.(\d+)\.(.+)", name).groups()  # type: ignore[union-attr]
    number = int(block)
    if turn := re.fullmatch(r"(first|second)\.(\d)\.(?:(\d)\.)?(\w+)", rest):
        half = 1 if turn[1] == "first" else 2
        kernel = _KERNELS[axes][int(turn[2]) // 2]
        rest = f"bn{half}.{turn[4]}" if turn[3] == "1" else f"conv{kernel}_{half}.{turn[4]}"
    elif part != "encoder" and number == 6:
        return f"{part}.output_conv.{rest}"
    elif part != "encoder":
        rest = rest.replace("0.", "conv.", 1) if rest.startswith("0.") else rest.replace("1.", "bn.", 1)
    if part == "encoder":
        return f"encoder.initial_block.{rest}" if number == 0 else f"encoder.layers.{number - 1}.{rest}"
    return f"{part}.layers.{number}.{rest}"


def write_embedseg_run(
    folder: Path, axes: int = 2, state: dict[str, Tensor] | None = None, properties: object = None
) -> Path:
    """Write ``best_iou_model.pth`` and ``data_properties.json``; of the latter nothing if ``properties`` is False."""
    folder.mkdir(parents=True)
    content = {"epoch": 3, "best_iou": 0.5, "best_seed": 10, "model_state_dict": state or embedseg_state(axes)}
    torch.save({**content, "optim_state_dict": {}, "logger_data": {}}, folder / "best_iou_model.pth")
    if properties is not False:
        text = properties if isinstance(properties, str) else json.dumps(properties or PROPERTIES[axes])
        (folder / "data_properties.json").write_text(text)
    return folder


def write_volume_run(folder: Path) -> Path:
    """Write a run for volumes that finds some objects in the volumes on which runtimes are compared."""
    volume = torch.from_numpy(draw_spheres(3, 1, (24, 48, 56)) / 200)[None]
    sizes = {"n_z": 32, "n_y": 64, "n_x": 64, "min_object_size": 150}
    pixel = {"pixel_size_x_microns": 0.2, "pixel_size_y_microns": 0.2, "pixel_size_z_microns": 0.5}
    return write_embedseg_run(folder, 3, their_state(network_with_objects(volume), 3), sizes | pixel)
