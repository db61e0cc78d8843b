"""The verb ``validate``: what it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from ...api.options import ValidateOptions
from .flat import FLAT

__all__ = ["validate"]


def validate(
    path: Path,
    /,
    *,
    images: list[Path] | None = None,
    options: Annotated[ValidateOptions | None, FLAT] = None,
    json: bool = False,
    quiet: bool = False,
) -> int:
    """Compare an exported model in every runtime of this machine, instance by instance.

    Typical calls:

      instanseg-export validate my_model
      instanseg-export validate my_model/model.onnx --images a.tif b.tif
      instanseg-export validate my_model --output report
      instanseg-export validate my_model --baseline report/report.json

    Parameters
    ----------
    path
        A package's folder, or one exported file.
    images
        Your own images. Default: the package's samples and a standard set of hard cases.
    options
        See ValidateOptions.
    json
        Print one JSON document on stdout, and nothing else there.
    quiet
        Print errors only; the exit status tells whether the runtimes agree.
    """
    from ..commands import validate_command

    return validate_command(path, images, options, as_json=json, quiet=quiet)
