"""InstanSeg's weights: how files are told by them, and how names of wrappers and of upstream become ours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..signatures import WeightSignature
from ..weights import dense_weights
from .spec import InstanSegSpec

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["OTHER_BACKBONES", "SIGNATURES", "canonical_weights"]

OTHER_BACKBONES = {"sam": "InstanSeg with SAM features and a neighbourhood attention filter (sam)"}
"""Values of ``model_str`` in a training log that stand for networks of other kinds."""

SIGNATURES = (
    WeightSignature(b"image_encoder.encoder.", OTHER_BACKBONES["sam"]),
    WeightSignature(b"prompt_encoder.", "Segment Anything (SAM), without InstanSeg"),
    WeightSignature(b"encoder.patch_embed.proj", InstanSegSpec.title),
    WeightSignature(b"encoder.0.conv0.0.weight", InstanSegSpec.title),
)

_WRAPPERS = ("module.", "_orig_mod.", "model.", "fcn.", "network.")
"""What wrappers put in front of names: data parallel, compiled, channel invariant, upstream's and our exported file."""

_UNUSED = "adaptor.upcat_1.reduce_block."
"""Upstream creates these weights and never calls them: after ChannelNet's last block the channels are joined."""

_DIAMETERS = (".diam_labels", ".diam_mean")
"""Cellpose's encoder carries them for Cellpose's own use."""


def canonical_weights(state: Mapping[Any, Any], path: Path) -> dict[str, Tensor]:
    """Return the weights as float32 under the names of :class:`.network.InstanSegNetwork`; see :func:`.dense_weights`.

    Raises:
        CheckpointError: as there.
    """
    return dense_weights(state, path, rename=_canonical_name)


def _canonical_name(key: str) -> str | None:
    while key.startswith(_WRAPPERS):
        key = key.partition(".")[2]
    if key.startswith("AdaptorNet."):
        key = "adaptor." + key.removeprefix("AdaptorNet.")
    elif not key.startswith(("adaptor.", "backbone.", "pixel_classifier.")):
        # Upstream wraps SAM's encoder twice within its U-Net.
        key = "backbone." + key.replace("vit_model.model.", "vit.", 1)
    return None if key.startswith(_UNUSED) or key.endswith(_DIAMETERS) else key
