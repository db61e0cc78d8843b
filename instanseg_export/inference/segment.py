"""Images that wait on disk, through the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ..runtimes.outcome import Outcome
from ..runtimes.process import run_runtime
from .model import Ready

__all__ = ["segment"]


def segment(
    ready: Ready,
    inputs: Sequence[Path],
    normalize: str,
    *,
    time_limit: float,
    on_image: Callable[[int], None] = lambda place: None,
) -> list[Outcome]:
    """Run a model on images and remove their files.

    Args:
        ready: the model.
        inputs: .npy of each, as the model sees it, float32 with a batch axis in front.
        normalize: how the model is told to take their intensities.
        time_limit: seconds for each.
        on_image: called with an image's place when its outcome is known.

    Returns:
        One outcome per image, in order; its file lies beside the image, with the ending .npz.
    """
    known = ready.metadata is not None and "normalize" in ready.metadata.baked
    normalizes = known and "normalize" not in ready.fixed
    outcomes = run_runtime(
        ready.runtime,
        ready.file,
        inputs,
        [path.with_suffix(".npz") for path in inputs],
        device=ready.device,
        settings={**ready.settings, **({"normalize": normalize} if normalizes else {})},
        time_limit=time_limit,
        on_image=on_image,
    )
    for path in inputs:
        path.unlink(missing_ok=True)
    return outcomes
