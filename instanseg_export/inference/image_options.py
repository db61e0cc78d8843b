"""What a user wants of each image that is segmented."""

# Annotations are values here: as words, the command line would look for them in the modules of classes that inherit.
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import ImageError

if TYPE_CHECKING:
    Channel = int | str
else:
    Channel = str  # what the command line makes of a word

__all__ = ["Channel", "ImageOptions"]


@dataclass(frozen=True, kw_only=True)
class ImageOptions:
    """What a user wants of each image that is segmented.

    Attributes:
        pixel_size: Of the image, in micrometres, if its file is silent or wrong. The image is rescaled for the model.
        channels: Channels that the model sees, by number from 1 or by name, in the model's order. Default: all.
        region: X Y WIDTH HEIGHT of the part to segment, in pixels of the image. Default: all of it.
        polygons: Write outlines too: geojson (for QuPath), roi (for ImageJ and Fiji).
        table: Write a row for each object (area, centroid, intensities): csv or parquet.
        label_format: Write the label map as OME-Zarr too, a pyramid that napari opens: ome-zarr.
        ignore_memory: Go on where memory does not seem to suffice.

    Raises:
        ImageError: the pixel size is no length.
    """

    pixel_size: float | None = None
    channels: Sequence[Channel] = ()
    region: tuple[int, int, int, int] | None = None
    polygons: Sequence[str] = ()
    table: str | None = None
    label_format: str | None = None
    ignore_memory: bool = False

    def __post_init__(self) -> None:
        if self.pixel_size is not None and not 1e-6 < self.pixel_size < 1e6:
            raise ImageError(
                f"The pixel size {self.pixel_size:g} is no length.", hint="Give it in micrometres, as in 0.5."
            )
