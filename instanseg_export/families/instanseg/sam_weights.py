"""Networks with SAM's image encoder: their weights as upstream saves them, and what the shapes of these say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import CheckpointError, SpecError
from ...limits import MAX_GROWTH
from ..weights import need
from .backbone_spec import SamEncoderSpec

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ENCODERS", "kind_of_backbone", "measure_encoder", "settle"]

ENCODERS = {
    "sam_unet": "backbone.vit.encoder.",
    "cellposesam": "backbone.encoder.",
    "cellsam": "backbone.image_encoder.",
}
"""Kind of backbone, and where its encoder lies under canonical names."""

_GLOBAL = ("sam_unet", "cellposesam")
"""Kinds in which all tokens see each other in every block, whatever window the block was first trained with."""


def kind_of_backbone(weights: Mapping[str, Tensor]) -> str | None:
    """Tell which backbone the weights belong to; None for one without SAM's encoder."""
    return next((kind for kind, place in ENCODERS.items() if f"{place}patch_embed.proj.weight" in weights), None)


def settle(weights: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Compute once what upstream computes in each call from weights that never change.

    The linear map from a patch's readout to its pixels (``W2``, which training leaves at the identity) goes into the
    readout, and tables of relative positions are interpolated to the grid on which they are used.

    Args:
        weights: under canonical names; those without SAM's encoder come back as they are.
        path: of the weights, for messages.

    Raises:
        CheckpointError: weights are missing or have impossible shapes.
    """
    kind = kind_of_backbone(weights)
    if kind is None:
        return dict(weights)
    settled = _without_readout_map(weights, ENCODERS[kind].removesuffix("encoder."), path)
    if kind in _GLOBAL:
        grid = need(settled, f"{ENCODERS[kind]}pos_embed", 4, path).shape[1]
        place = re.escape(ENCODERS[kind])
        tables = [name for name in settled if re.fullmatch(place + r"blocks\.\d{1,3}\.attn\.rel_pos_[hw]", name)]
        _check_tables([need(settled, name, 2, path) for name in tables], grid, settled, path)
        for name in tables:
            settled[name] = _interpolated(settled[name], 2 * grid - 1)
    return settled


def _check_tables(tables: list[Tensor], grid: int, weights: Mapping[str, Tensor], path: Path) -> None:
    """Compare what interpolated tables need with all weights: those of a network of this kind are a small part."""
    needed = sum((2 * grid - 1) * table.shape[1] for table in tables)
    held = sum(tensor.numel() for tensor in {id(tensor): tensor for tensor in weights.values()}.values())
    if needed > MAX_GROWTH * held:
        raise CheckpointError(
            f"{path} has tables of relative positions that would have {needed:,} numbers on its grid of {grid:,} "
            f"tokens, more than {MAX_GROWTH} times its weights.",
            hint="Give the checkpoint as training wrote it.",
        )


def _without_readout_map(weights: Mapping[str, Tensor], place: str, path: Path) -> dict[str, Tensor]:
    rest = dict(weights)
    w2 = rest.pop(f"{place}W2", None)
    if w2 is None:
        return rest
    weight, bias = need(rest, f"{place}out.weight", 4, path), need(rest, f"{place}out.bias", 1, path)
    size = weight.shape[0]
    if w2.ndim != 4 or w2.shape[0] != size or w2[0].numel() != size or bias.shape[0] != size:
        raise SpecError(
            f"{path}: the weight {place}W2 has the shape {tuple(w2.shape)}, which does not fit the {size} channels "
            "that it maps.",
            hint="Give the checkpoint as training wrote it.",
        )
    square = w2.reshape(size, size)
    # By a count, for an identity of this size and its difference would be gigabytes more.
    if int((square != 0).sum()) != size or not bool((square.diagonal() == 1).all()):
        rest[f"{place}out.weight"] = (square.t() @ weight.flatten(1)).view_as(weight)
        rest[f"{place}out.bias"] = square.t() @ bias
    return rest


def _interpolated(table: Tensor, length: int) -> Tensor:
    import torch.nn.functional as F

    if table.shape[0] == length:
        return table
    return F.interpolate(table.t()[None], size=length, mode="linear")[0].t().contiguous()


def measure_encoder(weights: Mapping[str, Tensor], place: str, path: Path) -> SamEncoderSpec:
    """Infer the structure of an encoder.

    Args:
        weights: settled, under canonical names.
        place: of the encoder; see ``ENCODERS``.
        path: of the weights, for messages.

    Raises:
        CheckpointError: weights that decide it are missing or malformed.
    """
    patches = need(weights, f"{place}patch_embed.proj.weight", 4, path)
    grid = need(weights, f"{place}pos_embed", 4, path).shape[1]
    pattern = re.escape(place) + r"blocks\.(\d{1,3})\."
    depth = 1 + max((int(found[1]) for name in weights if (found := re.match(pattern, name))), default=-1)
    tables = [need(weights, f"{place}blocks.{block}.attn.rel_pos_h", 2, path) for block in range(max(1, depth))]
    sides = [(table.shape[0] + 1) // 2 for table in tables]
    if any(side > grid or table.shape[0] % 2 == 0 for side, table in zip(sides, tables, strict=True)):
        raise CheckpointError(
            f"{path} has tables of relative positions of {', '.join(str(t.shape[0]) for t in tables)} rows, which do "
            f"not fit a grid of {grid} tokens.",
            hint="Give the checkpoint as training wrote it.",
        )
    return SamEncoderSpec(
        in_channels=patches.shape[1],
        patch=patches.shape[2],
        grid=grid,
        width=patches.shape[0],
        head_width=tables[0].shape[1],
        mlp_width=need(weights, f"{place}blocks.0.mlp.lin1.weight", 2, path).shape[0],
        neck=need(weights, f"{place}neck.0.weight", 4, path).shape[0],
        attention_windows=tuple(0 if side == grid else side for side in sides),
    )
