"""How images are segmented."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, TypedDict

from ...inference.image_options import Channel, ImageOptions
from ...inference.tile_options import TileOptions
from ...untrusted.numbers import check_time_limit
from .shared import SHOWN, AnyPath, Settings

__all__ = ["RunKeywords", "RunOptions"]


@dataclass(frozen=True, kw_only=True)
class RunOptions(ImageOptions, TileOptions):
    """How images are segmented.

    Attributes:
        output: Folder of the results. Default: the current folder.
        overwrite: Replace existing results of this tool for the same image, if they were not changed.
        settings: Settings to override, as in --set seed_threshold=0.6.
        device: cpu, cuda, cuda:1 or mps.
        runtime: What runs the model (instanseg-export doctor lists them). Default: one that fits.
        time_limit: Seconds that the runtime may take for one image.
        trust: Run a program (.pt, .pt2) that instanseg-export did not write. It can read and write your files.

    Raises:
        ImageError: the pixel size is no length.
        SettingError: the time limit is none, or a number of tiles is out of range.
    """

    output: AnyPath | None = None
    overwrite: bool = False
    settings: Settings = field(default_factory=dict)
    device: Annotated[str, SHOWN] = "cpu"
    runtime: str | None = None
    time_limit: Annotated[float, SHOWN] = 3600.0
    trust: bool = False

    def __post_init__(self) -> None:
        ImageOptions.__post_init__(self)
        TileOptions.__post_init__(self)
        check_time_limit(self.time_limit)


class RunKeywords(TypedDict, total=False):
    """The fields of :class:`RunOptions` as keywords."""

    pixel_size: float | None
    channels: Sequence[Channel]
    region: tuple[int, int, int, int] | None
    polygons: Sequence[str]
    table: str | None
    label_format: str | None
    ignore_memory: bool
    tiled: bool
    tile: int | None
    halo: int | None
    annotation: AnyPath | None
    tissue: bool
    workers: int | None
    scheduler: str | None
    resume: bool
    strict: bool
    keep_tiles: bool
    output: AnyPath | None
    overwrite: bool
    settings: Mapping[str, Any]
    device: str
    runtime: str | None
    time_limit: float
    trust: bool
