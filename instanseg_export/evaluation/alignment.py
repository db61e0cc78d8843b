"""Label maps that do not lie on their images: shifted by a few pixels, mirrored or turned.

Such labels give low figures that are no fault of the model. So for each image the label map is laid over what was found
at every shift of up to 15 pixels, and where another shift or orientation fits better, matches are counted again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ..untrusted.boundary import plain
from .metrics import F1_MU_THRESHOLDS, Counts, count_pairs, overlaps

__all__ = ["Alignment"]

Labels = npt.NDArray[np.int64]
Shift = tuple[int, int]

_FARTHEST = 15
"""Pixels along each axis."""

_SIDE = 1024
"""Of larger images, only the middle is looked at."""

_GAIN = 0.02
"""Of F1µ over all images, from which on they count as shifted."""

_GAIN_OF_ONE = 0.2
"""Of F1µ of one image: single images gain more by chance."""

_FEWEST = 3
"""True instances in an image that is judged by itself."""

_TURNS: Mapping[str, Callable[[Labels], Labels]] = {
    "mirrored left to right": lambda labels: labels[..., ::-1],
    "mirrored top to bottom": lambda labels: labels[..., ::-1, :],
    "turned by 180 degrees": lambda labels: labels[..., ::-1, ::-1],
    "transposed": lambda labels: labels.swapaxes(-1, -2),
    "turned by 90 degrees clockwise": lambda labels: labels[..., ::-1, :].swapaxes(-1, -2),
    "turned by 90 degrees counter-clockwise": lambda labels: labels.swapaxes(-1, -2)[..., ::-1, :],
    "mirrored at the other diagonal": lambda labels: labels[..., ::-1, ::-1].swapaxes(-1, -2),
}


@dataclass
class Alignment:
    """Collects how label maps lie on images, one after the other.

    Attributes:
        names: of the images that were added.
    """

    names: list[str] = field(default_factory=list)
    _sum: npt.NDArray[np.float64] | None = None
    _shifts: list[Shift] = field(default_factory=list)
    _places: list[int] = field(default_factory=list)
    _turned: dict[str, list[str]] = field(default_factory=dict)

    def add(self, place: int, name: str, found: Labels, truth: Labels) -> None:
        """Look at one image.

        Args:
            place: of the image, by which it is asked for again.
            name: of it.
            found: what the model found, (T, H, W); volumes are left out.
            truth: the label map, alike.
        """
        if found.ndim != 3 or not found.any() or not truth.any():
            return
        found, truth = _middle(found), _middle(truth)
        covariance = _covariance(found.max(axis=0) > 0, truth.max(axis=0) > 0)
        self.names.append(name)
        self._places.append(place)
        self._shifts.append(_best(covariance))
        self._sum = covariance if self._sum is None else self._sum + covariance
        turn = _turn(found, truth)
        if turn:
            self._turned.setdefault(turn, []).append(name)

    def warnings(self, load: Callable[[int], tuple[Labels, Labels]]) -> list[str]:
        """Return what is wrong with the label maps, as sentences.

        Args:
            load: returns found and true labels of an image's place.
        """
        sentences = [
            f"The label map{'s' * (len(names) != 1)} of {_named(names)} seem{'s' * (len(names) == 1)} to be {turn}: "
            f"so, far more instances match."
            for turn, names in self._turned.items()
        ]
        if self._sum is None:
            return sentences
        common = _best(self._sum)
        if common != (0, 0):
            before, after = self._f1_mu(self._places, common, load)
            if after - before >= _GAIN:
                return [
                    *sentences,
                    f"The label maps seem to be shifted by {_words(common)}: laid back, F1µ of all images together "
                    f"rises from {before:.3f} to {after:.3f}. Check how images and label maps were made.",
                ]
        turned = {name for names in self._turned.values() for name in names}
        shifted: list[tuple[str, Shift]] = []
        for place, name, shift in zip(self._places, self.names, self._shifts, strict=True):
            if shift == (0, 0) or name in turned or len(np.unique(load(place)[1])) <= _FEWEST:
                continue
            before, after = self._f1_mu([place], shift, load)
            if after - before >= _GAIN_OF_ONE:
                shifted.append((name, shift))
        if shifted:
            listed = ", ".join(f"{plain(name, 80)} ({_words(shift)})" for name, shift in shifted[:3])
            more = f" and {len(shifted) - 3} more" if len(shifted) > 3 else ""
            one = len(shifted) == 1
            sentences.append(
                f"The label map{'s' * (not one)} of {listed}{more} seem{'s' * one} to be shifted: laid back, F1µ there "
                f"rises by {_GAIN_OF_ONE} or more."
            )
        return sentences

    def _f1_mu(
        self, places: Sequence[int], shift: Shift, load: Callable[[int], tuple[Labels, Labels]]
    ) -> tuple[float, float]:
        """Return F1µ, pooled, of the part of images that remains when label maps are laid back: as it is, and then."""
        before = {threshold: Counts() for threshold in F1_MU_THRESHOLDS}
        after = dict(before)
        for place in places:
            found, truth = map(_middle, load(place))
            here, moved = _laid(found, shift, back=False), _laid(truth, shift, back=True)
            for counts, labels in ((before, _laid(truth, shift, back=False)), (after, moved)):
                for one, true in zip(here, labels, strict=True):
                    pairs = overlaps(one, true)
                    for threshold in F1_MU_THRESHOLDS:
                        counts[threshold] += count_pairs(pairs, threshold)
        return _mean(before), _mean(after)


def _mean(counts: Mapping[float, Counts]) -> float:
    return float(np.nan_to_num([one.f1 for one in counts.values()]).mean())


def _middle(labels: Labels) -> Labels:
    height, width = labels.shape[1:]
    top, left = max(0, (height - _SIDE) // 2), max(0, (width - _SIDE) // 2)
    return labels[:, top : top + _SIDE, left : left + _SIDE]


def _covariance(found: npt.NDArray[np.bool_], truth: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Return how well two masks go together when the second is laid back by each shift, (31, 31)."""
    from scipy.fft import irfft2, next_fast_len, rfft2

    shape = [next_fast_len(size + 2 * _FARTHEST, real=True) for size in found.shape]
    first = rfft2(found.astype(np.float32) - found.mean(dtype=np.float32), shape)
    second = rfft2(truth.astype(np.float32) - truth.mean(dtype=np.float32), shape)
    whole = irfft2(second * first.conj(), shape)
    shifts = np.arange(-_FARTHEST, _FARTHEST + 1)
    return np.asarray(whole[np.ix_(shifts % shape[0], shifts % shape[1])], dtype=np.float64)


def _best(covariance: npt.NDArray[np.float64]) -> Shift:
    y, x = np.unravel_index(int(covariance.argmax()), covariance.shape)
    return int(y) - _FARTHEST, int(x) - _FARTHEST


def _laid(labels: Labels, shift: Shift, *, back: bool) -> Labels:
    """Return the part of a map that remains under a shift: of one that stays, or of one that is laid back."""
    parts = []
    for size, by in zip(labels.shape[1:], shift, strict=True):
        start = max(0, by) if back else max(0, -by)
        parts.append(slice(start, start + max(0, size - abs(by))))
    return labels[:, parts[0], parts[1]]


def _turn(found: Labels, truth: Labels) -> str:
    """Return the orientation in which far more instances match; empty where there is none."""
    if len(np.unique(truth)) <= _FEWEST:
        return ""
    as_it_is = _f1(found, truth)
    if as_it_is > 0.5:
        return ""
    fits = {
        name: _f1(found, turned)
        for name, turn in _TURNS.items()
        if (turned := np.ascontiguousarray(turn(truth))).shape == truth.shape
    }
    best = max(fits, key=lambda name: fits[name], default="")
    return best if best and fits[best] - as_it_is >= 0.3 else ""


def _f1(found: Labels, truth: Labels) -> float:
    counts = Counts()
    for one, true in zip(found, truth, strict=True):
        counts += count_pairs(overlaps(one, true), 0.5)
    return float(np.nan_to_num(counts.f1))


def _words(shift: Shift) -> str:
    y, x = shift
    parts = []
    if y:
        parts.append(f"{abs(y)} pixel{'s' * (abs(y) != 1)} {'down' if y > 0 else 'up'}")
    if x:
        parts.append(f"{abs(x)} pixel{'s' * (abs(x) != 1)} to the {'right' if x > 0 else 'left'}")
    return " and ".join(parts)


def _named(names: Sequence[str]) -> str:
    listed = ", ".join(plain(name, 80) for name in names[:3])
    return listed if len(names) <= 3 else f"{listed} and {len(names) - 3} more"
