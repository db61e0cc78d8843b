"""Reads the network out of an exported TorchScript file, upstream's or ours, without executing it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..archives.script_module import InertObject, plain_attributes, read_script_module, tensors_of
from ..archives.torch_archive import TorchArchive, damaged, kind_of
from ..errors import CheckpointError
from ..families.checkpoint import Checkpoint
from ..families.facts import Fact
from ..families.instanseg.build import build
from ..families.instanseg.describe import parse_overrides
from ..families.instanseg.experiment_log import tuned
from ..families.registry import FAMILIES
from ..families.weights import canonical_weights
from ..files import sha256_of
from ..targets.base import METADATA_KEY
from ..untrusted.texts import load_json_text
from .single_file import parse_spec

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["READER", "TorchScriptReader"]

_MANY = 64

_OURS = f"extra/{METADATA_KEY}.json"


class TorchScriptReader:
    """Reads ``instanseg.pt``: upstream keeps description and decode parameters as attributes, we as an extra file."""

    name = "torchscript"
    describes = "an instanseg.pt (TorchScript) that InstanSeg or this package exported"

    def recognises(self, path: Path) -> bool:
        if kind_of(path) != "zip":
            return False
        try:
            with TorchArchive(path) as archive:
                return "data.pkl" in archive and any(name.startswith("code/") for name in archive.names())
        except CheckpointError:
            return False

    def read(self, path: Path, overrides: dict[str, str]) -> Checkpoint:
        with TorchArchive(path) as archive:
            module = read_script_module(archive)
            metadata = archive.read(_OURS) if _OURS in archive else None
        if metadata is not None:
            spec = parse_spec(_embedded_spec(metadata, path), path)
            state = _weights(module, path, ("network.",), spec.title)
            return FAMILIES.get(spec.family).restore(
                spec, state, overrides, path, sha256=sha256_of(path), reader=self.name
            )
        attributes = plain_attributes(module)
        defaults = {name.removeprefix("default_"): v for name, v in attributes.items() if name.startswith("default_")}
        settings, notes = tuned(_plain(defaults), f"{path}")
        return build(
            canonical_weights(_weights(module, path, ("fcn.", "pixel_classifier."), "InstanSeg"), path),
            {**_upstream_facts(attributes, path), **parse_overrides(overrides)},
            path,
            sha256=sha256_of(path),
            reader=self.name,
            settings=settings,
            notes=notes,
        )


def _weights(module: InertObject, path: Path, wanted: tuple[str, ...], title: str) -> dict[str, Tensor]:
    """Return the tensors whose names start with one of ``wanted``."""
    state = {name: tensor for name, tensor in tensors_of(module, path).items() if name.startswith(wanted)}
    if not state:
        raise CheckpointError(
            f"{path} is a TorchScript file, but no {title} network: it has no weights under {' or '.join(wanted)}",
            hint="Give an instanseg.pt that InstanSeg or instanseg-export wrote, or the training checkpoint.",
        )
    return state


def _embedded_spec(metadata: bytes, path: Path) -> Any:
    content = load_json_text(metadata, path, "its embedded description", CheckpointError)
    if not isinstance(content, dict) or "spec" not in content:
        raise damaged(path, "its embedded description cannot be read (it describes no network)")
    return content["spec"]


def _upstream_facts(attributes: Any, path: Path) -> dict[str, Fact]:
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
        state("targets", ("nuclei", "cells"), "cells_and_nuclei")
    return facts


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Turn 0-d and 1-d tensors into numbers and lists; those of many numbers are no settings."""
    return {
        name: value.tolist() if hasattr(value, "tolist") and value.numel() <= _MANY else value
        for name, value in values.items()
    }


READER = TorchScriptReader()
