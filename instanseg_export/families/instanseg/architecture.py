"""What the shapes of the weights say of a network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from ...errors import CheckpointError, SpecError
from ..spec import first_finding
from ..weights import need
from .backbone_spec import BackboneSpec, CellposeSamSpec, CellSamSpec, Norm, SamUNetSpec, UNetSpec
from .sam_weights import ENCODERS, kind_of_backbone, measure_encoder
from .spec import ChannelNetSpec

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Architecture", "measure"]


@dataclass(frozen=True)
class Architecture:
    """All of a network that can be measured.

    Attributes:
        backbone, adaptor: the parts; a ChannelNet's ablation has the shapes of "concat", so that is assumed, as is
            the size of the images that a network with SAM's encoder was trained on where the encoder resizes them.
        mlp_inputs, mlp_width: of the pixel classifier.
        convolutional: whether the pixel classifier is that of feature engineering 10.
    """

    backbone: BackboneSpec
    adaptor: ChannelNetSpec | UNetSpec | None
    mlp_inputs: int
    mlp_width: int
    convolutional: bool


def measure(weights: Mapping[str, Tensor], path: Path) -> Architecture:
    """Infer the architecture from weights under canonical names.

    Raises:
        CheckpointError: weights that decide it are missing or malformed.
    """
    adaptor: ChannelNetSpec | UNetSpec | None = None
    if any(name.startswith("adaptor.conv_0.") for name in weights):
        adaptor = _channel_net(weights, path)
    elif any(name.startswith("adaptor.encoder.") for name in weights):
        adaptor = _unet(weights, "adaptor.", path)
    backbone = _backbone(weights, path)
    convolutional = "pixel_classifier.layer2.fc1.weight" in weights
    if convolutional:
        _explain_lost_guide(weights, path)
        first = need(weights, "pixel_classifier.layer2.fc1.weight", 4, path)
    else:
        first = need(weights, "pixel_classifier.fc1.weight", 2, path)
    return Architecture(backbone, adaptor, first.shape[1], first.shape[0], convolutional)


_TRAINING_TILE = 256
"""Pixels along a side of the images that upstream trains on, unless told otherwise."""


def _backbone(weights: Mapping[str, Tensor], path: Path) -> BackboneSpec:
    try:
        kind = kind_of_backbone(weights)
        return _unet(weights, "backbone.", path) if kind is None else _with_encoder(weights, kind, path)
    except ValidationError as error:
        raise SpecError(
            f"The weights of {path} contradict each other: {first_finding(error)}.",
            hint="Give the checkpoint as training wrote it.",
        ) from error


def _with_encoder(weights: Mapping[str, Tensor], kind: str, path: Path) -> BackboneSpec:
    vit = measure_encoder(weights, ENCODERS[kind], path)
    if kind == "sam_unet":
        return SamUNetSpec(**dict(_unet(weights, "backbone.", path)), vit=vit)
    if kind == "cellposesam":
        readout = need(weights, "backbone.out.weight", 4, path).shape[0]
        return CellposeSamSpec(vit=vit, heads=((readout // vit.patch**2,),))
    first = need(weights, "backbone.mask_decoder.2.weight", 4, path)
    last = need(weights, "backbone.mask_decoder.5.weight", 4, path)
    return CellSamSpec(vit=vit, hidden=first.shape[1], window=_TRAINING_TILE, heads=((last.shape[1],),))


def _explain_lost_guide(weights: Mapping[str, Tensor], path: Path) -> None:
    if "pixel_classifier.positional_embedding_params" not in weights:
        raise CheckpointError(
            f"{path} was trained with feature engineering 10, and its positional_embedding_params are not in the file: "
            "upstream keeps them out of the state dict, so they are lost when training ends.",
            hint="Train with feature engineering 0, or add the tensor pixel_classifier.positional_embedding_params.",
        )


def _count(weights: Mapping[str, Tensor], pattern: str) -> int:
    return 1 + max((int(found[1]) for name in weights if (found := re.match(pattern, name))), default=-1)


def _norm(weights: Mapping[str, Tensor], prefix: str) -> Norm:
    """Tell the norm of a part by any of its layers, so that a missing weight is not taken for another norm."""
    kinds = {name.rsplit(".", 2)[-1] for name in weights if re.match(re.escape(prefix) + r".*\.conv\d\.1\.", name)}
    return "batch" if "running_mean" in kinds else "instance" if "weight" in kinds else "none"


def _unet(weights: Mapping[str, Tensor], prefix: str, path: Path) -> UNetSpec:
    dotted = re.escape(prefix)
    levels = max(1, _count(weights, dotted + r"encoder\.(\d{1,3})\."))
    first = [need(weights, f"{prefix}encoder.{level}.conv0.0.weight", 4, path) for level in range(levels)]
    heads = []
    for decoder in range(max(1, _count(weights, dotted + r"decoders\.(\d{1,3})\."))):
        place = f"{prefix}decoders.{decoder}.final_block."
        blocks = range(max(1, _count(weights, re.escape(place) + r"(\d{1,3})\.")))
        heads.append(tuple(need(weights, f"{place}{block}.0.weight", 4, path).shape[0] for block in blocks))
    return UNetSpec(
        in_channels=first[0].shape[1],
        layers=tuple(weight.shape[0] for weight in first),
        norm=_norm(weights, f"{prefix}encoder."),
        heads=tuple(heads),
    )


def _channel_net(weights: Mapping[str, Tensor], path: Path) -> ChannelNetSpec:
    fine, middle, coarse = (
        need(weights, f"adaptor.{block}.conv0.0.weight", 4, path).shape[0] for block in ("conv_0", "down_1", "down_2")
    )
    return ChannelNetSpec(
        out_channels=need(weights, "adaptor.final_conv.0.weight", 4, path).shape[0],
        layers=(fine, middle, coarse),
        norm=_norm(weights, "adaptor."),
        aggregation="concat" if "adaptor.conv_0.reduce_block.0.weight" in weights else "sum",
    )
