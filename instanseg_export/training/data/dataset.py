"""Images or volumes and their label maps, read once and checked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import ImageError, RecipeError
from ...files import scratch_folder
from ...images import read_image
from ...images.index_file import read_index
from ...progress import Progress
from ...untrusted.boundary import plain
from ...untrusted.zips import unpack
from ..recipe_file import Plan
from .cells import CELLS, Judged, read_cells

__all__ = ["AnnotatedImage", "digest_of", "read_dataset"]

_INDEX = "index.csv"
_SUFFIXES = (".png", ".tif", ".tiff")
_LAYOUT = "docs/training.md shows how images, label maps and index.csv have to lie."


@dataclass(frozen=True)
class AnnotatedImage:
    """An image, or a volume, and the label maps of its structures.

    Attributes:
        name: of its file, without the suffix.
        kind: its "type" in the index.
        pixels: (C, [D,] H, W) in the file's own type.
        labels: (T, [D,] H, W) int32, 0 is background.
        diameter: of its median instance, that of a disc of the same area, in pixels; 0 where there is none. The area of
            an instance in a volume is that in the slice where it is largest.
        cells: (K, 3) int64 of a task on cells: the label, what is judged of it, and how; see :class:`.CellColumns`.
    """

    name: str
    kind: str
    pixels: npt.NDArray[np.generic]
    labels: npt.NDArray[np.int32]
    diameter: float
    cells: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 3), dtype=np.int64))


def read_dataset(plan: Plan, progress: Progress | None = None) -> tuple[list[AnnotatedImage], list[AnnotatedImage]]:
    """Read all images of the splits for training and for validation.

    Args:
        plan: whose recipe says where they are.
        progress: is told how many are read.

    Raises:
        RecipeError: the index is malformed, a split is empty or a share names a type that is not there.
        ImageError: an image or a label map is missing, damaged, or does not match the other or the network.
    """
    data = plan.recipe.data
    source = plan.source
    with _folder_of(source) as folder:
        rows = read_index(folder / _INDEX, f"{source}: {_INDEX}", RecipeError, hint=_LAYOUT, columns=("id", "split"))
        cells = _cells(plan, folder, source, {row["id"] for row in rows})
        wanted = [row for row in rows if row["split"] in (data.train, data.validation)]
        found: dict[str, list[AnnotatedImage]] = {data.train: [], data.validation: []}
        for place, row in enumerate(wanted):
            if progress is not None:
                progress("reading images", place, len(wanted))
            found[row["split"]].append(_read(plan, folder, source, row, cells.get(row["id"], [])))
    for split, images in found.items():
        if not images:
            splits = ", ".join(sorted({plain(row["split"], 40) for row in rows})) or "none"
            raise RecipeError(
                f"{source} has no image in the split {plain(split, 80)!r}.", hint=f"Splits of its index: {splits}."
            )
        if plan.family.cells is not None and not any(len(image.cells) for image in images):
            raise RecipeError(
                f"{source}: {CELLS} says nothing of a cell in the split {plain(split, 80)!r}.",
                hint="Add lines for images of that split.",
            )
    kinds = {image.kind for image in found[data.train]}
    for kind in data.shares:
        if kind not in kinds:
            raise RecipeError(
                f"{plan.path}: data.shares names {plain(kind, 80)!r}, but no image for training is of that type.",
                hint=f"Types: {', '.join(sorted(plain(one, 40) for one in kinds))}.",
            )
    return found[data.train], found[data.validation]


def digest_of(images: Sequence[AnnotatedImage]) -> str:
    """Return a number, in hex, that tells these images and label maps, in this order, from all others."""
    digest = hashlib.sha256()
    for image in images:
        digest.update(f"{image.name} {image.kind} {image.pixels.dtype} {image.pixels.shape}".encode())
        digest.update(image.pixels.tobytes())
        digest.update(image.labels.tobytes())
        digest.update(image.cells.tobytes())
    return digest.hexdigest()


@contextmanager
def _folder_of(source: Path) -> Iterator[Path]:
    if source.is_dir():
        yield source
        return
    with scratch_folder() as folder:
        unpack(source, folder, RecipeError, hint="Give a folder, or a zip of one.")
        yield folder


def _cells(plan: Plan, folder: Path, source: Path, ids: set[str]) -> dict[str, list[Judged]]:
    """Return what is known of the cells of each image; nothing where the task is to segment."""
    task = plan.family.cells
    if task is None:
        return {}
    cells = read_cells(folder, source, task.columns(plan.spec, plan.options))
    for name in cells:
        if name not in ids:
            raise RecipeError(
                f"{source}: {CELLS} names the image {plain(name, 80)!r}, which is not in {_INDEX}.", hint=_LAYOUT
            )
    return cells


def _read(plan: Plan, folder: Path, source: Path, row: dict[str, str], judged: list[Judged]) -> AnnotatedImage:
    structures, dimensions = plan.family.annotated(plan.spec), plan.spec.dimensions
    pixels = read_image(_file(folder / "images", row["id"], source), dimensions).array
    folders = {
        name: plan.recipe.data.labels.get(name, "labels" if len(structures) == 1 else name) for name in structures
    }
    read = [_read_labels(_file(folder / folders[name], row["id"], source), dimensions) for name in structures]
    maps = [labels for labels, _ in read]
    for name, labels in zip(structures, maps, strict=True):
        if labels.shape != pixels.shape[1:]:
            raise ImageError(
                f"{source}: the label map {folders[name]}/{row['id']} has {_size(labels.shape)} pixels, but its image "
                f"has {_size(pixels.shape[1:])}.",
                hint="A label map has the size of its image.",
            )
    channels = plan.spec.channels
    if channels is not None and pixels.shape[0] not in (1, channels):
        raise ImageError(
            f"{source}: the image {row['id']} has {pixels.shape[0]} channels, but the network takes {channels}.",
            hint=f"Give images of {channels} channels, or grey ones, which are shown to the network {channels} times.",
        )
    stacked = np.stack(maps)
    areas = np.concatenate([_areas(labels) for labels in maps])
    diameter = float(np.median(2.0 * np.sqrt(areas / np.pi))) if len(areas) else 0.0
    cells = _renumbered(judged, read[-1][1], f"{source}: {CELLS}", f"{folders[structures[-1]]}/{row['id']}")
    task = plan.family.cells
    if (
        task is not None
        and task.columns(plan.spec, plan.options).of_channels
        and cells[:, 1].max(initial=-1) >= len(pixels)
    ):
        raise ImageError(
            f"{source}: {CELLS} names the channel {cells[:, 1].max() + 1} of {row['id']}, which has {len(pixels)}.",
            hint="Channels are counted from 1, in the order of the file.",
        )
    return AnnotatedImage(row["id"], row["type"], pixels, stacked, diameter, cells)


def _renumbered(judged: list[Judged], numbers: npt.NDArray[Any], shown: str, where: str) -> npt.NDArray[np.int64]:
    """Bring cells from the numbers in a file to those in the label map as it was read."""
    places = {int(number): place for place, number in enumerate(numbers, start=1)}
    for label, _, _ in judged:
        if label not in places:
            raise ImageError(
                f"{shown} names the cell {label} of {plain(where, 120)}, which that label map does not have.",
                hint="The numbers are those of the label map's pixels.",
            )
    return np.array([(places[label], what, how) for label, what, how in judged], dtype=np.int64).reshape(-1, 3)


def _file(folder: Path, name: str, source: Path) -> Path:
    for suffix in _SUFFIXES:
        if (folder / f"{name}{suffix}").exists():
            return folder / f"{name}{suffix}"
    raise ImageError(
        f"{source}: its index lists {plain(name, 80)!r}, but {folder.name}/{plain(name, 80)} is not there "
        f"({', '.join(_SUFFIXES)}).",
        hint=_LAYOUT,
    )


def _areas(labels: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Return the area of each instance of ([D,] H, W), in the slice where it is largest."""
    count = int(labels.max()) + 1
    slices = labels.reshape(-1, *labels.shape[-2:])
    areas = np.max([np.bincount(plane.ravel(), minlength=count) for plane in slices], axis=0)[1:]
    found: npt.NDArray[np.int64] = areas[areas > 0]
    return found


def _read_labels(path: Path, dimensions: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[Any]]:
    """Return labels from 1 on without gaps, and what number each has in the file."""
    array = read_image(path, dimensions).array
    where = f"{path.parent.name}/{path.name}"
    if array.shape[0] != 1:
        raise ImageError(
            f"The label map {where} has {array.shape[0]} channels.", hint="A label map has one number per pixel."
        )
    plane = array[0]
    whole = plane.dtype.kind in "iub" or bool((np.isfinite(plane) & (plane == np.floor(plane))).all())
    if not whole or plane.min() < 0 or plane.max() >= 2**24:
        raise ImageError(
            f"The label map {where} is none: it has values from {plane.min()} to {plane.max()}.",
            hint="Labels are whole numbers: 0 is background, every other number an instance.",
        )
    numbers, labels = np.unique(plane, return_inverse=True)
    return labels.reshape(plane.shape).astype(np.int32) + int(plane.min() > 0), numbers[numbers > 0]


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
