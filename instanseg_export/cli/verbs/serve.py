"""The verb ``serve``: what it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from ...api.options import ServeOptions
from .flat import FLAT

__all__ = ["serve"]


def serve(
    model: Path,
    /,
    *,
    options: Annotated[ServeOptions | None, FLAT] = None,
    no_browser: bool = False,
    json: bool = False,
) -> int:
    """Open a page that runs a model in the browser. Images stay on this computer.

    Typical calls:

      instanseg-export serve my_model
      instanseg-export serve my_model --port 8000 --no-browser

    The page opens PNG, JPEG and TIFF images, and writes label TIFFs, GeoJSON for QuPath and CSV. Only this computer can
    reach it; Ctrl-C ends it. The first call builds the page, which takes Node 20.15 or newer, npm and a minute.

    Parameters
    ----------
    model
        A package's folder or zip with a model.onnx, or that file.
    options
        See ServeOptions.
    no_browser
        Print the address only.
    json
        Print the address as a JSON document.
    """
    from ..web_commands import serve_command

    return serve_command(model, options, browser=not no_browser, as_json=json)
