"""The families of EmbedSeg networks, for images and for volumes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..spec_family import DescribedFamily
from .spec import EmbedSeg3DSpec, EmbedSegSpec

if TYPE_CHECKING:
    from torch import nn

__all__ = ["FAMILY", "FAMILY_3D"]


def _network(spec: EmbedSegSpec) -> nn.Module:
    from .network import BranchedERFNet

    return BranchedERFNet(spec.channels, (2 * spec.dimensions, 1), spec.dimensions)


def _numbers(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: tuple(kind(part) for part in text.replace(",", " ").split())


_FIELDS: dict[str, Callable[[str], Any]] = {"grid": _numbers(int), "extent": _numbers(float)}

FAMILY = DescribedFamily(EmbedSegSpec, _network, _FIELDS)
FAMILY_3D = DescribedFamily(EmbedSeg3DSpec, _network, {**_FIELDS, "slice_distance": float})
