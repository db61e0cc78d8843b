"""EmbedSeg's weights: how files are told by them, and how their names become those of :mod:`.embedseg.network`."""

from __future__ import annotations

import re

from ..signatures import WeightSignature

__all__ = ["SIGNATURES", "canonical_name"]

SIGNATURES = (WeightSignature(b"encoder.initial_block.conv.weight", "EmbedSeg (BranchedERFNet)"),)

_UNUSED = "encoder.output_conv."
"""EmbedSeg creates this layer for training an encoder alone; with decoders it is never called."""


def canonical_name(key: str, dimensions: int) -> str | None:
    """Return our name of a weight, or None for one that the network does not use.

    EmbedSeg numbers the blocks of encoder and decoders from the second on, and calls the convolutions of a block by
    the shape of their kernels and by the turn: ``conv3x1_1``, ``conv1x3_1``, ``bn1``, ``conv3x1_2``, ... Ours are
    numbered in the order in which they run; the last convolution of each turn is joined with its norm.

    Args:
        key: without what wrappers put in front.
        dimensions: 2 or 3.
    """
    if key.startswith(_UNUSED):
        return None
    key = key.replace("encoder.initial_block.", "encoder.0.")
    key = re.sub(r"^encoder\.layers\.(\d+)\.", lambda match: f"encoder.{int(match[1]) + 1}.", key)
    key = re.sub(r"^(decoders\.\d+)\.layers\.", r"\1.", key)
    key = re.sub(r"^(decoders\.\d+)\.output_conv\.", r"\1.6.", key)
    key = re.sub(r"^(decoders\.\d+\.\d+)\.conv\.", r"\1.0.", key)
    key = re.sub(r"^(decoders\.\d+\.\d+)\.bn\.", r"\1.1.", key)

    def in_block(match: re.Match[str]) -> str:
        turn = "first" if match[2] == "1" else "second"
        last = dimensions - 1
        axis = last if match[1] is None else match[1].split("x").index("3")
        layer = 1 if match[1] is None else 0
        return f".{turn}.{2 * axis}.{layer}." if axis == last else f".{turn}.{2 * axis}."

    return re.sub(r"\.(?:conv([13x]*3[13x]*)_|bn)([12])\.", in_block, key)
