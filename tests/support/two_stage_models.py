"""Makes classifiers of crops with random weights, and recipes that join them to a trained segmentation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn

from instanseg_export.families.two_stage.classifier_spec import CropClassifierSpec, PositivitySpec
from instanseg_export.families.two_stage.crop_classifier import CropClassifier, PositivityClassifier
from support.paths import DEMO

SEGMENTATION = DEMO
"""Trained on nuclei in three channels, at 0.5 µm."""

CLASSES = ["lymphocyte", "monocyte", "other"]


def settle(network: nn.Module, seed: int = 0) -> nn.Module:
    """Give batch norms the statistics of a trained network, so that crops that differ get scores that differ."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean = torch.randn(module.num_features, generator=generator) * 0.1
            module.running_var = torch.rand(module.num_features, generator=generator) + 0.5
    return network.eval().requires_grad_(False)


def crop_classifier(**changes: Any) -> CropClassifier:
    """A classifier as the MONKEY challenge has it: two layers behind its trunk, two sets of three logits.

    It finds cells of the first and of the second class in the demo's samples.
    """
    fields = {"architecture": "mobilenetv4_conv_small", "channels": 3, "embedding": 16, "logits": 6, "stem_padding": 0}
    torch.manual_seed(0)
    network = CropClassifier(CropClassifierSpec.model_validate({**fields, **changes}))
    settle(network)
    network.get_submodule("classifier")[-1].bias[0] -= 3.26  # type: ignore[index]
    return network


def positivity_classifier(**changes: Any) -> PositivityClassifier:
    torch.manual_seed(0)
    network = PositivityClassifier(PositivitySpec(**changes))
    settle(network)
    return network


def save(network: nn.Module, path: Path) -> Path:
    """Write the weights in the form that training leaves."""
    torch.save({"model_state_dict": network.state_dict()}, path)
    return path


def write_recipe(folder: Path, **fields: Any) -> Path:
    """Write a recipe into a folder that holds, or will hold, ``classifier.pth``."""
    content = {"family": "classified", "segmentation": str(SEGMENTATION), "classifier": "classifier.pth", **fields}
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump({name: value for name, value in content.items() if value is not None}))
    return path


def classified_recipe(folder: Path, **fields: Any) -> Path:
    save(crop_classifier(), folder / "classifier.pth")
    return write_recipe(folder, **{"classes": CLASSES, "crop_size": 32, **fields})


def positivity_recipe(folder: Path, segmentation: Path, **fields: Any) -> Path:
    save(positivity_classifier(), folder / "classifier.pth")
    fields = {"family": "positivity", "segmentation": str(segmentation), "crop_size": 32, **fields}
    return write_recipe(folder, **fields)
