"""Images that show what a model does, and that prove it: its test tensors, its cover and its parity report use them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError, PackageError
from ..families.outputs import label_map

if TYPE_CHECKING:
    from ..families.base import SegmentationForward
    from ..families.checkpoint import Checkpoint

__all__ = ["Sample", "choose_samples"]

FloatArray = NDArray[np.float32]

_LARGEST = {2: (512, 512), 3: (40, 128, 128)}
"""Larger images and volumes are cut: a package carries its samples, and every runtime segments them on every export."""

_SMALLEST_SIGNAL = 1e-4
"""The zoo refuses a test image in which no value is larger."""

_ANY_CHANNELS = 2
"""Channels of drawn images for networks that take any number."""

_RADII = (10, 6, 16, 4)
"""Of drawn objects, in pixels: that of the nuclei in most training data first."""


@dataclass(frozen=True)
class Sample:
    """An image that goes into the package.

    Attributes:
        name: short, of letters, digits, _ and -; unique within a package.
        image: (C, H, W), or (C, D, H, W), float32, in the raw range of its source, with the number of channels that the
            model takes.
        note: where it is from and what was done to it, in plain words.
        objects: how many instances the forward finds in it.
    """

    name: str
    image: FloatArray
    note: str
    objects: int


def bundled_images() -> list[Path]:
    """Return the images that come with this package: CC0 crops of the demo model, from a wheel or a source checkout."""
    root = Path(__file__).resolve().parent.parent
    for folder in (root / "_samples", root.parent / "model_zoo" / "nuclei_dsb2018" / "images"):
        found = sorted([*folder.glob("*.png"), *folder.glob("*.tif")])
        if found:
            return found
    raise PackageError("The images that come with this package are not there.", hint="Install instanseg-export again.")


def _count(forward: SegmentationForward, image: FloatArray) -> int:
    """Return how many instances the forward finds when the image is normalised, as the package's clients do it."""
    import torch

    always = torch.tensor(1)
    with torch.inference_mode():
        labels = label_map(forward(torch.from_numpy(image[None]), {"normalize": always}))
    return int(torch.unique(labels[labels > 0]).numel())


def _windows(shape: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    """Yield windows of at most the largest size: the middle of the image first, then its corners and edges."""
    largest = _LARGEST[len(shape)]
    starts = [_starts(size, most) for size, most in zip(shape, largest, strict=True)]
    middle = [places[0] for places in starts]
    corners = sorted(
        itertools.product(*starts),
        key=lambda corner: sum(abs(start - first) for start, first in zip(corner, middle, strict=True)),
    )
    for corner in corners:
        ends = zip(corner, shape, largest, strict=True)
        yield tuple(slice(start, min(start + most, size)) for start, size, most in ends)


def _starts(size: int, most: int) -> list[int]:
    rest = max(size - most, 0)
    return list(dict.fromkeys([rest // 2, 0, rest]))


def _cut(forward: SegmentationForward, image: FloatArray) -> tuple[FloatArray, str, int]:
    """Return the first window that shows instances (else the middle one), what was done, and how many it shows."""
    shape = image.shape[1:]
    if all(size <= most for size, most in zip(shape, _LARGEST[len(shape)], strict=True)):
        return image, "", _count(forward, image)
    first: tuple[FloatArray, str, int] | None = None
    for window in _windows(shape):
        part = np.ascontiguousarray(image[(slice(None), *window)])
        names = ("slices", "rows", "columns")[-len(shape) :]
        ranges = (f"{name} {one.start}-{one.stop - 1}" for name, one in zip(names, window, strict=True))
        found = part, f"cut to {', '.join(ranges)}", _count(forward, part)
        if found[2]:
            return found
        first = first or found
    assert first is not None
    return first


def _adapt(image: FloatArray, channels: int | None) -> tuple[FloatArray, str]:
    """Give one of our own images the number of channels that the model takes."""
    have = image.shape[0]
    if channels is None or channels == have:
        return image, ""
    if channels == 1:
        return image.mean(axis=0, keepdims=True, dtype=np.float32), "channels averaged to one"
    if have == 1:
        return np.repeat(image, channels, axis=0), f"its channel repeated {channels} times"
    cycled = np.stack([image[index % have] for index in range(channels)])
    return cycled, f"its first {channels} channels" if channels < have else f"channels repeated to {channels}"


def _blobs(channels: int, radius: float, dark: bool, size: int = 256) -> FloatArray:
    """Draw 25 round objects of that radius in pixels, with soft edges, on a noisy ground; the same each time."""
    generator = np.random.default_rng(0)
    rows, columns = np.mgrid[:size, :size]
    picture = np.zeros((size, size))
    for place in range(25):
        row, column = (np.array(divmod(place, 5)) + 0.5) * size / 5 + generator.uniform(-4, 4, 2)
        distance = np.hypot(rows - row, columns - column)
        # The exponent is bounded, since far pixels would overflow it.
        picture = np.maximum(picture, 1 / (1 + np.exp(np.minimum(distance - radius * generator.uniform(0.8, 1.2), 50))))
    picture = 30 + 150 * picture + generator.normal(0, 3, picture.shape)
    if dark:
        picture = 230 - picture
    return np.repeat(picture.clip(0, 255).round().astype(np.float32)[None], channels, axis=0)


def _balls(channels: int, radius: float, dark: bool) -> FloatArray:
    """Draw the same as a volume: balls of that radius in voxels."""
    from ..images.synthetic_volumes import draw_spheres

    spacing = radius * 3.2
    return draw_spheres(0, channels, (32, 96, 96), spacing=spacing, radius=radius, margin=spacing / 2, dark=dark)


def _draw(forward: SegmentationForward, channels: int, dimensions: int) -> list[Sample]:
    """Return drawn images of the first size of object that the forward finds."""
    found: list[Sample] = []
    for radius in _RADII:
        found = []
        for dark in (False, True):
            image = _blobs(channels, radius, dark) if dimensions == 2 else _balls(channels, radius, dark)
            objects = _count(forward, image)
            name = "blobs_dark" if dark else "blobs_bright"
            ground = "dark on bright ground" if dark else "bright on dark ground"
            found.append(Sample(name, image, f"drawn: round objects of {radius} pixels radius, {ground}", objects))
        if any(sample.objects for sample in found):
            return [sample for sample in found if sample.objects]
    # No image comes with this package that could stand in for a volume.
    return [] if dimensions == 2 else found


def _read(path: Path, dimensions: int) -> FloatArray:
    from ..images import read_image

    array: NDArray[Any] = read_image(path, dimensions).array
    return np.ascontiguousarray(array, dtype=np.float32)


def _clean(image: FloatArray, path: Path) -> tuple[FloatArray, str]:
    """Set NaN and infinities to 0, as background, since the zoo's percentiles would spread them."""
    finite = np.isfinite(image)
    if np.abs(image[finite]).max(initial=0) < _SMALLEST_SIGNAL:
        raise ImageError(
            f"{path} is empty: all its values are 0, below {_SMALLEST_SIGNAL:g} or not finite.",
            hint="Give an image that shows something.",
        )
    if finite.all():
        return image, ""
    return np.where(finite, image, 0).astype(np.float32), f"{(~finite).sum()} values that are not finite set to 0"


def _unique(name: str, taken: set[str]) -> str:
    base = re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_") or "sample"
    unique, number = base, 2
    while unique in taken:
        unique, number = f"{base}_{number}", number + 1
    taken.add(unique)
    return unique


def _note(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def choose_samples(
    checkpoint: Checkpoint, forward: SegmentationForward, paths: Sequence[Path] | None = None
) -> list[Sample]:
    """Return the images of a package, those in which the forward finds most instances first.

    Args:
        checkpoint: says how many channels the model takes.
        forward: of ``build_forward``; counts the instances.
        paths: images that show what the model is for, with the model's own channels. Without any, two images that come
            with this package are adapted to the model. Where these show no instance, and for volumes, round objects are
            drawn, bright on dark and dark on bright.

    Returns:
        at least one sample; its ``objects`` may be 0 when the forward finds nothing in any of them.

    Raises:
        ImageError: an image of ``paths`` cannot be read, has another number of channels than the model, or is empty.
    """
    channels, dimensions = checkpoint.spec.channels, checkpoint.spec.dimensions
    taken: set[str] = set()
    samples = []
    for path in paths or (bundled_images() if dimensions == 2 else ()):
        image = _read(path, dimensions)
        done = ""
        if paths:
            if channels is not None and image.shape[0] != channels:
                raise ImageError(
                    f"{path} has {image.shape[0]} channels, but the model takes {channels}.",
                    hint=f"Give images with {channels} channels, or none to take those that come with this package.",
                )
            source = f"{path.name}, given by the one who made this package"
        else:
            image, done = _adapt(image, channels)
            source = f"{path.name}, a CC0 image of BBBC038 (Data Science Bowl 2018)"
        image, cleaned = _clean(image, path)
        image, cut, objects = _cut(forward, image)
        samples.append(Sample(_unique(path.stem, taken), image, _note(source, cleaned, done, cut), objects))
    if not any(sample.objects for sample in samples):
        drawn = _draw(forward, channels or _ANY_CHANNELS, dimensions)
        samples += [replace(sample, name=_unique(sample.name, taken)) for sample in drawn]
    return sorted(samples, key=lambda sample: -sample.objects)
