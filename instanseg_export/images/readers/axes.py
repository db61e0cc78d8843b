"""What the pages and samples of a TIFF file are: channels, slices, or rows of pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import ImageError

__all__ = ["Layout", "few_channels", "layout_of"]

_UNKNOWN = "IQ"
"""Pages of which the file does not say what they are."""

_FEW = 10
"""An axis of at most so many steps, where the others have more, holds channels."""

_MOST_CHANNELS = 64
"""Pages without axes beyond this number are no channels: nobody stains for as many."""

_NAMES = {"P": "positions", "R": "regions", "A": "angles", "H": "lifetimes", "V": "views", "M": "mosaic tiles"}


@dataclass(frozen=True)
class Layout:
    """Where the planes of an image lie.

    Attributes:
        height, width: of the image, as it is stored.
        channels: pages for different channels; 1 when all channels are samples of a pixel, or there is one.
        depth: slices of a volume, 1 for an image.
        page_depth: slices in one page.
        strides: how far the pages of neighbouring channels, and of neighbouring slices, are apart.
        pages: of the image.
        last: whether pages are rows of the image, and the columns of a page its channels.
        notes: what was assumed, as sentences.
    """

    height: int
    width: int
    channels: int
    depth: int
    page_depth: int
    strides: tuple[int, int]
    pages: int
    last: bool = False
    notes: tuple[str, ...] = ()

    @property
    def pages_deep(self) -> int:
        """How many pages hold the slices of one channel."""
        return self.depth // self.page_depth

    def page(self, channel: int, place: int) -> int:
        """Return the index of a page: that of a channel and the n-th of its slices."""
        return channel * self.strides[0] + place * self.strides[1]


def few_channels(sizes: tuple[int, int, int]) -> str:
    """Return which axis of three without names holds channels: "first", "last", or "" if that cannot be told."""
    first, middle, last = sizes
    if last <= _FEW < min(first, middle):
        return "last"
    return "first" if first <= _MOST_CHANNELS else ""


def layout_of(path: Path, series: Any, page: Any, dimensions: int) -> Layout:
    """Find out what the axes of an image are.

    Args:
        path: of the file, for messages.
        series: a ``tifffile.TiffPageSeries``.
        page: its first page.
        dimensions: 2 if an image is wanted, 3 if a volume is.

    Raises:
        ImageError: the axes are no image's (or no volume's).
    """
    whole = [(axis, size) for axis, size in zip(series.axes, series.shape, strict=True) if size > 1 or axis in "YX"]
    inner = [(axis, size) for axis, size in zip(page.axes, page.shape, strict=True) if size > 1 or axis in "YX"]
    split = len(whole) - len(inner)
    text = "".join(axis for axis, _ in whole)
    facts = f"{path} has axes {text} of {' x '.join(str(size) for _, size in whole)}"
    if split < 0 or [size for _, size in whole[split:]] != [size for _, size in inner]:
        raise ImageError(
            f"{facts}, which are not those of its pages ({' x '.join(map(str, page.shape))}).",
            hint="Export it again, one page per channel.",
        )
    lead = whole[:split]
    samples = int(page.samplesperpixel)
    _, page_depth, height, width, _ = page.shaped
    axes = "".join(axis for axis, _ in lead) + ("Z" if page_depth > 1 else "")
    count = math.prod(size for _, size in lead)
    notes: list[str] = []
    unknown = [axis for axis in axes if axis in _UNKNOWN]
    if len(unknown) == 1 and "C" not in axes and "T" not in axes and not (dimensions == 2 and "Z" in axes):
        axis = unknown[0]
        size = dict(lead)[axis]
        if dimensions == 3 and "Z" not in axes:
            lead = [("Z" if name == axis else name, length) for name, length in lead]
            notes.append(f"{path.name} has {size} pages without axes: they were taken for slices.")
        elif samples > 1:
            raise ImageError(
                f"{path} holds {size} pages of {samples} samples per pixel, and does not say what they are.",
                hint="Save the page that you mean alone.",
            )
        elif dimensions == 2 and few_channels((size, height, width)) == "last":
            note = (
                f"{path.name} has its {width} channels last, without axes: it was taken for {size} x {height} pixels."
            )
            return Layout(size, height, width, 1, 1, (0, 0), count, True, (note,))
        elif few_channels((size, height, width)) == "first":
            lead = [("C" if name == axis else name, length) for name, length in lead]
            notes.append(f"{path.name} has {_pages(size)} without axes: they were taken for channels.")
        else:
            raise ImageError(
                f"{path} holds {size} pages, and does not say what they are.",
                hint="Save one of them alone; or write axes, as in tifffile.imwrite(..., metadata={'axes': 'CYX'}).",
            )
        axes = "".join(axis for axis, _ in lead) + ("Z" if page_depth > 1 else "")
    _check(facts, axes, samples, dimensions)
    strides = {}
    step = 1
    for axis, size in reversed(lead):
        strides[axis], step = step, step * size
    sizes = dict(lead)
    return Layout(
        height,
        width,
        sizes.get("C", 1),
        sizes.get("Z", 1) * page_depth,
        page_depth,
        (strides.get("C", 0), strides.get("Z", 0)),
        count,
        notes=tuple(notes),
    )


def _pages(count: int) -> str:
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    return f"{words[count] if count < len(words) else count} pages"


def _check(facts: str, axes: str, samples: int, dimensions: int) -> None:
    """Refuse axes that an image, or a volume, does not have."""
    if dimensions == 2:
        if "T" in axes:
            raise ImageError(f"{facts}: it is a time series.", hint="Save one time point as its own file.")
        if "Z" in axes:
            raise ImageError(
                f"{facts}: it is a volume.",
                hint="Save one slice or a projection; if the slices are channels, say so in Fiji: Image > Properties.",
            )
        wanted, fine = "an image has height, width and channels", axes in ("", "C")
        hint = "Save one plane per channel."
    else:
        if "T" in axes:
            raise ImageError(
                f"{facts}: a volume has slices, height, width and channels.", hint="Save one time point alone."
            )
        if "Z" not in axes:
            raise ImageError(
                f"{facts}: it is a flat image, and the model takes volumes.", hint="Give a stack of slices."
            )
        wanted, fine = "a volume has slices, height, width and channels", sorted(axes) in (["Z"], ["C", "Z"])
        hint = "Save one volume alone."
    if not fine:
        other = next((_NAMES[axis] for axis in axes if axis in _NAMES), None)
        raise ImageError(f"{facts}{f' ({other})' if other else ''}: {wanted}.", hint=hint)
    if "C" in axes and samples > 1:
        raise ImageError(
            f"{facts}: it has channels in its pages, and {samples} samples per pixel in each.",
            hint="Save the page that you mean alone, or one grey page per channel.",
        )
