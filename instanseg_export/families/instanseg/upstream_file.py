"""Reads the network out of a TorchScript file that upstream's own exporter wrote, without executing it.

Such a file keeps description and tuned settings as attributes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...archives.script_module import plain_attributes, read_script_module, tensors_below
from ...archives.torch_archive import TorchArchive, is_script_file, peek
from ...files import sha256_of
from ...metadata import METADATA_FILE
from ..checkpoint import Checkpoint, Load
from ..facts import Fact
from .build import build
from .describe import parse_overrides
from .experiment_log import tuned
from .spec import InstanSegSpec
from .weights import canonical_weights

__all__ = ["READER", "UpstreamFileReader", "is_upstream_file"]

_PARTS = ("fcn.", "pixel_classifier.")
"""Modules of such a file that have weights."""

_MANY = 64


def is_upstream_file(path: Path) -> bool:
    """Tell whether a file is a TorchScript file of upstream's."""
    if not is_script_file(path):
        return False
    with TorchArchive(path) as archive:
        names = archive.names()
    return f"extra/{METADATA_FILE}" not in names and all(part[:-1].encode() in peek(path) for part in _PARTS)


class UpstreamFileReader:
    """Reads an ``instanseg.pt`` of upstream's."""

    name = "instanseg-torchscript"
    describes = "an instanseg.pt (TorchScript) that InstanSeg exported"

    def recognises(self, path: Path) -> bool:
        return is_upstream_file(path)

    def read(self, path: Path, overrides: dict[str, str], load: Load) -> Checkpoint:
        with TorchArchive(path) as archive:
            module = read_script_module(archive)
        attributes = plain_attributes(module)
        defaults = {name.removeprefix("default_"): v for name, v in attributes.items() if name.startswith("default_")}
        settings, notes = tuned(_plain(defaults), f"{path}")
        return build(
            canonical_weights(tensors_below(module, path, _PARTS, InstanSegSpec.title), path),
            {**_facts(attributes, path), **parse_overrides(overrides)},
            path,
            sha256=sha256_of(path),
            reader=self.name,
            settings=settings,
            notes=notes,
        )


def _facts(attributes: Mapping[str, Any], path: Path) -> dict[str, Fact]:
    facts: dict[str, Fact] = {}

    def state(field: str, value: Any, attribute: str) -> None:
        facts[field] = Fact(value, f"The attribute {attribute} of {path}")

    for field in ("dim_coords", "n_sigma", "dim_seeds"):
        if isinstance(attributes.get(field), int):
            state(field, attributes[field], field)
    size = attributes.get("pixel_size")
    if isinstance(size, (int, float)) and math.isfinite(size) and size > 0:
        state("pixel_size", float(size), "pixel_size")
    if attributes.get("cells_and_nuclei") is True:
        state("structures", ("nuclei", "cells"), "cells_and_nuclei")
    return facts


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Turn 0-d and 1-d tensors into numbers and lists; those of many numbers are no settings."""
    return {
        name: value.tolist() if hasattr(value, "tolist") and value.numel() <= _MANY else value
        for name, value in values.items()
    }


READER = UpstreamFileReader()
