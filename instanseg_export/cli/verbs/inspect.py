"""The verb ``inspect``: what it takes."""

from __future__ import annotations

from pathlib import Path

from ...api.key_values import KeyValues

__all__ = ["inspect"]


def inspect(
    path: Path,
    /,
    *,
    spec: KeyValues | None = None,
    json: bool = False,
) -> int:
    """Show what a checkpoint or an exported model is.

    Typical calls:

      instanseg-export inspect training_run/
      instanseg-export inspect model.onnx

    Parameters
    ----------
    path
        A checkpoint, or a package's folder, zip or one file of it.
    spec
        For checkpoints: what the files do not say, as in --spec pixel_size=0.5.
    json
        Print one JSON document.
    """
    from ..commands import inspect_command

    return inspect_command(path, spec=spec, as_json=json)
