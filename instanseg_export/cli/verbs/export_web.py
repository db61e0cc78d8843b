"""The verb ``export-web``: what it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from ...api.options import ExportWebOptions
from .flat import FLAT

__all__ = ["export_web"]


def export_web(
    model: Path,
    /,
    *,
    options: Annotated[ExportWebOptions | None, FLAT] = None,
    json: bool = False,
    quiet: bool = False,
) -> int:
    """Write a page that runs a model in the browser, as a folder for any web host.

    Typical calls:

      instanseg-export export-web my_model --output page

    Copy the folder to the host as it is; it needs no program there. The first call builds the page, which takes Node
    20.15 or newer, npm and a minute.

    Parameters
    ----------
    model
        A package's folder or zip with a model.onnx, or that file.
    options
        See ExportWebOptions.
    json
        Print one JSON document on stdout, and nothing else there.
    quiet
        Print errors only.
    """
    from ..web_commands import export_web_command

    return export_web_command(model, options, as_json=json, quiet=quiet)
