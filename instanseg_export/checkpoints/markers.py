"""Telling network families apart by the names of their weights."""

from __future__ import annotations

__all__ = ["BACKBONES", "family_of"]

BACKBONES = {
    "sam_unet": "InstanSeg with a SAM encoder (sam_unet)",
    "sam": "InstanSeg with SAM features (sam)",
    "cellposesam": "CellposeSAM (cellposesam)",
}
"""Values of ``model_str`` in a training log that stand for families of their own."""

_CLASSIFIER = "a classifier of cells, which a recipe joins with a segmentation"

_MARKERS: tuple[tuple[bytes, str], ...] = (
    (b"encoder.initial_block.conv.weight", "EmbedSeg (BranchedERFNet)"),
    (b"isab.mab0.fc_q.weight", "MobileNet-ISAB, which a recipe joins with a segmentation"),
    (b"features.0.0.weight", _CLASSIFIER),
    (b"conv_stem.weight", _CLASSIFIER),
    (b"vit_model.", BACKBONES["sam_unet"]),
    (b"image_encoder.", BACKBONES["sam"]),
    (b"encoder.patch_embed.proj", BACKBONES["cellposesam"]),
    (b"encoder.0.conv0.0.weight", "InstanSeg"),
)
"""Part of a weight's name, the most specific first, and the family that it belongs to."""


def family_of(names: bytes) -> str | None:
    """Return the family whose weights are named in ``names`` (see :func:`.archive.peek`), or None."""
    return next((family for marker, family in _MARKERS if marker in names), None)
