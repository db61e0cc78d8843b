"""Upstream's own package: its networks with random weights, its exported forward, and its run folders."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor, nn

from instanseg_export.evaluation.metrics import match, overlaps
from support.training_runs import randomise, write_log

__all__ = ["BASE", "assert_same_instances", "export", "image_of", "model_of", "save_run"]

BASE: dict[str, Any] = {
    "model_str": "InstanSeg_UNet",
    "dim_in": 3,
    "dim_coords": 2,
    "n_sigma": 2,
    "dim_seeds": 1,
    "layers": (8, 12, 16),
    "norm": "BATCH",
    "multihead": False,
    "cells_and_nuclei": False,
    "channel_invariant": False,
    "adaptor_net_str": "1",
    "mlp_width": 5,
    "feature_engineering": "0",
    "dropprob": 0.0,
}


@contextmanager
def _quietly() -> Iterator[None]:
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        yield


def model_of(args: dict[str, Any], image: Tensor) -> nn.Module:
    """Build a network by upstream's functions, with random weights that find a hundred or so objects in ``image``."""
    from instanseg.utils.loss.instanseg_loss import InstanSeg
    from instanseg.utils.model_loader import build_model_from_dict
    from instanseg.utils.models.ChannelInvariantNet import AdaptorNetWrapper

    method = InstanSeg(
        n_sigma=args["n_sigma"],
        feature_engineering_function=args["feature_engineering"],
        dim_coords=args["dim_coords"],
        dim_seeds=args["dim_seeds"],
        cells_and_nuclei=args["cells_and_nuclei"],
        device="cpu",
    )
    with _quietly():
        model: nn.Module = method.initialize_pixel_classifier(build_model_from_dict(args), MLP_width=args["mlp_width"])
        if args["channel_invariant"]:
            model = AdaptorNetWrapper(model, adaptor_net_str=args["adaptor_net_str"], norm=args["norm"])
        model.eval().requires_grad_(False)
        randomise(model, seed=1)
        _round_masks(getattr(model, "model", model).pixel_classifier, args)
        _spread_channels(model, args, image)
    return model


def _round_masks(classifier: Any, args: dict[str, Any]) -> None:
    """Make the classifier's answer fall with the distance between embeddings, whatever its random part adds."""
    for unit in range(args["mlp_width"]):
        axis, sign = unit % 2, 1.0 if unit % 4 < 2 else -1.0
        classifier.fc1.weight[unit] *= 0.2
        classifier.fc1.weight[unit, axis] += sign
        classifier.fc2.weight[unit] *= 0.2
        classifier.fc2.weight[unit, unit] += 1.0
    classifier.fc3.weight.copy_(-classifier.fc3.weight.abs() * 0.2 - 1.0)
    at_the_seed = classifier(torch.zeros(1, classifier.fc1.in_features))
    classifier.fc3.bias += 1.5 - at_the_seed[0]


def _spread_channels(model: nn.Module, args: dict[str, Any], image: Tensor) -> None:
    """Scale each channel's last layer: embeddings that move little, and a seed map with many peaks above 0.7."""
    coords, sigma, seeds = args["dim_coords"], args["n_sigma"], args["dim_seeds"]
    wanted = [(0.0, 0.5)] * coords + [(0.0, 1.0)] * sigma + [(0.0, 4.0)]
    if seeds == 2:
        wanted.append((1.0, 2.0))
    features = model(image)
    places = [(layer, channel) for layer in _last_layers(model) for channel in range(len(layer.weight))]
    assert len(places) == features.shape[1]
    for number, (layer, channel) in enumerate(places):
        mean, spread = wanted[number % len(wanted)]
        found = features[:, number]
        factor = spread / float(found.std())
        layer.weight[channel] *= factor
        layer.bias[channel] = (layer.bias[channel] - found.mean()) * factor + mean


def _last_layers(model: Any) -> list[Any]:
    """The layers with a weight that end each output block, in the order of the channels."""
    backbone = getattr(model, "model", model)
    blocks = [block for decoder in backbone.decoders for block in decoder.final_block]
    return [[layer for layer in block.modules() if getattr(layer, "weight", None) is not None][-1] for block in blocks]


def export(model: nn.Module, args: dict[str, Any]) -> Callable[..., Tensor]:
    """Script upstream's forward around a network, as its own export does.

    Upstream's exported forward always computes the features of "0", whatever the network was trained with. Where that
    makes a difference it stays a Python module, with upstream's function of the right features in its place.
    """
    from instanseg.utils.loss import instanseg_loss

    with _quietly():
        forward = instanseg_loss.InstanSeg_Torchscript(
            model,
            cells_and_nuclei=args["cells_and_nuclei"],
            pixel_size=0.5,
            n_sigma=args["n_sigma"],
            dim_coords=args["dim_coords"],
            dim_seeds=args["dim_seeds"],
            backbone_dim_in=args["dim_in"],
            feature_engineering_function=args["feature_engineering"],
        )
        if args["feature_engineering"] in ("0", "7"):
            scripted: Callable[..., Tensor] = torch.jit.script(forward)
            return scripted

    def features(x: Tensor, c: Tensor, sigma: Tensor, window_size: int, mesh: Tensor) -> Tensor:
        result: Tensor = forward.feature_engineering(x, torch.empty(0), c, sigma, window_size, mesh)
        return result

    def call(*arguments: Any) -> Tensor:
        with patch.object(instanseg_loss, "feature_engineering_slow", features):
            labels: Tensor = forward(*arguments)
        return labels

    return call


def save_run(model: nn.Module, args: dict[str, Any], folder: Path) -> Path:
    """Write what upstream's training leaves."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {"f1_score": 0.5, "epoch": 3, "model_state_dict": model.state_dict(), "optimizer_state_dict": {}}
    torch.save(content, folder / "model_weights.pth")
    write_log(folder, {**args, "layers": str(list(args["layers"]))})
    return folder


def image_of(channels: int, height: int, width: int, seed: int = 0) -> Tensor:
    """Smooth noise in the range of normalised images."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, channels, height // 8 + 1, width // 8 + 1, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic")
    return (smooth + 0.1 * torch.rand(1, channels, height, width, generator=generator)).clamp(-0.5, 1.5)


def assert_same_instances(found: np.ndarray, expected: np.ndarray, at_least: int) -> None:
    """At least 99.9 % of instances matched at IoU 0.99, and of pixels in matched instances.

    Random weights make small instances, of which a single pixel is more than a hundredth: one pixel may differ.
    """
    assert found.shape == expected.shape
    for ours, theirs in zip(found, expected, strict=True):
        pairs = overlaps(ours, theirs)
        assert len(pairs.second_ids) >= at_least
        assert np.median(pairs.second_areas) >= 10
        differing = (1 / pairs.iou - 1) * pairs.shared
        matched = match(pairs, 0.5)
        matched = matched[(pairs.iou[matched] >= 0.99) | (differing[matched] < 1.5)]
        assert len(matched) >= 0.999 * max(len(pairs.first_ids), len(pairs.second_ids))
        agreeing = pairs.shared[matched].sum() + ((ours == 0) & (theirs == 0)).sum()
        assert agreeing >= 0.9999 * ours.size
