"""What each exported file says of itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import PackageError
from ..forwards.base import LABELS
from .base import METADATA_KEY

if TYPE_CHECKING:
    from ..checkpoints.base import Checkpoint
    from ..forwards.base import Forward

__all__ = ["FORMAT", "METADATA_KEY", "describe", "parse"]

FORMAT = 1
"""Rises when a reader of older metadata would misunderstand newer."""


def describe(target: str, forward: Forward, checkpoint: Checkpoint) -> dict[str, Any]:
    """Collect the metadata of a file: what it was made from, by what, and what can be tuned.

    Returns:
        JSON-ready: format, version (of this package), target, dimensions (2, or 3 for volumes), spec, source_sha256,
        settings (value of each tunable), tunables (name, kind, help, range, and ``fixed`` where this format cannot
        override it at run time), outputs (their names, in order), rows (of each output with a row per label, what its
        columns and its values are).
    """
    from .. import __version__
    from . import TARGETS
    from .settings import is_fixed

    writer = TARGETS.get(target)
    rows = []
    for tunable in forward.tunables:
        rows.append(tunable.describe() | {"fixed": is_fixed(tunable, writer)})
    return {
        "format": FORMAT,
        "version": __version__,
        "target": target,
        "dimensions": forward.dimensions,
        "spec": checkpoint.spec.model_dump(mode="json"),
        "source_sha256": checkpoint.sha256,
        "settings": {
            name: list(value) if isinstance(value, tuple) else value for name, value in forward.values.items()
        },
        "tunables": rows,
        "outputs": [LABELS, *(output.name for output in forward.further)],
        "rows": {
            output.name: {"columns": list(output.channels), "values": list(output.values)}
            for output in forward.further
            if output.axes == ("batch", "instance", "channel")
        },
    }


def parse(text: str | bytes, path: Path) -> dict[str, Any]:
    """Read metadata back.

    Raises:
        PackageError: it is missing, damaged, or of a newer format.
    """
    try:
        metadata = json.loads(text)
        written = metadata["format"]
    except (ValueError, KeyError, TypeError):
        raise PackageError(
            f"{path} carries no description of its own.",
            hint="Only files that instanseg-export wrote have one: export the checkpoint again.",
        ) from None
    if written > FORMAT:
        raise PackageError(
            f"{path} was written by a newer version ({metadata.get('version')}).", hint="Update instanseg-export."
        )
    return dict(metadata)
