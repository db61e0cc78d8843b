"""Label maps of images that were changed after they were read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InstansegExportError
from ..images import rescale_labels
from ..images.image import Array
from ..targets import known_target
from ..targets.capabilities import misfit
from .finish import results_of
from .image_options import ImageOptions
from .label_maps import prepare_grey
from .model import Ready
from .prepare import Prepared, as_seen, save
from .segment import segment

__all__ = ["find_changed"]

Changed = Callable[[Array], Array]


@dataclass(frozen=True)
class _Waiting:
    """A changed image on disk."""

    place: int
    seen: Path
    shape: tuple[int, ...]
    resampled: bool


def find_changed(
    ready: Ready,
    image: Path,
    options: ImageOptions,
    changes: Sequence[Changed],
    folder: Path,
    *,
    time_limit: float,
) -> Iterator[Array | str]:
    """Yield the label map (T, H, W), or (T, D, H, W), of an image after each change, or why there is none.

    Intensities are taken as in the image itself: raw or normalised.

    Args:
        ready: the model.
        image: the file.
        options: pixel size and channels.
        changes: of the pixels (C, H, W), or (C, D, H, W), that the model's channels are taken from.
        folder: for what waits.
        time_limit: seconds for each.

    Raises:
        ImageError: the image cannot be read, or does not fit the model or into memory.
    """
    prepared, _ = prepare_grey(image, ready, options, folder, 0)
    planes = np.load(prepared.raw, mmap_mode="r", allow_pickle=False)
    found: dict[int, Array | str] = {}
    waiting = []
    for place, change in enumerate(changes):
        one, why = _wait(ready, prepared, change(np.asarray(planes)), folder, place)
        if one is None:
            found[place] = why
        else:
            waiting.append(one)
    outcomes = segment(ready, [one.seen for one in waiting], prepared.normalize, time_limit=time_limit)
    for one, outcome in zip(waiting, outcomes, strict=True):
        try:
            labels, _, _ = results_of(ready, image, outcome)
        except InstansegExportError as error:
            found[one.place] = error.message.rstrip(".")
        else:
            found[one.place] = rescale_labels(labels, one.shape)[0] if one.resampled else labels
        one.seen.with_suffix(".npz").unlink(missing_ok=True)
    del planes
    prepared.raw.unlink(missing_ok=True)
    prepared.seen.unlink(missing_ok=True)
    yield from (found[place] for place in range(len(changes)))


def _wait(ready: Ready, prepared: Prepared, planes: Array, folder: Path, place: int) -> tuple[_Waiting | None, str]:
    if 0 in planes.shape:
        return None, "nothing of the image is left"
    seen, _ = as_seen(planes, ready, prepared.normalize, prepared.factors, prepared.pixel_size, prepared.path.name)
    if why := misfit(known_target(ready.runtime.target), ready.file, (1, *seen.shape)):
        return None, why
    file = folder / f"changed-{place}.npy"
    save(file, seen[None])
    return _Waiting(place, file, planes.shape[1:], prepared.resampled), ""
