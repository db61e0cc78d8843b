"""Telling networks apart by the names of their weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["WeightSignature", "network_of"]


class WeightSignature(NamedTuple):
    """Part of a weight's name that only one kind of network has.

    Attributes:
        marker: the part, as it stands in the file.
        network: whose it is, for people.
    """

    marker: bytes
    network: str


def network_of(names: bytes, signatures: Iterable[WeightSignature]) -> str | None:
    """Return the network of the first signature that matches, or None.

    Args:
        names: the bytes in which the names of the weights stand; see :func:`.archives.torch_archive.peek`.
        signatures: the most specific ones first.
    """
    return next((signature.network for signature in signatures if signature.marker in names), None)
