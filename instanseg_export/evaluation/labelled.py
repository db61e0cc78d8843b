"""What is evaluated: images with label maps that were looked at before anything runs, in groups and units."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import ImageError, SettingError
from ..images import probe_image
from ..images.index_file import read_index
from ..images.label_maps import read_label_map
from ..images.pairs import Pair, PairedFiles
from ..registry import closest
from ..untrusted.boundary import enough_memory, plain
from .semantic import Pieces, check_instances, count_pieces

__all__ = ["Labelled", "LabelledSet", "read_labelled_set"]

Labels = npt.NDArray[np.int64]

_TYPE = "type"
"""The column of an index that tables are split by, unless another is named."""


_OTHER = "other"
"""The group of images that the index does not list, or that lie in no subfolder as others do."""


@dataclass(frozen=True)
class Labelled:
    """An image with a label map.

    Attributes:
        pair: the two files.
        group: that tables are split by.
        unit: that is drawn as one for intervals.
        shape: (H, W) or (D, H, W).
        objects: true instances of each structure.
        digest: SHA-256 of the labels.
    """

    pair: Pair
    group: str
    unit: str
    shape: tuple[int, ...]
    objects: tuple[int, ...]
    digest: str


@dataclass(frozen=True)
class LabelledSet:
    """All images that are evaluated.

    Attributes:
        images: in the order of their names.
        structures: that are evaluated.
        planes: of label maps that have one for each structure of the model, those that are evaluated.
        total: structures of the model.
        dimensions: 2, or 3 for volumes.
        grouped_by, drawn_by: what groups and units are, in words.
        warnings, notes: of the label maps, as sentences.
    """

    images: tuple[Labelled, ...]
    structures: tuple[str, ...]
    planes: tuple[int, ...]
    total: int
    dimensions: int
    grouped_by: str
    drawn_by: str
    warnings: tuple[str, ...]
    notes: tuple[str, ...]

    def labels(self, image: Labelled) -> Labels:
        """Return the label map of an image, (T, [D,] H, W)."""
        return _read(image.pair.labels, self.planes, self.total, self.dimensions)


def read_labelled_set(
    files: PairedFiles,
    structures: Sequence[str],
    planes: Sequence[int],
    dimensions: int,
    *,
    index: Path | None,
    only: Mapping[str, str],
    group_by: str | None,
    draw_by: str | None,
    tell: Callable[[str], None],
) -> LabelledSet:
    """Read all label maps once, and check that they are some, and of the size of their images.

    Args:
        files: the pairs.
        structures: all of the model's.
        planes: places of those that are evaluated.
        dimensions: 2, or 3 for volumes.
        index: the user's; None for the one that lies beside the images, if any.
        only: values that columns of the index must have.
        group_by: the column of the index that tables are split by; None for "type", or the subfolder without an index.
        draw_by: the column whose images are drawn together; None for single images.
        tell: told the name of each image.

    Raises:
        ImageError: an index, an image or a label map cannot be read or does not fit the other; none is left; all label
            maps are empty; or they are semantic masks.
        SettingError: a column is asked for, and there is no index, or no such column.
    """
    rows, shown = _index(files, index, named=bool(only or draw_by or (group_by and group_by != _TYPE)))
    notes: list[str] = []
    chosen = _chosen(files.pairs, rows, shown, only)
    group_of, grouped_by = _column(rows, shown, group_by, lambda pair: pair.folder, "subfolder")
    unit_of, drawn_by = (
        (lambda pair: pair.name, "image")
        if draw_by is None
        else _column(rows, shown, draw_by, lambda pair: pair.name, "image")
    )
    images, pieces = [], []
    for pair in chosen:
        tell(f"labels of {pair.name}")
        with enough_memory(pair.labels, "the label map", ImageError):
            labels = _read(pair.labels, planes, len(structures), dimensions)
            _check_size(files, pair, labels, dimensions)
            pieces.append(count_pieces(labels))
            digest = hashlib.sha256(np.ascontiguousarray(labels).data).hexdigest()
        objects = tuple(len(np.unique(plane[plane > 0])) for plane in labels)
        images.append(Labelled(pair, group_of(pair), unit_of(pair), labels.shape[1:], objects, digest))
    if any(image.group for image in images):
        images = [image if image.group else replace(image, group=_OTHER) for image in images]
    warnings = _check_labels(images, pieces)
    if empty := [image.pair.name for image in images if not any(image.objects)]:
        notes.append(f"{len(empty)} of {len(images)} label maps are empty: whatever is found there is false.")
    return LabelledSet(
        tuple(images),
        tuple(structures[plane] for plane in planes),
        tuple(planes),
        len(structures),
        dimensions,
        grouped_by,
        drawn_by,
        tuple(warnings),
        tuple(notes),
    )


def _read(path: Path, planes: Sequence[int], total: int, dimensions: int) -> Labels:
    """Return the planes of a label map that are evaluated; it may hold only these."""
    if len(planes) < total and probe_image(path, dimensions).shape[0] == total:
        return read_label_map(path, total, dimensions)[list(planes)]
    return read_label_map(path, len(planes), dimensions)


def _index(files: PairedFiles, given: Path | None, *, named: bool) -> tuple[dict[str, dict[str, str]], str]:
    """Return the rows of an index by id, and what messages call it; nothing where there is none."""
    path = given or files.index
    if path is None:
        if named:
            raise SettingError(
                "There is no index.csv beside the images to choose and group them by.",
                hint="Give one with --index: a table with a column id (the name of each image's file, without the "
                "ending), and a column for each thing that is known of it.",
            )
        return {}, ""
    shown = str(path) if given is not None else files.shown(path)
    rows = read_index(
        path, shown, ImageError, hint="An index is a CSV file with a column id: the image's name without its ending."
    )
    return {row["id"]: row for row in rows}, shown


def _chosen(
    pairs: Sequence[Pair], rows: Mapping[str, Mapping[str, str]], shown: str, only: Mapping[str, str]
) -> Sequence[Pair]:
    if not only:
        return pairs
    for column, value in only.items():
        _check_column(rows, shown, column)
        values = sorted({row[column] for row in rows.values()})
        if value not in values:
            raise SettingError(
                f"{shown} has no {column}={plain(value, 60)}.",
                hint=f"Values of {column}: {', '.join(plain(one, 40) for one in values[:8])}.",
            )
    names = {name for name, row in rows.items() if all(row[column] == value for column, value in only.items())}
    chosen = [pair for pair in pairs if _id(pair) in names]
    if not chosen:
        wanted = " ".join(f"{column}={value}" for column, value in only.items())
        raise ImageError(f"No image is of {plain(wanted, 100)}.", hint=f"See {shown}.")
    return chosen


def _id(pair: Pair) -> str:
    return pair.name.rpartition("/")[2]


def _check_column(rows: Mapping[str, Mapping[str, str]], shown: str, column: str) -> None:
    columns = list(next(iter(rows.values()), {}))
    if column not in columns:
        guess = closest(column, columns)
        raise SettingError(
            f"{shown} has no column {plain(column, 60)!r}.",
            hint=(f"Did you mean {guess!r}? " if guess else "") + f"Its columns: {plain(', '.join(columns), 200)}.",
        )


def _column(
    rows: Mapping[str, Mapping[str, str]],
    shown: str,
    column: str | None,
    without: Callable[[Pair], str],
    called: str,
) -> tuple[Callable[[Pair], str], str]:
    """Return what a column says of a pair, and its name; without an index, something else and what it is called."""
    if column is None and not any(row[_TYPE] for row in rows.values()):
        return without, called
    name = column or _TYPE
    _check_column(rows, shown, name)
    return lambda pair: plain(rows.get(_id(pair), {}).get(name, ""), 80), name


def _check_size(files: PairedFiles, pair: Pair, labels: Labels, dimensions: int) -> None:
    shape = probe_image(pair.image, dimensions).shape[1:]
    found = labels.shape[1:]
    if found == shape:
        return
    turned = "" if found != shape[::-1] else " Height and width are exchanged: transpose one of the two."
    raise ImageError(
        f"{files.shown(pair.labels)} has {_size(found)} pixels, but its image {files.shown(pair.image)} has "
        f"{_size(shape)}.",
        hint=f"A label map has the size of its image.{turned or ' Check that the two belong together.'}",
    )


def _size(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


def _check_labels(images: Sequence[Labelled], pieces: Sequence[Sequence[Pieces]]) -> list[str]:
    if not any(any(image.objects) for image in images):
        which = images[0].pair.labels.name if len(images) == 1 else f"All {len(images)} label maps"
        raise ImageError(
            f"{which} {'is' if len(images) == 1 else 'are'} empty: there is no instance to find.",
            hint="Check that the label maps, and not the images or masks of something else, were given.",
        )
    return check_instances([(image.pair.name, of_image) for image, of_image in zip(images, pieces, strict=True)])
