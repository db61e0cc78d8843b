"""Models of every family but InstanSeg, for the web page, each with an image in which it finds objects."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile
from PIL import Image as Pillow

from instanseg_export import build_forward, load_checkpoint
from instanseg_export.checkpoints import Checkpoint
from instanseg_export.targets import write_artifact
from support.iaunet_models import discs, train_on_discs
from support.paths import DEMO_IMAGES
from support.two_stage_models import classified_recipe, positivity_recipe

__all__ = ["FAMILIES", "write_image", "write_model"]

FAMILIES = ("embedseg", "embedseg_tta", "iaunet", "classified", "classified_rescaled", "positivity")
"""What :func:`write_model` makes. "rescaled" takes pixels half as large as those that it segments at."""


def _checkpoint(family: str, shared: Path, folder: Path) -> Checkpoint:
    if family.startswith("embedseg"):
        return load_checkpoint(shared / "checkpoints" / "embedseg_2d")
    if family == "iaunet":
        return train_on_discs(60)
    if family == "positivity":
        segmentation = shared / "checkpoints" / "nuclei_cells_channelnet"
        return load_checkpoint(positivity_recipe(folder, segmentation, pixel_size=0.5, segmentation_pixel_size=0.5))
    size = {"pixel_size": 0.25} if family == "classified_rescaled" else {}
    return load_checkpoint(classified_recipe(folder, **size))


def write_model(family: str, shared: Path, folder: Path) -> Path:
    """Write the model.onnx of one of ``FAMILIES`` into a folder, and return it."""
    checkpoint = _checkpoint(family, shared, folder)
    forward = build_forward(checkpoint, {"tta": True} if family == "embedseg_tta" else {})
    write_artifact("onnx", forward, checkpoint, folder / "model.onnx")
    return folder / "model.onnx"


def write_image(family: str, shared: Path, folder: Path, height: int, width: int) -> Path:
    """Write an image of as many channels as a model of ``FAMILIES`` takes, repeated until it is large enough."""
    golden = shared / "golden"
    if family.startswith("embedseg"):
        image = np.load(golden / "nuclei_batchnorm" / "dsb_58406ed8ef94.npz")["input"][:1]
    elif family == "iaunet":
        drawn = np.random.default_rng(3)
        image = np.concatenate([np.concatenate([discs(drawn)[0] for _ in range(2)], 2) for _ in range(2)], 1)
    elif family == "positivity":
        image = np.load(golden / "nuclei_cells_channelnet" / "multiplex_2ch.npz")["input"]
    else:
        image = np.moveaxis(np.asarray(Pillow.open(DEMO_IMAGES / "histology.png")), 2, 0)
    repeats = (1, -(-height // image.shape[1]), -(-width // image.shape[2]))
    path = folder / "image.tif"
    tifffile.imwrite(
        path, np.tile(image, repeats)[:, :height, :width], photometric="minisblack", metadata={"axes": "CYX"}
    )
    return path
