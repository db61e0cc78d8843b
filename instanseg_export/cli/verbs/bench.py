"""The verb ``bench``: what it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from ...api.options import BenchOptions
from .flat import FLAT

__all__ = ["bench"]


def bench(
    models: list[Path],
    /,
    *,
    images: list[Path] | None = None,
    options: Annotated[BenchOptions | None, FLAT] = None,
    json: bool = False,
    quiet: bool = False,
) -> int:
    """Measure speed and memory of exported models in every runtime of this machine.

    Typical calls:

      instanseg-export bench my_model
      instanseg-export bench my_model --size 2048 --objects 5000 --output speed
      instanseg-export bench upstream.pt my_model --images a.tif

    Parameters
    ----------
    models
        Packages' folders or zips, or exported files. With several, ratios to the first are shown.
    images
        Your own images. Default: the package's samples, or a drawn image if it has none.
    options
        See BenchOptions.
    json
        Print one JSON document on stdout, and nothing else there.
    quiet
        Print errors only.
    """
    from ..commands import bench_command

    return bench_command(models, images, options, as_json=json, quiet=quiet)
