"""One image, as the model wants it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..images import ImageInfo, probe_image, read_image, rescale
from ..images.channels import choose_channels
from ..images.image import Array, PixelSize
from ..images.region import region_of
from ..images.rescale import SAME_SIZE
from ..images.single import as_float32
from ..targets import known_target
from ..targets.capabilities import require_shape
from ..untrusted.boundary import plain
from .image_options import ImageOptions
from .memory import Need, check_need, estimate
from .model import Ready
from .normalisation import decide, is_standard, stretch

__all__ = ["Prepared", "as_seen", "prepare", "save"]


@dataclass(frozen=True)
class Prepared:
    """An image that waits for its turn, on disk.

    Attributes:
        path: of the image.
        raw: .npy of the channels that the model sees, as they were read: (C, H, W), or (C, D, H, W).
        seen: .npy of what the model sees, float32 with a batch axis in front.
        shape: of a label map of the image, (H, W) or (D, H, W).
        pixel_size: (y, x) in micrometres, as used; None if unknown.
        slice_distance: of a volume, in micrometres.
        channels: indices of those that the model sees, in the file.
        channel_names: of the same.
        region: as the user gave it.
        factors: rows of what the model sees for each of the image, along each axis.
        resampled: whether they are not all 1.
        normalize: how the model is told to take intensities.
        digest: hash of the pixels.
        constant: whether each channel has the same value everywhere.
        notes: what was assumed.
    """

    path: Path
    raw: Path
    seen: Path
    shape: tuple[int, ...]
    pixel_size: PixelSize | None
    slice_distance: float | None
    channels: tuple[int, ...]
    channel_names: tuple[str, ...]
    region: tuple[int, int, int, int] | None
    factors: tuple[float, ...]
    resampled: bool
    normalize: str
    digest: str
    constant: bool
    notes: tuple[str, ...]


def prepare(path: Path, ready: Ready, options: ImageOptions, folder: Path, number: int) -> Prepared:
    """Read an image and write what the model sees of it into a folder.

    Args:
        path: of the image.
        ready: the model.
        options: what the user wants of it.
        folder: for the two files.
        number: to tell this image's files from others.

    Raises:
        ImageError: it cannot be read, does not fit the model or into memory, or has no such channel or region.
        PackageError: the model takes images of one size, and does not say which.
    """
    info = probe_image(path, ready.contract.dimensions)
    chosen = choose_channels(info.channel_names, path, options.channels or None, ready.contract.channels)
    region = None if options.region is None else region_of(info.path, info.shape, options.region)
    size = info.pixel_size if options.pixel_size is None else (options.pixel_size, options.pixel_size)
    factors = _factors(info, size, ready)
    resampled = max(abs(factor - 1) for factor in factors) > SAME_SIZE
    if not resampled:
        factors = (1.0,) * len(factors)
    need = estimate(info, chosen, region, factors, ready, measured=bool(options.table or options.polygons))
    notes = [*_pixel_size_notes(info, size, options, ready, factors), *_memory_note(path, need, ready, options)]

    image = read_image(path, ready.contract.dimensions, channels=chosen, region=region)
    planes = image.array
    normalize, why = decide(ready, planes)
    # What the pixel size's own note says again is said once.
    own = [note for note in image.notes if not any(other.startswith(note.rstrip(".")) for other in notes)]
    notes = [*own, *notes, why]
    seen, changed = as_seen(planes, ready, normalize, factors, size, path.name)
    notes += changed
    if (target := known_target(ready.runtime.target)) is not None:
        require_shape(target, ready.file, (1, *seen.shape))
    raw_file, seen_file = folder / f"{number}.raw.npy", folder / f"{number}.npy"
    save(raw_file, planes)
    save(seen_file, seen[None])
    if region is not None:
        y, x, height, width = region
        notes.append(
            f"Only the region of {width} x {height} pixels from x {x}, y {y} was segmented. Outlines and the table "
            "count from the corner of the whole image, label file and picture from that of the region."
        )
    return Prepared(
        path=path,
        raw=raw_file,
        seen=seen_file,
        shape=planes.shape[1:],
        pixel_size=size,
        slice_distance=image.slice_distance,
        channels=tuple(chosen),
        channel_names=tuple(plain(name, 80) for name in image.channel_names),
        region=options.region,
        factors=factors,
        resampled=resampled,
        normalize=normalize,
        digest=hashlib.sha256(np.ascontiguousarray(planes).data).hexdigest(),
        constant=all(bool((channel == channel.flat[0]).all()) for channel in planes),
        notes=tuple(notes),
    )


def as_seen(
    planes: Array, ready: Ready, normalize: str, factors: tuple[float, ...], size: PixelSize | None, name: str
) -> tuple[npt.NDArray[np.float32], list[str]]:
    """Return what the model sees of an image, and a sentence for each thing that was done to get there.

    Args:
        planes: (C, ...), the channels that the model sees, as they were read.
        ready: the model.
        normalize: how it is told to take intensities.
        factors: rows of the result for each of the image, along each axis; all are 1 where nothing is resampled.
        size: (y, x) of a pixel in micrometres; not None where something is.
        name: of the image.

    Returns:
        (C, ...) float32, and the sentences.
    """
    notes = []
    values: Array = planes
    if normalize == "always":
        values, moved = as_float32(planes, jointly=is_standard(ready))
        if moved:
            notes.append(
                f"Intensities: the values of {name} ({planes.dtype}) are too large or too close together for the "
                "32 bits that models take: they were moved to 0 to 255 first."
            )
    if any(factor != 1 for factor in factors):
        assert size is not None
        assert ready.contract.pixel_size is not None
        axial = factors[0] if len(factors) == 3 else 1.0
        clean, holes = _without_holes(values)
        if holes:
            notes.append(f"{holes:,} values that are no finite numbers were taken as background.")
        seen = rescale(clean, size, (ready.contract.pixel_size,) * 2, axial)
    else:
        seen = values.astype(np.float32)
    if ready.metadata is None and normalize == "always":
        # A file of others need not normalise: we do what programs that call such files do.
        seen = stretch(seen)
    return seen, notes


def save(path: Path, array: Array) -> None:
    """Write an array as .npy. Unlike ``numpy.save`` it says so when the disk is full, instead of how much it wrote."""
    array = np.ascontiguousarray(array)
    with path.open("wb") as stream:
        np.lib.format.write_array_header_2_0(stream, np.lib.format.header_data_from_array_1_0(array))
        stream.write(array.data.cast("B") if array.size else b"")


def _factors(info: ImageInfo, size: PixelSize | None, ready: Ready) -> tuple[float, ...]:
    """Return how many rows the model sees for each of the image, along each axis."""
    wanted = ready.contract.pixel_size
    lateral = (1.0, 1.0) if size is None or wanted is None else (size[0] / wanted, size[1] / wanted)
    if len(info.shape) == 3:
        return lateral
    slices = ready.contract.slice_distance
    known = info.slice_distance and slices and size is not None and wanted is not None
    return (info.slice_distance / slices if known else 1.0, *lateral)  # type: ignore[operator]


def _pixel_size_notes(
    info: ImageInfo, size: PixelSize | None, options: ImageOptions, ready: Ready, factors: tuple[float, ...]
) -> list[str]:
    wanted = ready.contract.pixel_size
    notes = []
    if size is None and wanted is not None:
        said = info.pixel_size_note.rstrip(".") or f"{info.path.name} does not say its pixel size"
        notes.append(f"{said}: taken to be {wanted:g} µm, the model's.")
    elif options.pixel_size is not None and info.pixel_size is not None:
        off = max(abs(options.pixel_size / own - 1) for own in info.pixel_size)
        if off > SAME_SIZE:
            said = _micrometres(info.pixel_size)
            notes.append(
                f"{info.path.name} has pixels of {said}, by its file; {options.pixel_size:g} µm was asked for."
            )
    elif size is not None and info.pixel_size_note:
        notes.append(info.pixel_size_note)
    if size is not None and wanted is None:
        notes.append("The model does not say for which pixel size it is: the image was not rescaled.")
    if max(abs(factor - 1) for factor in factors) and size is not None and wanted is not None:
        said = _micrometres(size)
        notes.append(f"The image was rescaled from {said} to {wanted:g} µm for the model, and the labels back.")
    slices = ready.contract.slice_distance
    if len(info.shape) == 4 and slices and info.slice_distance is None:
        notes.append(
            f"{info.path.name} does not say how far its slices are apart: taken to be {slices:g} µm, the model's."
        )
    return notes


def _memory_note(path: Path, need: Need, ready: Ready, options: ImageOptions) -> list[str]:
    return (
        []
        if check_need(path, need, ready, ignore=options.ignore_memory) is None
        else [f"About {need.total / 1e9:.1f} GB of memory are needed and fewer are free: gone on regardless."]
    )


def _micrometres(size: PixelSize) -> str:
    return f"{size[0]:g} µm" if size[0] == size[1] else f"{size[1]:g} x {size[0]:g} µm (width x height)"


def _without_holes(planes: Array) -> tuple[Array, int]:
    """Return an image whose values are finite: resampling would spread the others over their neighbours."""
    if planes.dtype.kind != "f":
        return planes, 0
    finite = np.isfinite(planes)
    holes = int(planes.size - np.count_nonzero(finite))
    if not holes:
        return planes, 0
    clean: npt.NDArray[Any] = planes.copy()
    for channel, good in zip(clean, finite, strict=True):
        channel[~good] = channel[good].min() if good.any() else 0
    return clean, holes
