"""All that the package knows of a kind of network, in one object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from .checkpoint import Checkpoint, Reader
from .settings import Setting
from .signatures import WeightSignature
from .spec import ModelSpec

if TYPE_CHECKING:
    from .base import SegmentationForward

__all__ = ["Family", "ForeignFiles", "Restore"]


class Restore(Protocol):
    """Builds the network of a description and fills it with weights that this package wrote."""

    def __call__(
        self,
        spec: ModelSpec,
        state: Mapping[Any, Any],
        overrides: Mapping[str, str],
        path: Path,
        *,
        sha256: str,
        reader: str,
        folded: bool = False,
    ) -> Checkpoint:
        """Return the checkpoint.

        Args:
            spec: of the family.
            state: name to tensor, as :func:`.save_checkpoint` or an export left them.
            overrides: ``--spec key=value`` of the command line.
            path: of the file, for messages.
            sha256: of its bytes.
            reader: the name of the calling reader.
            folded: whether batch norms may be folded into convolutions, as an export does.

        Raises:
            SpecError: an override is unknown or malformed, or contradicts the weights.
            CheckpointError: the weights do not fit.
        """
        ...


@dataclass(frozen=True)
class ForeignFiles:
    """Exported files of a family that another program wrote, and that say nothing of themselves.

    Attributes:
        recognises: tells by name and first bytes whether a file is one.
        settings: what can be set in them at run time.
    """

    recognises: Callable[[Path], bool]
    settings: tuple[Setting, ...]


@dataclass(frozen=True)
class Family:
    """A kind of network. A description names its own in ``family``; see :data:`.registry.FAMILIES`.

    Importing a family imports no torch: what needs it does so when it is called.

    Attributes:
        spec: the class of its descriptions.
        restore: makes a checkpoint of a description and weights that this package wrote.
        build_forward: joins a checkpoint's network with the stages of the family; see
            :func:`.registry.build_forward`.
        readers: of its own kinds of files, such as what training leaves. Families may share one.
        run_files: names of the file of weights in the folder of a training run, where a reader takes such folders.
        signatures: by which its weights are told from others, the most specific first; also those of networks that it
            knows by name and cannot read.
        foreign: exported files that others wrote.
        percentiles: by which its forwards normalise, low and high.
        numbers_per_pixel: float32 numbers that the network holds at a time for each pixel of the image, from the
            description, the target's name and the image's channels; None where nobody measured it.
    """

    spec: type[ModelSpec]
    restore: Restore
    build_forward: Callable[[Checkpoint, Mapping[str, Any]], SegmentationForward]
    readers: tuple[Reader, ...] = ()
    run_files: tuple[str, ...] = ()
    signatures: tuple[WeightSignature, ...] = ()
    foreign: ForeignFiles | None = None
    percentiles: tuple[float, float] = (0.1, 99.9)
    numbers_per_pixel: Callable[[Any, str, int], float] | None = None
