"""EmbedSeg's own package as the reference: networks with random weights, its augmentation and its clustering."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["PROPERTIES", "model_of", "predict", "save_run"]

PROPERTIES: dict[int, dict[str, Any]] = {
    2: {"n_z": None, "n_y": 128.0, "n_x": 128.0, "min_object_size": 12.0, "one_hot": False, "data_type": "8-bit"},
    3: {
        "n_z": 32.0,
        "n_y": 64.0,
        "n_x": 64.0,
        "min_object_size": 20.0,
        "pixel_size_x_microns": 0.1,
        "pixel_size_y_microns": 0.1,
        "pixel_size_z_microns": 0.25,
    },
}
"""What EmbedSeg's notebook writes beside the training data, by the number of axes."""


def model_of(image: Tensor, seed: int) -> nn.Module:
    """Build a network with random weights whose outputs on an image are some dozens of objects.

    Args:
        image: (1, C, [D,] H, W), sizes multiples of 8.
        seed: of the weights.
    """
    from EmbedSeg.models import get_model

    axes = image.dim() - 2
    torch.manual_seed(seed)
    name = "branched_erfnet" if axes == 2 else "branched_erfnet_3d"
    with contextlib.redirect_stdout(io.StringIO()):
        model: Any = get_model(name, {"num_classes": [2 * axes, 1], "input_channels": image.shape[1]})
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm2d, nn.BatchNorm3d)):
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.7, 1.3)
            nn.init.uniform_(module.bias, -0.2, 0.2)
    model.eval()
    # Offsets of a few pixels, objects of about eight, and half of all pixels candidates.
    wanted = [(0.0, 0.03)] * axes + [(0.55 if axes == 2 else 0.45, 0.04)] * axes + [(2.2, 3.0)]
    layers: list[Any] = [
        (decoder.output_conv, i) for decoder in model.decoders for i in range(decoder.output_conv.out_channels)
    ]
    with torch.no_grad():
        features = model(image)
        for channel, ((layer, place), (mean, spread)) in enumerate(zip(layers, wanted, strict=True)):
            found = features[:, channel]
            factor = spread / found.std()
            layer.weight[:, place] *= factor
            layer.bias[place] = (layer.bias[place] - found.mean()) * factor + mean
    result: nn.Module = model.requires_grad_(False)
    return result


def save_run(model: nn.Module, axes: int, folder: Path) -> Path:
    """Write what EmbedSeg's training leaves."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {f"module.{name}": tensor for name, tensor in model.state_dict().items()}
    content = {"epoch": 3, "best_iou": 0.5, "best_seed": 10, "model_state_dict": state, "optim_state_dict": {}}
    torch.save({**content, "logger_data": {"train": [0.5]}}, folder / "best_iou_model.pth")
    (folder / "data_properties.json").write_text(json.dumps(PROPERTIES[axes]))
    return folder


@contextlib.contextmanager
def _on_cpu() -> Iterator[None]:
    """Upstream's augmentation moves each view to a GPU."""
    with patch.object(torch.Tensor, "cuda", lambda self, *_, **__: self):
        yield


def predict(model: nn.Module, image: Tensor, tta: bool) -> tuple[Tensor, Tensor]:
    """Return EmbedSeg's raw output for the padded image, and its labels ([D,] H, W).

    As ``predict`` and ``predict_3d`` of EmbedSeg/test.py and what they are called with.
    """
    from EmbedSeg.utils.test_time_augmentation import apply_tta_2d, apply_tta_3d
    from EmbedSeg.utils.utils import Cluster, Cluster_3d

    axes = image.dim() - 2
    properties = PROPERTIES[axes]
    missing = [-size % 8 for size in image.shape[2:]]
    before = [gap // 2 if axes == 2 else 0 for gap in missing]
    pads = [pad for gap, first in zip(missing[::-1], before[::-1], strict=True) for pad in (first, gap - first)]
    padded = F.pad(image, pads, "reflect")
    with torch.no_grad(), _on_cpu():
        if not tta:
            output = model(padded)
        elif axes == 2:
            output = apply_tta_2d(padded, model)
        else:
            output = sum(torch.from_numpy(apply_tta_3d(padded, model, view).copy()) for view in range(16)) / 16

    grid = [int(properties[name]) for name in ("n_z", "n_y", "n_x")[3 - axes :]]
    extent = [1.0, 1.0]
    if axes == 3:
        anisotropy = properties["pixel_size_z_microns"] / properties["pixel_size_x_microns"]
        extent.insert(0, (grid[0] - 1) / (grid[2] - 1) * anisotropy)
    if any(size > largest for size, largest in zip(image.shape[2:], grid, strict=True)):
        rounded = [size + gap for size, gap in zip(image.shape[2:], missing, strict=True)]
        side = max(rounded[-2:])
        extent = [*(rounded[0] * z / grid[0] for z in extent[: axes - 2]), side / grid[-2], side / grid[-2]]
        grid = [*rounded[: axes - 2], side, side]
    cluster = (Cluster if axes == 2 else Cluster_3d)(*grid, *extent, "cpu")
    labels = cluster.cluster(output[0], n_sigma=axes, min_object_size=properties["min_object_size"])
    inside = tuple(slice(first, first + size) for first, size in zip(before, image.shape[2:], strict=True))
    return output, labels[inside]
