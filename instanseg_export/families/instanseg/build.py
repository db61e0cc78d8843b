"""The last step of every reader: weights and facts become a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..checkpoint import Checkpoint
from ..facts import Fact
from ..weights import fill
from .architecture import measure
from .describe import describe
from .sam_weights import settle

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["build"]


def build(
    weights: Mapping[str, Tensor],
    facts: Mapping[str, Fact],
    source: Path,
    *,
    sha256: str,
    reader: str,
    settings: Mapping[str, Any] | None = None,
    notes: tuple[str, ...] = (),
) -> Checkpoint:
    """Describe the network, build it and fill it with its weights.

    Args:
        weights: float32, under canonical names.
        facts: what the files and the user state.
        source: the file of the weights.
        sha256: of its bytes.
        reader: the name of the calling reader.
        settings: tuned defaults, by name.
        notes: sentences that the reader adds to what is inferred.

    Raises:
        SpecError: the facts contradict the weights or each other.
        CheckpointError: the weights do not fit.
    """
    from .network import InstanSegNetwork

    weights = settle(weights, source)
    spec, inferred = describe(measure(weights, source), facts, source, settings=settings)
    network = fill(lambda: InstanSegNetwork(spec), weights, source, title=spec.title)
    return Checkpoint(spec, network, source, sha256, reader, (*notes, *inferred))
