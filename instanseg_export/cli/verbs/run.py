"""The verb ``run``: what it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from ...api.options import RunOptions
from .flat import FLAT

__all__ = ["run"]


def run(
    model: Path,
    images: list[Path],
    /,
    *,
    recursive: bool = False,
    options: Annotated[RunOptions | None, FLAT] = None,
    json: bool = False,
    quiet: bool = False,
) -> int:
    """Segment images: label TIFFs and pictures of the outlines.

    Typical calls:

      instanseg-export run my_model image.tif
      instanseg-export run my_model my_images/ --output results
      instanseg-export run my_model image.tif --polygons geojson roi --table csv
      instanseg-export run my_model/instanseg.pt image.tif --pixel-size 0.25
      instanseg-export run my_model grey.png --channels 1 1 1
      instanseg-export run my_model slide.svs --tiled --tissue --output slide

    Parameters
    ----------
    model
        A package's folder or zip, or the instanseg.pt or model.onnx in it.
    images
        TIFF, OME-TIFF, PNG, JPEG or OME-Zarr; one, several, or folders of them. In tiles also SVS and, with the extra
        openslide, other scanners' slides, or the URL of an OME-Zarr; one at a time.
    recursive
        Take the images in folders inside of folders too.
    options
        See RunOptions.
    json
        Print one JSON document on stdout, and nothing else there.
    quiet
        Print errors only.
    """
    from ..run_command import run_command

    return run_command(model, images, options, recursive=recursive, as_json=json, quiet=quiet)
