"""From a description to the network, for images and for volumes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .spec import EmbedSeg3DSpec, EmbedSegSpec

if TYPE_CHECKING:
    from torch import nn

__all__ = ["OVERRIDES", "build_network"]


def build_network(spec: EmbedSegSpec) -> nn.Module:
    """Build the network of a description; its weights are random until they are loaded."""
    from .network import BranchedERFNet

    return BranchedERFNet(spec.channels, (2 * spec.dimensions, 1), spec.dimensions, spec.widths)


def _numbers(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: tuple(kind(part) for part in text.replace(",", " ").split())


_FIELDS: Mapping[str, Callable[[str], Any]] = {"grid": _numbers(int), "extent": _numbers(float)}

OVERRIDES: Mapping[type[EmbedSegSpec], Mapping[str, Callable[[str], Any]]] = {
    EmbedSegSpec: _FIELDS,
    EmbedSeg3DSpec: {**_FIELDS, "slice_distance": float},
}
"""What ``--spec`` may override in each kind of description, and how its text is read."""
