"""The results of one image, written together or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import tee
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..files import staged_files
from ..images import overlay
from ..images.image import Array
from ..images.objects import Measured, Piece, measure, measure_masks, pieces, pieces_of_masks
from ..images.writers import (
    Feature,
    Scale,
    object_columns,
    outlines,
    write_coco,
    write_geojson,
    write_label_tiff,
    write_rois,
    write_table,
)
from ..metadata import OutputFacts
from .inputs import Outputs
from .label_formats import PYRAMID, write_pyramid
from .model import Ready
from .prepare import Prepared

if TYPE_CHECKING:
    from shapely import MultiPolygon, Polygon

__all__ = ["POLYGONS", "Segmented", "planned", "write_results"]

POLYGONS = {"geojson": "objects.geojson", "roi": "rois.zip"}
"""Kinds of outline files, and how their names end."""


@dataclass(frozen=True)
class Segmented:
    """What was found, at the image's own pixel size.

    Attributes:
        labels: (T, H, W), or (T, D, H, W).
        names: of the structures.
        masks: whole masks that may overlap, (N, H, W); None for models without.
        further: other outputs of the model, by name.
    """

    labels: Array
    names: tuple[str, ...]
    masks: Array | None
    further: Mapping[str, npt.NDArray[Any]]


def planned(
    outputs: Outputs, ready: Ready, polygons: Sequence[str], table: str | None, label_format: str | None = None
) -> dict[str, Path]:
    """Return the files that a run writes, by what they are; the pyramid is a folder."""
    files = {"labels": outputs.path("labels.tif"), "overlay": outputs.path("overlay.png")}
    if label_format is not None:
        files[PYRAMID] = outputs.path("labels.zarr")
    if ready.contract.output("masks") is not None:
        files["masks"] = outputs.path("masks.json")
    if table is not None or ready.contract.per_label:
        files["objects"] = outputs.path(f"objects.{table or 'csv'}")
    return files | {kind: outputs.path(POLYGONS[kind]) for kind in polygons}


def write_results(
    found: Segmented, image: Prepared, ready: Ready, files: Mapping[str, Path], replacing: Mapping[str, Any]
) -> None:
    """Write every file of ``planned``; if one of them cannot be written, none appears.

    Args:
        found: what was found.
        image: in which.
        ready: by what.
        files: as ``planned`` names them.
        replacing: which files may be replaced, as :func:`.files.staged_files` takes it.

    Raises:
        OutputError: a file exists already, cannot be written, or the disk is full.
    """
    from PIL import Image as Pillow

    planes = np.load(image.raw, mmap_mode="r")
    picture = overlay(planes, found.labels)
    # All of them appear, or none does; the label file has a seal by which the others are known again.
    with staged_files(files["labels"].parent, **replacing) as staged:
        places = {
            what: staged.add_folder(path, kind=PYRAMID) if what == PYRAMID else staged.add(path)
            for what, path in files.items()
        }
        Pillow.fromarray(picture).save(places["overlay"], format="PNG")
        if "masks" in places and found.masks is not None:
            _write_masks(places["masks"], found, found.masks, image, ready)
        if "objects" in places or "geojson" in places:
            _write_measured(places, found, planes, image, ready)
        if "roi" in places:
            write_rois(places["roi"], ((name, _outlines(which, image)) for name, which in _structures(found)))
        if PYRAMID in places:
            write_pyramid(places[PYRAMID], found.labels, found.names, image)
        write_label_tiff(
            places["labels"],
            found.labels,
            image.pixel_size,
            names=found.names,
            slice_distance=image.slice_distance,
        )


def _structures(found: Segmented) -> Iterator[tuple[str, Iterator[Piece]]]:
    if found.masks is not None:
        yield found.names[0], pieces_of_masks(found.masks)
        return
    for name, labels in zip(found.names, found.labels, strict=True):
        yield name, pieces(labels)


def _offset(image: Prepared) -> tuple[int, int]:
    return (0, 0) if image.region is None else (image.region[1], image.region[0])


def _outlines(which: Iterator[Piece], image: Prepared) -> Iterator[tuple[int, Polygon | MultiPolygon]]:
    labelled, traced = tee(which)
    return zip((piece.label for piece in labelled), outlines(traced, _offset(image)), strict=True)


def _all_outlines(found: Segmented, image: Prepared) -> npt.NDArray[Any]:
    """Return the outlines of the table's rows, in their order."""
    shapes = [shape for _, which in _structures(found) for _, shape in _outlines(which, image)]
    return np.array(shapes, dtype=object)


def _write_masks(path: Path, found: Segmented, masks: Array, image: Prepared, ready: Ready) -> None:
    scores, classes = (_of(found, ready.contract.output(role)) for role in ("scores", "classes"))
    facts = ready.contract.output("classes")
    write_coco(
        path,
        masks,
        image=image.path.name,
        scores=[1.0] * len(masks) if scores is None else scores.tolist(),
        categories=[1] * len(masks) if classes is None else classes.astype(int).tolist(),
        names=ready.contract.structures if facts is None else facts.values[1:],
    )


def _of(found: Segmented, output: OutputFacts | None) -> npt.NDArray[Any] | None:
    """Return what a runtime gave for an output; None where the model has no such output."""
    return None if output is None else found.further.get(output.name)


def _write_measured(places: Mapping[str, Path], found: Segmented, planes: Array, image: Prepared, ready: Ready) -> None:
    # A channel that the model sees several times is measured once.
    once = [place for place, channel in enumerate(image.channels) if channel not in image.channels[:place]]
    names = [image.channel_names[place] for place in once]
    seen = planes[once] if len(once) < len(planes) else planes
    if found.masks is not None:
        measured = [(found.names[0], measure_masks(found.masks, seen))]
    else:
        measured = [(name, measure(labels, seen)) for name, labels in zip(found.names, found.labels, strict=True)]
    rows = _rows(found, ready, image.channel_names)
    paired = ready.paired and len(found.names) == 2
    edges = image.pixel_size
    whole = None if edges is None else edges if planes.ndim == 3 else _with_depth(image.slice_distance, edges)
    offset = _offset(image) if planes.ndim == 3 else (0, *_offset(image))
    columns = object_columns(measured, names, Scale(whole, offset), paired=paired, rows=rows)
    if "objects" in places:
        kind = places["objects"].suffix.removeprefix(".")
        shapes = _all_outlines(found, image) if kind == "parquet" and planes.ndim == 3 else None
        write_table(places["objects"], columns, kind, shapes)
    if "geojson" in places:
        source = image.digest + hashlib.sha256(np.ascontiguousarray(found.labels).data).hexdigest()
        write_geojson(places["geojson"], _features(found, measured, columns, image, ready, paired), source=source)


def _with_depth(depth: float | None, edges: tuple[float, float]) -> tuple[float, ...] | None:
    return None if depth is None else (depth, *edges)


def _rows(found: Segmented, ready: Ready, channels: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    """Return what the model says of each label, as columns."""
    columns: dict[str, npt.NDArray[Any]] = {}
    for output in ready.contract.outputs:
        values = found.further.get(output.name)
        if values is None or output.role not in ("rows", "classes", "scores"):
            continue
        if output.per_label:
            values = values[0]
            given = output.columns or tuple(channels)
            names = given if len(given) == values.shape[1] else tuple(f"column {k + 1}" for k in range(values.shape[1]))
        else:
            values, names = values.reshape(-1, 1), ("",)
        for column, name in zip(values.T, names, strict=True):
            title = f"{output.name}: {name}" if name else output.name
            columns[title] = _words(column, output.values) if output.values else column
    return columns


def _words(numbers: npt.NDArray[Any], words: Sequence[str]) -> npt.NDArray[Any]:
    """Return the names of classes; nothing for numbers that name none."""
    return np.array([words[int(one)] if 0 <= one < len(words) else "" for one in numbers], dtype=object)


def _features(
    found: Segmented,
    measured: Sequence[tuple[str, Measured]],
    columns: Mapping[str, npt.NDArray[Any]],
    image: Prepared,
    ready: Ready,
    paired: bool,
) -> Iterator[Feature]:
    """Yield an object of QuPath for each object found; a nucleus and its cell are one."""
    numbers = {
        name: values
        for name, values in columns.items()
        if values.dtype.kind in "fiu" and name != "label" and not name.startswith(("centroid", "box"))
    }
    classes = _classes(found, ready)
    starts = np.cumsum([0, *(one.labels.size for _, one in measured)])
    rows = [
        {int(label): int(start) + place for place, label in enumerate(one.labels)}
        for (_, one), start in zip(measured, starts, strict=False)
    ]

    def facts(structure: int, label: int, prefix: str = "") -> dict[str, float]:
        row = rows[structure][label]
        return {f"{prefix}{name}": float(values[row]) for name, values in numbers.items()}

    if paired:
        nuclei = dict(_outlines(pieces(found.labels[0]), image))
        for label, cell in _outlines(pieces(found.labels[1]), image):
            nucleus = nuclei.pop(label, None)
            inside = {} if nucleus is None else facts(0, label, "nucleus ")
            yield Feature(
                name=f"cells/{label}",
                outline=cell,
                nucleus=nucleus,
                cell=True,
                classification=classes.get(label),
                measurements={"label": label} | facts(1, label, "cell ") | inside,
            )
        for label, alone in nuclei.items():
            yield Feature(f"nuclei/{label}", alone, None, False, classes.get(label), {"label": label} | facts(0, label))
        return
    for structure, (name, which) in enumerate(_structures(found)):
        for label, shape in _outlines(which, image):
            yield Feature(
                name=f"{name}/{label}",
                outline=shape,
                classification=classes.get(label),
                measurements={"label": label} | facts(structure, label),
            )


def _classes(found: Segmented, ready: Ready) -> dict[int, tuple[str, int]]:
    """Return name and number of the class of each label that has one."""
    facts = ready.contract.output("classes")
    values = _of(found, facts)
    if facts is None or values is None:
        return {}
    numbers = values[0, :, 0] if facts.per_label else values.reshape(-1)
    return {
        row + 1: (facts.values[int(number)], int(number))
        for row, number in enumerate(numbers)
        if 0 <= number < len(facts.values)
    }
