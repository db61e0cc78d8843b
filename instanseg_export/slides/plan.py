"""All that is settled before the first tile: what is read, how the model sees it, and which tiles there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import SettingError
from ..files import sha256_of
from ..images.channels import choose_channels
from ..inference.finish import structure_names
from ..inference.image_options import ImageOptions
from ..inference.model import Ready
from ..inference.normalisation import is_standard, percentiles_of
from ..inference.tile_options import TileOptions
from ..progress import Progress
from ..untrusted.boundary import plain
from .columns import ObjectColumns
from .engine.job import Identity
from .grid import Grid, make_grid
from .plane.area import Area, choose_area
from .plane.histogram import count_plane
from .plane.intensities import Intensities, is_normalised
from .plane.levels import PlaneGeometry, lay_plane
from .plane.thumbnail import read_thumbnail
from .plane.tissue import Tissue, find_tissue
from .sinks.record import Frame
from .sources.address import SlideAddress
from .sources.source import SlideInfo, SlideSource

__all__ = ["Plan", "make_plan"]


@dataclass(frozen=True)
class Plan:
    """A run before it begins.

    Attributes:
        info: of the slide.
        geometry: of the plane.
        area: what of it is segmented.
        grid: the tiles.
        tiles: indices of those that are to be done.
        channels, channel_names: that the model sees, in its order.
        intensities: how the model is to see them.
        settings: that the runtime is given.
        size: of the only images that the model takes, without channels; None for models that take any.
        columns: what the model says of objects.
        notes: what was assumed and decided.
    """

    info: SlideInfo
    geometry: PlaneGeometry
    area: Area
    grid: Grid
    tiles: Sequence[int]
    channels: tuple[int, ...]
    channel_names: tuple[str, ...]
    intensities: Intensities
    settings: Mapping[str, Any]
    size: tuple[int, ...] | None
    columns: ObjectColumns
    notes: tuple[str, ...]

    @property
    def measured(self) -> tuple[int, ...]:
        """Return the places of the channels that are measured: one that the model sees twice is measured once."""
        return tuple(place for place, channel in enumerate(self.channels) if channel not in self.channels[:place])

    @property
    def clipped(self) -> Area | None:
        """Return the area where it is less than the plane."""
        return None if self.area.mask is None and self.area.outline is None else self.area

    def frame(self, ready: Ready, structures: int, identity: str) -> Frame:
        """Return what the files of results are told.

        Args:
            ready: the model.
            structures: how many label maps it gives.
            identity: a hash of all that makes the objects what they are.
        """
        size, depth = self.geometry.pixel_size, self.geometry.slice_distance
        spacing: tuple[float, ...] | None = size
        if size is not None and len(self.geometry.shape) == 3:
            spacing = None if depth is None else (depth, *size)
        return Frame(
            shape=self.geometry.shape,
            structures=structure_names(ready, structures),
            identity=identity,
            source=self.info.path.name,
            factor=self.geometry.scale,
            offset=self.geometry.offset,
            spacing=spacing,
            channels=tuple(self.channel_names[place] for place in self.measured),
            paired=ready.paired and structures == 2,
            classes=self.columns.classes,
            columns=self.columns.names,
        )

    def identity(self, ready: Ready, address: SlideAddress) -> Identity:
        """Return what makes this run the run it is."""
        return {
            "model": {"file": ready.file.name, "sha256": sha256_of(ready.file)},
            "image": {"name": self.info.path.name, "hash": address.identity()},
            "settings": {
                **{name: plain(value, 200) for name, value in self.settings.items()},
                "runtime": ready.runtime.name,
                "device": ready.device,
                "channels": list(self.channels),
                "offsets of intensities": list(self.intensities.offset),
                "scales of intensities": list(self.intensities.scale),
            },
            "grid": {
                "plane": list(self.geometry.shape),
                "offset": list(self.geometry.offset),
                "scale": list(self.geometry.scale),
                "tile": list(self.grid.tile),
                "halo": self.grid.halo,
                "tiles": len(self.tiles),
            },
        }


def make_plan(
    source: SlideSource,
    ready: Ready,
    options: ImageOptions,
    tiles: TileOptions,
    progress: Progress | None = None,
) -> Plan:
    """Settle a run.

    Args:
        source: the slide.
        ready: the model.
        options: what the user wants of the image.
        tiles: what the user wants of tiles.
        progress: told how far reading has come.

    Raises:
        ImageError: a channel, the region or what the annotation marks is not there, or the pixel size is unknown.
        SettingError: the tiles do not fit the model, or the model would normalise each by itself.
    """
    info = source.info
    chosen = tuple(choose_channels(info.channel_names, info.path, options.channels or None, ready.contract.channels))
    tissue = _tissue(source, chosen, progress, tolerant=not tiles.strict) if tiles.tissue else None
    annotation = None if tiles.annotation is None else Path(tiles.annotation)
    area = choose_area(info, region=options.region, annotation=annotation, tissue=tissue)
    box = area.box(info)
    given = None if options.pixel_size is None else (options.pixel_size, options.pixel_size)
    geometry = lay_plane(
        info,
        box,
        pixel_size=given,
        model_pixel_size=ready.contract.pixel_size,
        model_slice_distance=ready.contract.slice_distance,
    )
    size = _only_size(ready)
    tile, halo = tiles.sizes(len(geometry.shape))
    grid = make_grid(geometry.shape, tile if size is None else size, halo)
    # At the level that is read: a finer one is noisier, and has other percentiles than what the model sees.
    histogram = count_plane(source, geometry, chosen, area, progress, tolerant=not tiles.strict)
    intensities, settings, why = _normalised(ready, histogram, info)
    notes = (*info.notes, *_pixel_size_notes(info, given, geometry, ready), *area.notes, why, *intensities.notes)
    if histogram.unread:
        unread = "1 part" if len(histogram.unread) == 1 else f"{len(histogram.unread):,} parts"
        notes = (
            *notes,
            f"{unread} of the slide cannot be read, and what is there does not count for the intensities: "
            f"{histogram.unread[0]} Once it can be read, start anew with --overwrite in place of --resume: intensities "
            "are others then.",
        )
    if ready.contract.output("masks") is not None:
        notes = (*notes, "The model's masks may overlap: in tiles, only its label map is kept.")
    names = tuple(plain(info.channel_names[channel], 80) for channel in chosen)
    return Plan(
        info=info,
        geometry=geometry,
        area=area,
        grid=grid,
        tiles=area.tiles(grid, geometry),
        channels=chosen,
        channel_names=names,
        intensities=intensities,
        settings=settings,
        size=size,
        columns=ObjectColumns(ready.contract, names),
        notes=tuple(note for note in notes if note),
    )


def _tissue(source: SlideSource, channels: Sequence[int], progress: Progress | None, *, tolerant: bool) -> Tissue:
    shown = channels if len(set(channels)) == len(channels) else tuple(dict.fromkeys(channels))
    return find_tissue(read_thumbnail(source, shown, progress=progress, tolerant=tolerant), source.info.dtype)


def _only_size(ready: Ready) -> tuple[int, ...] | None:
    shape = None if ready.metadata is None else ready.metadata.image_shape
    return None if shape is None else tuple(shape[2:])


def _normalised(ready: Ready, histogram: Any, info: SlideInfo) -> tuple[Intensities, Mapping[str, Any], str]:
    """Return how tiles are normalised by the whole plane, what the runtime is told so that it leaves them alone, and
    why."""
    known = ready.metadata is not None and "normalize" in ready.metadata.baked
    fixed = "normalize" in ready.fixed
    settings = {**ready.settings, **({"normalize": "never"} if known and not fixed else {})}
    if fixed and ready.value("normalize") == "always":
        raise SettingError(
            f"{ready.file.name} normalises each tile by itself, whatever it is given: normalize=always is fixed in it.",
            hint="Export it again without --set normalize=always, or choose another --runtime.",
        )
    if ready.normalize == "never" or (fixed and ready.value("normalize") == "never"):
        return Intensities.untouched(histogram), settings, "Intensities: normalize=never, as asked for."
    if ready.normalize is None and not is_standard(ready) and is_normalised(histogram, info.dtype.kind):
        return (
            Intensities.untouched(histogram),
            settings,
            "Intensities: each channel goes from 0 to 1 by its 0.1 and 99.9 percentiles already, so that the slide is "
            "taken as normalised.",
        )
    if is_standard(ready):
        return Intensities.standard(histogram), settings, ""
    return Intensities.by_percentiles(histogram, *percentiles_of(ready.metadata, ready.file)), settings, ""


def _pixel_size_notes(
    info: SlideInfo, given: tuple[float, float] | None, geometry: PlaneGeometry, ready: Ready
) -> list[str]:
    notes = [info.pixel_size_note] if given is None else [f"The pixel size is {given[0]:g} µm, as asked for."]
    wanted = ready.contract.pixel_size
    if wanted is None:
        notes.append("The model does not say for which pixel size it is: the slide was not rescaled.")
    elif geometry.level or geometry.resampled:
        rescaled = f", rescaled to {wanted:g} µm" if geometry.resampled else ""
        notes.append(f"The model saw level {geometry.level} of {len(info.levels)}{rescaled}.")
    return notes
