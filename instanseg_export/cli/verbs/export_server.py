"""The verb ``export-server``: what it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from ...api.options import ServerOptions
from .flat import FLAT

__all__ = ["export_server"]


def export_server(
    path: Path,
    /,
    *,
    options: Annotated[ServerOptions | None, FLAT] = None,
    json: bool = False,
    quiet: bool = False,
) -> int:
    """Write what servers need to run a model: Triton, or a small HTTP program.

    Typical calls:

      instanseg-export export-server my_model --output server
      instanseg-export export-server my_model --kinds triton --output server

    Parameters
    ----------
    path
        A package's folder or zip, or an ONNX file.
    options
        See ServerOptions.
    json
        Print one JSON document on stdout, and nothing else there.
    quiet
        Print errors only.
    """
    from ..commands import export_server_command

    return export_server_command(path, options, as_json=json, quiet=quiet)
