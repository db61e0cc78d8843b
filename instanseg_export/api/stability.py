"""How stable a model is: the same images shifted, mirrored, brighter, darker, and in tiles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import ImageError, InstansegExportError, PackageError, RuntimeUnavailableError
from ..evaluation.changes import Kept, changes_in_words, changes_of, count_kept, stability_of
from ..evaluation.labelled import Labelled
from ..evaluation.records import Stability
from ..files import scratch_folder
from ..images import read_image, rescale_labels
from ..images.image import Array
from ..inference.changed import find_changed
from ..inference.image_options import ImageOptions
from ..inference.label_maps import prepare_grey
from ..inference.model import Ready
from ..progress import Steps
from ..slides.sources.array import GivenArray
from .options import EvaluateOptions, RunOptions
from .segment_slide import segment_slide

__all__ = ["Asked", "measure_stability"]

_TILE, _HALO = 512, 80


@dataclass(frozen=True)
class Asked:
    """What is measured.

    Attributes:
        model: as the user named it, or the zip's folder.
        ready: the first file that ran.
        planes: places of the structures that are evaluated.
        images: with label maps, and their places.
        load: returns what was found in the image of a place, (T, H, W) or (T, D, H, W); None where it failed.
    """

    model: Path
    ready: Ready
    planes: Sequence[int]
    images: Sequence[tuple[int, Labelled]]
    load: Callable[[int], Array | None]

    def chosen(self, labels: Array) -> Array:
        """Return the structures that are evaluated."""
        return labels[list(self.planes)]


def measure_stability(
    asked: Asked, options: EvaluateOptions, image_options: ImageOptions, steps: Steps
) -> list[Stability]:
    """Return what remains of the instances under each kind of change.

    Args:
        asked: model and images.
        options: how many images, and what may take how long.
        image_options: pixel size and channels.
        steps: counts the images.
    """
    dimensions = asked.ready.contract.dimensions
    words = changes_in_words(dimensions)
    chosen = _spread([(place, one) for place, one in asked.images if asked.load(place) is not None], options.stability)
    large: Sequence[tuple[int, Labelled]] = ()
    if dimensions == 2:
        large = [pair for pair in asked.images if max(pair[1].shape) > _TILE and asked.load(pair[0]) is not None]
        large = _spread(large, options.stability)
    steps.expect(len(chosen) + len(large))
    kept: dict[str, list[tuple[str, Kept]]] = {kind: [] for kind in words}
    why: dict[str, str] = {}
    with scratch_folder() as folder:
        for place, image in chosen:
            steps.start(f"stability: {image.pair.name}")
            _change(asked, place, image, options, image_options, folder, kept, why)
    for place, image in large:
        steps.start(f"stability in tiles: {image.pair.name}")
        try:
            changed = _in_tiles(asked, image, options, image_options)
        except InstansegExportError as error:
            why["tiles"] = error.message.rstrip(".")
            if isinstance(error, RuntimeUnavailableError):
                break
            continue
        before = asked.load(place)
        assert before is not None
        kept["tiles"].append((image.unit, count_kept(before, asked.chosen(changed))))
    if dimensions == 3:
        why["tiles"] = "tiles are only compared of images"
    elif not large:
        why["tiles"] = f"no image is larger than a tile, {_TILE} pixels"
    return [
        stability_of(kind, kept[kind], dimensions)
        if kept[kind]
        else Stability(kind=kind, title=title, why=why.get(kind, "no image was segmented"))
        for kind, title in words.items()
    ]


def _spread(images: Sequence[tuple[int, Labelled]], most: int) -> list[tuple[int, Labelled]]:
    """Return so many images, spread evenly over all of them, group by group."""
    ordered = sorted(images, key=lambda pair: (pair[1].group, pair[1].pair.name))
    count = min(most, len(ordered))
    return [ordered[(2 * place + 1) * len(ordered) // (2 * count)] for place in range(count)]


def _change(
    asked: Asked,
    place: int,
    image: Labelled,
    options: EvaluateOptions,
    image_options: ImageOptions,
    folder: Path,
    kept: dict[str, list[tuple[str, Kept]]],
    why: dict[str, str],
) -> None:
    changes = changes_of(place, asked.ready.contract.dimensions)
    before = asked.load(place)
    assert before is not None
    try:
        labels = list(
            find_changed(
                asked.ready,
                image.pair.image,
                image_options,
                [change.apply for change in changes],
                folder,
                time_limit=options.time_limit,
            )
        )
    except ImageError as error:
        why.update(dict.fromkeys([change.kind for change in changes], error.message.rstrip(".")))
        return
    for change, found in zip(changes, labels, strict=True):
        if isinstance(found, str):
            why[change.kind] = found
        else:
            kept[change.kind].append((image.unit, count_kept(before, asked.chosen(change.back(found)), change.cut)))


def _in_tiles(asked: Asked, image: Labelled, options: EvaluateOptions, image_options: ImageOptions) -> Array:
    """Return the label map of an image that went through the model in tiles."""
    with scratch_folder() as folder:
        prepared, _ = prepare_grey(image.pair.image, asked.ready, image_options, folder, 0)
        planes = np.load(prepared.raw, allow_pickle=False)
        wanted = asked.ready.contract.pixel_size or 1.0
        slide = GivenArray((planes,), pixel_size=prepared.pixel_size or (wanted, wanted), name="image")
        result = segment_slide(
            asked.model,
            slide,
            RunOptions(
                output=folder / "tiles",
                tile=_TILE,
                halo=_HALO,
                workers=1,
                device=options.device,
                settings=dict(options.settings),
                runtime=asked.ready.runtime.name,
                time_limit=options.time_limit,
                trust=True,
            ),
        )
        if result.failed:
            raise PackageError(f"A tile failed: {next(iter(result.failed.values()))}.", hint="Try fewer workers.")
        maps = [read_image(result.folder / "labels.zarr" / name).array[0] for name in result.counts]
        labels = np.stack(maps).astype(np.int64)
    return labels if labels.shape[1:] == image.shape else rescale_labels(labels, image.shape)[0]
