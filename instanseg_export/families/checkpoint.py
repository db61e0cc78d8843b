"""What every reader returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import nn

    from .spec import ModelSpec

__all__ = ["Checkpoint", "Load", "Reader"]


@dataclass(frozen=True)
class Checkpoint:
    """A network with its weights and its description.

    Attributes:
        spec: the description, of the network's own family.
        network: on the CPU, float32, in eval mode; maps images (B, C, [D,] H, W), whose sizes are multiples of its
            attribute ``multiple``, to feature maps. It owns whatever else has trained weights, such as a classifier of
            pixels or objects, which forwards call.
        source: the file that the weights came from.
        sha256: of that file, in hex.
        reader: the name of the reader that read it.
        inferred: one plain sentence for each fact that no file states and that was concluded from the weights.
    """

    spec: ModelSpec
    network: nn.Module
    source: Path
    sha256: str
    reader: str
    inferred: tuple[str, ...] = ()


Load = Callable[[Path, dict[str, str]], Checkpoint]
"""Reads a checkpoint of any kind, with overrides of its description."""


class Reader(Protocol):
    """Reads one kind of checkpoint.

    Attributes:
        name: unique; users see it.
        describes: the kind of file, in a few words, for messages.
    """

    name: str
    describes: str

    def recognises(self, path: Path) -> bool:
        """Tell by name and first bytes, without loading weights, whether ``path`` is of this kind."""
        ...

    def read(self, path: Path, overrides: dict[str, str], load: Load) -> Checkpoint:
        """Load the checkpoint.

        Args:
            path: the file, or the folder of a training run.
            overrides: ``--spec key=value`` of the command line; they win over what the files say.
            load: for files that name other checkpoints.

        Raises:
            CheckpointError: it is damaged, unsafe, incomplete or contradictory.
        """
        ...
