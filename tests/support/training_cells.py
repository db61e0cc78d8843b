"""Small sets of images whose cells people have judged, and recipes for the networks that learn from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from instanseg_export.checkpoints import Checkpoint, save_checkpoint
from support.training_data import discs, recipe_of, write_data
from support.training_runs import random_network, small_spec

__all__ = ["CLASSIFIED", "POSITIVITY", "write_cell_recipe", "write_cells"]

CLASSIFIED: dict[str, Any] = {
    "family": "classified",
    "name": "tiny",
    "segmentation": "segmentation.pt",
    "classifier": {"architecture": "mobilenetv4_conv_small"},
    "classes": ["dark", "bright"],
    "crop_size": 32,
}
POSITIVITY: dict[str, Any] = {
    "family": "positivity",
    "name": "tiny",
    "segmentation": "segmentation.pt",
    "classifier": {"embedding": 8, "heads": 2, "inducing_points": 4},
    "crop_size": 32,
}


def write_cells(folder: Path, family: str, images: int = 4) -> Path:
    """Write coloured images of discs, half of them for validation, and what their cells are.

    A disc with an odd number is bright, or positive, in all channels but the last, in which it is the other way round.
    Label maps count by threes. Nobody has judged the first disc of each image.

    Args:
        folder: is made.
        family: of the network that learns from it.
        images: how many.
    """
    write_data(folder, images)
    lines = ["image,label,class" if family == "classified" else "image,label,channel,positive"]
    for place in range(images):
        labels = discs(64, 80, seed=100 * place, count=12 + place)
        odd = labels % 2 == 1
        planes = [np.where(labels > 0, np.where(odd == (channel < 2), 220, 90), 10) for channel in range(3)]
        Image.fromarray(np.stack(planes, axis=2).astype(np.uint8)).save(folder / "images" / f"image{place}.png")
        Image.fromarray((labels * 3).astype(np.uint16)).save(folder / "labels" / f"image{place}.png")
        for label in range(2, labels.max() + 1):
            if family == "classified":
                lines.append(f"image{place},{label * 3},{'bright' if label % 2 else 'dark'}")
            else:
                lines += [f"image{place},{label * 3},{channel},{(label + (channel == 3)) % 2}" for channel in (1, 3)]
    (folder / "cells.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def write_cell_recipe(folder: Path, model: dict[str, Any], **changes: Any) -> Path:
    """Write a recipe with its data and a segmentation of random weights.

    Args:
        folder: exists.
        model: :data:`CLASSIFIED` or :data:`POSITIVITY`, or the like.
        changes: see :func:`.training_data.recipe_of`; keys that are None are left out.
    """
    if not (folder / "data").exists():
        write_cells(folder / "data", model["family"])
        spec = small_spec()
        network = random_network(spec)
        save_checkpoint(Checkpoint(spec, network, folder, "0" * 64, "test"), folder / "segmentation.pt")
    content = recipe_of(augmentations=None, **changes)
    content |= {"model": model, "crops": changes.get("crops", {"batch": 2}), "objective": changes.get("objective", {})}
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in content.items() if value is not None}))
    return path
