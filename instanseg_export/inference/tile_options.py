"""What a user wants of images that are segmented in tiles."""

# Annotations are values here: as words, the command line would look for them in the modules of classes that inherit.
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import SettingError
from ..untrusted.numbers import check_number

if TYPE_CHECKING:
    AnyPath = str | Path
else:
    AnyPath = Path  # what the command line makes of a word

__all__ = ["TileOptions"]

_USUAL = {2: (1024, 80), 3: (128, 16)}
"""Tile and halo, by the number of axes."""


@dataclass(frozen=True, kw_only=True)
class TileOptions:
    """How a large image is segmented in tiles.

    Attributes:
        tiled: Segment in tiles, as for whole slides. Images that do not fit into memory are in any case.
        tile: Width and height of a tile, in pixels of the model, halo included. Default: 1024, of volumes 128.
        halo: How much of a tile, on each side, only shows the model what is around. Default: 80, of volumes 16.
        annotation: GeoJSON file (QuPath's annotations): only objects in it count.
        tissue: Segment tissue only, which is looked for first.
        workers: Programs that work on tiles at the same time. Default: one for each core.
        scheduler: Address of a Dask scheduler, as in tcp://10.0.0.1:8786, for workers on other machines.
        resume: Continue a run that was interrupted in the same --output.
        strict: End the run when a tile fails, in place of leaving it out.
        keep_tiles: Keep what each tile held.

    Raises:
        SettingError: a number is out of range.
    """

    tiled: bool = False
    tile: int | None = None
    halo: int | None = None
    annotation: AnyPath | None = None
    tissue: bool = False
    workers: int | None = None
    scheduler: str | None = None
    resume: bool = False
    strict: bool = False
    keep_tiles: bool = False

    def __post_init__(self) -> None:
        check_number("size of a tile", self.tile, 1, 32768)
        check_number("halo", self.halo, 0, 8192)
        check_number("number of workers", self.workers, 1, 4096)
        if self.scheduler is not None and self.workers is not None:
            raise SettingError(
                "The workers of a scheduler are as many as it has.", hint="Leave out --workers or --scheduler."
            )

    def sizes(self, axes: int) -> tuple[int, int]:
        """Return tile and halo for a plane of so many axes."""
        tile, halo = _USUAL[axes]
        return tile if self.tile is None else self.tile, halo if self.halo is None else self.halo

    @property
    def asks_for_tiles(self) -> bool:
        """Return whether something was chosen that only means something in tiles."""
        return any(getattr(self, one.name) != one.default for one in fields(TileOptions))
