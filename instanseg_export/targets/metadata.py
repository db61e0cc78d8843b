"""Collects what an exported file says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from ..errors import ExportError
from ..metadata import LABELS, NETWORK, ModelMetadata, OutputFacts, SpecFacts
from ..untrusted.boundary import first_problem
from .static import LIMIT_OUTPUTS, StaticShape

if TYPE_CHECKING:
    from ..families.base import SegmentationForward
    from ..families.checkpoint import Checkpoint
    from ..metadata import Axis

__all__ = ["describe"]

_SPACE: dict[int, tuple[Axis, ...]] = {2: ("y", "x"), 3: ("z", "y", "x")}

_NETWORK = OutputFacts(name=NETWORK, role="network")


def describe(
    target: str, forward: SegmentationForward, checkpoint: Checkpoint, static: StaticShape | None = None
) -> ModelMetadata:
    """Say what a file was made from, by what, what it gives and what can be set.

    Args:
        target: name of the format.
        forward: that is written.
        checkpoint: that it was built from.
        static: what a format without dynamic shapes is made for; None for the defaults.

    Raises:
        SettingError: such a format has to fix the number of channels, and nobody says it.
        ExportError: the checkpoint says something that no file may say of itself.
    """
    from .. import __version__
    from . import TARGETS
    from .settings import is_fixed

    writer = TARGETS.get(target)
    shape = None if writer.dynamic_shapes else static or StaticShape()
    outputs = _outputs(forward, limited=shape is not None) if writer.whole else [_NETWORK]
    try:
        return ModelMetadata(
            version=__version__,
            target=target,
            dimensions=3 if forward.dimensions == 3 else 2,
            spec=SpecFacts.model_validate(checkpoint.spec.model_dump(mode="json")),
            source_sha256=checkpoint.sha256,
            baked=forward.baked,
            setting_rows=tuple(setting.describe(fixed=is_fixed(setting, writer)) for setting in forward.settings),
            outputs=tuple(outputs),
            convolves_after_network=forward.convolves_after_network,
            paired_by=forward.paired_by,
            image_shape=None if shape is None else shape.image_shape(forward),
            seed_capacity=None if shape is None or not writer.whole else shape.seeds,
        )
    except ValidationError as error:
        raise ExportError(
            f"{checkpoint.source} cannot be described in a file: {first_problem(error)}.",
            hint="Correct it with --spec key=value.",
        ) from error


def _outputs(forward: SegmentationForward, *, limited: bool) -> list[OutputFacts]:
    """Describe the results of a forward; ``limited`` says that the file has a fixed capacity, and says how full."""
    labels = OutputFacts(name=LABELS, role="labels", axes=("batch", "channel", *_SPACE[forward.dimensions]))
    further = [
        OutputFacts(name=output.name, role=output.role, axes=output.axes, columns=output.channels, values=output.values)
        for output in forward.further
    ]
    return [labels, *(LIMIT_OUTPUTS if limited else ()), *further]
