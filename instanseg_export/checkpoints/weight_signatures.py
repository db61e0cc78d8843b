"""Telling network families apart by the names of their weights."""

from __future__ import annotations

__all__ = ["BACKBONES", "EMBEDSEG", "family_of"]

EMBEDSEG = "EmbedSeg (BranchedERFNet)"

BACKBONES = {"sam": "InstanSeg with SAM features and a neighbourhood attention filter (sam)"}
"""Values of ``model_str`` in a training log that stand for families of their own."""

_CLASSIFIER = "a classifier of cells, which a recipe joins with a segmentation"

_MARKERS: tuple[tuple[bytes, str], ...] = (
    (b"encoder.initial_block.conv.weight", EMBEDSEG),
    (b"isab.mab0.fc_q.weight", "MobileNet-ISAB, which a recipe joins with a segmentation"),
    (b"features.0.0.weight", _CLASSIFIER),
    (b"conv_stem.weight", _CLASSIFIER),
    (b"image_encoder.encoder.", BACKBONES["sam"]),
    (b"prompt_encoder.", "Segment Anything (SAM), without InstanSeg"),
    (b"encoder.patch_embed.proj", "InstanSeg"),
    (b"encoder.0.conv0.0.weight", "InstanSeg"),
)
"""Part of a weight's name, the most specific first, and the family that it belongs to."""


def family_of(names: bytes) -> str | None:
    """Return the family whose weights are named in ``names`` (see :func:`.archive.peek`), or None."""
    return next((family for marker, family in _MARKERS if marker in names), None)
