"""Changes of an image that should change nothing of what is found in it, and how much they do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..images.image import Array
from .intervals import Resampling
from .metrics import match, overlaps
from .records import Estimate, Stability

__all__ = ["CHANGES", "Change", "Kept", "changes_in_words", "changes_of", "count_kept", "stability_of"]

Labels = npt.NDArray[np.int64]

_MOST_SHIFT = 15
_SHIFTS = 3
_BRIGHTER, _DARKER = 1.05, 0.95

CHANGES = {
    "shift": f"shifted by 1 to {_MOST_SHIFT} pixels",
    "mirror": "mirrored",
    "brightness": "5 % brighter or darker",
    "tiles": "in tiles of 512 pixels with a halo of 80",
}
"""What is done, in words. A shift cuts rows and columns off the upper left: what remains is real, and lies elsewhere on
the network's grid. Brightness multiplies each value; whole numbers are rounded, and stay in the range of their type.
Volumes are shifted in the plane of their slices, and mirrored along z too: test-time augmentation of volumes takes all
three mirrors for views of the same one (Lalit et al. 2022)."""

_OF_VOLUMES = {"mirror": "mirrored along x, y and z"}


@dataclass(frozen=True)
class Change:
    """A change of an image.

    Attributes:
        kind: a key of :data:`CHANGES`.
        apply: makes it, of pixels (C, H, W) or (C, D, H, W).
        back: from a label map (T, H, W) or (T, D, H, W) of the changed image to the frame of what remains.
        cut: rows and columns that are missing at the upper left.
    """

    kind: str
    apply: Callable[[Array], Array]
    back: Callable[[Labels], Labels] = lambda labels: labels
    cut: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Kept:
    """What became of the instances of one image.

    Attributes:
        objects: in the image as it is, of those that remain whole.
        at_50, at_90: that have a partner of such an IoU.
    """

    objects: int
    at_50: int
    at_90: int


def changes_in_words(dimensions: int) -> dict[str, str]:
    """Return :data:`CHANGES` as they are done to images, or volumes, of so many dimensions."""
    return CHANGES | (_OF_VOLUMES if dimensions == 3 else {})


def changes_of(place: int, dimensions: int = 2) -> list[Change]:
    """Return the changes that an image goes through: three shifts, a mirror along each axis, brighter and darker.

    Args:
        place: of the image; the shifts of different images differ.
        dimensions: 3 for volumes.
    """
    chance = np.random.default_rng(place)
    changes = []
    for _ in range(_SHIFTS):
        down, right = (int(one) for one in chance.integers(1, _MOST_SHIFT + 1, 2))
        changes.append(Change("shift", _cut(down, right), cut=(down, right)))
    changes += [Change("mirror", _mirror(axis), _mirror(axis)) for axis in range(-1, -dimensions - 1, -1)]
    changes += [Change("brightness", _brighter(factor)) for factor in (_BRIGHTER, _DARKER)]
    return changes


def _cut(down: int, right: int) -> Callable[[Array], Array]:
    return lambda planes: np.ascontiguousarray(planes[..., down:, right:])


def _mirror(axis: int) -> Callable[[Array], Array]:
    return lambda planes: np.ascontiguousarray(np.flip(planes, axis))


def _brighter(factor: float) -> Callable[[Array], Array]:
    def apply(planes: Array) -> Array:
        if planes.dtype.kind == "b":
            return planes
        if planes.dtype.kind == "f":
            return np.asarray(planes * planes.dtype.type(factor))
        bounds = np.iinfo(planes.dtype)
        return np.clip(np.rint(planes * factor), bounds.min, bounds.max).astype(planes.dtype)

    return apply


def count_kept(as_it_is: Labels, changed: Labels, cut: tuple[int, int] = (0, 0)) -> Kept:
    """Count the instances that keep a partner.

    Args:
        as_it_is: what was found in the image, (T, H, W) or (T, D, H, W).
        changed: what was found in the changed one, in the frame of what remains of it.
        cut: rows and columns that are missing in it at the upper left; instances that reach into them do not count.
    """
    down, right = cut
    objects, at_50, at_90 = 0, 0, 0
    for before, after in zip(as_it_is, changed, strict=True):
        lost = np.union1d(np.unique(before[..., :down, :]), np.unique(before[..., :right]))
        whole = before[..., down:, right:]
        if cut != (0, 0):
            # Also those that end at the cut: the changed image does not show what is beyond.
            lost = np.union1d(lost, np.concatenate([whole[..., :1, :].ravel(), whole[..., :1].ravel()]))
            whole = np.where(np.isin(whole, lost), 0, whole)
        pairs = overlaps(whole, after)
        objects += len(pairs.first_ids)
        at_50 += len(match(pairs, 0.5))
        at_90 += len(match(pairs, 0.9))
    return Kept(objects, at_50, at_90)


def stability_of(kind: str, kept: Sequence[tuple[str, Kept]], dimensions: int = 2) -> Stability:
    """Return the shares of all images together, with intervals.

    Args:
        kind: a key of :data:`CHANGES`.
        kept: unit of each image, and what became of its instances; an image may be there several times.
        dimensions: 3 for volumes.
    """
    drawn = Resampling([unit for unit, _ in kept])
    objects = np.array([[one.objects] for _, one in kept], dtype=np.float64)
    shares = []
    for counts in ([one.at_50 for _, one in kept], [one.at_90 for _, one in kept]):
        above = np.array(counts, dtype=np.float64)[:, None]
        total = float(objects.sum())
        if not total:
            shares.append(Estimate(value=None))
            continue
        low, high = drawn.interval(drawn.draws(above, objects)) or (None, None)
        shares.append(Estimate(value=float(above.sum()) / total, low=low, high=high))
    return Stability(
        kind=kind,
        title=changes_in_words(dimensions)[kind],
        images=len(dict.fromkeys(unit for unit, _ in kept)),
        objects=int(objects.sum()),
        kept_50=shares[0],
        kept_90=shares[1],
    )
