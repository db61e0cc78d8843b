"""The verb ``export``: what it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from ...api.options import ExportOptions
from .flat import FLAT

__all__ = ["export"]


def export(
    checkpoint: Path,
    /,
    *,
    options: Annotated[ExportOptions | None, FLAT] = None,
    json: bool = False,
    quiet: bool = False,
) -> int:
    """Export a checkpoint (the default command).

    Parameters
    ----------
    checkpoint
        A training run's folder, its model_weights.pth, a checkpoint.pt or .safetensors, or an instanseg.pt.
    options
        See ExportOptions.
    json
        Print one JSON document on stdout, and nothing else there.
    quiet
        Print errors only.
    """
    from ..commands import export_command

    return export_command(checkpoint, options, as_json=json, quiet=quiet)
