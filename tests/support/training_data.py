"""Small sets of images and label maps for trainings."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml
from PIL import Image

__all__ = [
    "VOLUMES",
    "balls",
    "discs",
    "recipe_of",
    "write_data",
    "write_recipe",
    "write_volume_recipe",
    "write_volumes",
]


def discs(height: int, width: int, seed: int, count: int = 12) -> npt.NDArray[np.int32]:
    """A label map of discs, some of which touch, and some of which the border cuts."""
    chance = np.random.default_rng(seed)
    rows, columns = np.indices((height, width))
    labels = np.zeros((height, width), dtype=np.int32)
    for label in range(1, count + 1):
        y, x, radius = chance.uniform(0, height), chance.uniform(0, width), chance.uniform(3.5, 9)
        labels[(rows - y) ** 2 + (columns - x) ** 2 <= radius**2] = label
    return np.unique(labels, return_inverse=True)[1].reshape(labels.shape).astype(np.int32)


def write_data(
    folder: Path,
    images: int = 4,
    size: tuple[int, int] = (64, 80),
    structures: tuple[str, ...] = ("labels",),
    grey: bool = False,
) -> Path:
    """Write grey and coloured images of discs, half of them for validation, with their label maps and their index.

    Args:
        folder: is made.
        images: how many.
        size: height and width.
        structures: names of the folders of label maps.
        grey: no image is coloured.
    """
    rows = []
    for place in range(images):
        name = f"image{place}"
        chance = np.random.default_rng(place)
        maps = [discs(*size, seed=100 * place + number) for number, _ in enumerate(structures)]
        bright = (maps[0] > 0) * 150 + chance.integers(0, 60, size)
        pixels = bright if place % 2 or grey else np.stack([bright, bright // 2, 255 - bright], axis=2)
        (folder / "images").mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / "images" / f"{name}.png")
        for structure, labels in zip(structures, maps, strict=True):
            (folder / structure).mkdir(exist_ok=True)
            Image.fromarray(labels.astype(np.uint16)).save(folder / structure / f"{name}.png")
        rows.append(
            {"id": name, "type": "grey" if place % 2 else "colour", "split": "train" if place < images / 2 else "val"}
        )
    with (folder / "index.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


VOLUMES: dict[str, Any] = {
    "family": "embedseg_3d",
    "name": "tiny",
    "channels": 1,
    "grid": [64, 64, 32],
    "extent": [1.0, 1.0, 31 / 63 * 2.0],
    "widths": [4, 8, 12],
    "settings": {"min_object_size": 4},
}
"""The model of a recipe for volumes whose slices are two pixels apart."""


def balls(depth: int, height: int, width: int, seed: int, count: int = 6) -> npt.NDArray[np.int32]:
    """A label map of balls in slices that are two pixels apart; some touch, and the border cuts some."""
    chance = np.random.default_rng(seed)
    places: Any = np.moveaxis(np.indices((depth, height, width)), 0, -1) * np.array([2, 1, 1])
    labels = np.zeros((depth, height, width), dtype=np.int32)
    for label in range(1, count + 1):
        centre, radius = chance.uniform(0, (2 * depth, height, width)), chance.uniform(4, 8)
        labels[((places - centre) ** 2).sum(axis=-1) <= radius**2] = label
    return np.unique(labels, return_inverse=True)[1].reshape(labels.shape).astype(np.int32)


def write_volumes(folder: Path, size: tuple[int, int, int] = (12, 32, 40)) -> Path:
    """Write two volumes of balls, one of them for validation, as stacks, with their label maps and their index."""
    import tifffile

    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for place in range(2):
        labels = balls(*size, seed=place)
        bright = (labels > 0) * 150 + np.random.default_rng(place).integers(0, 60, size)
        for part, stack in (("images", bright.astype(np.uint8)), ("labels", labels.astype(np.uint16))):
            tifffile.imwrite(folder / part / f"volume{place}.tif", stack, metadata={"axes": "ZYX"})
    (folder / "index.csv").write_text("id,split\nvolume0,train\nvolume1,val\n", encoding="utf-8")
    return folder


def recipe_of(**changes: Any) -> dict[str, Any]:
    """A recipe for a tiny network, a few steps long; its data lie in ``data`` beside it."""
    fields: dict[str, Any] = {
        "model": {
            "family": "instanseg",
            "name": "tiny",
            "structures": ["nuclei"],
            "channels": 3,
            "backbone": {"in_channels": 3, "layers": [4, 6], "norm": "batch", "heads": [[2, 2, 1]]},
            "dim_coords": 2,
            "n_sigma": 2,
            "dim_seeds": 1,
            "mlp_width": 5,
        },
        "data": {"source": "data"},
        "crops": {"size": 32, "batch": 2, "scale": [0.8, 1.25]},
        "augmentations": {"brightness": 0.1, "contrast": 0.2, "gamma": 0.2, "noise": 0.05, "blur": 1, "stains": 0.2},
        "objective": {"warm_start": 3, "window": 16},
        "optimiser": {"steps": 8, "warm_up": 2},
        "validation": {"every": 4, "pictures": 2},
        "seed": 1,
    }
    for key, value in changes.items():
        both = isinstance(value, Mapping) and isinstance(fields.get(key), dict)
        fields[key] = {**fields[key], **value} if both else value
    return fields


def write_recipe(folder: Path, **changes: Any) -> Path:
    """Write a recipe and its data; see :func:`recipe_of`."""
    if not (folder / "data").exists():
        write_data(folder / "data")
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe_of(**changes)), encoding="utf-8")
    return path


def write_volume_recipe(folder: Path, model: Mapping[str, Any] | None = None, **changes: Any) -> Path:
    """Write a recipe for volumes and its data; see :func:`recipe_of`.

    Args:
        folder: exists.
        model: fields that differ from :data:`VOLUMES`.
        changes: of the rest of the recipe.
    """
    if not (folder / "data").exists():
        write_volumes(folder / "data")
    content = recipe_of(**changes) | {"model": {**VOLUMES, **(model or {})}, "objective": {}}
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path
