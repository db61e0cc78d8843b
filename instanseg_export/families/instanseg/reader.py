"""Reads what upstream's training leaves: a run folder, or its ``model_weights.pth`` with or without the log."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...archives.torch_archive import kind_of, peek
from ...archives.torch_file import load_tensors
from ...errors import CheckpointError, SpecError
from ...files import sha256_of
from ...untrusted.boundary import present
from ..checkpoint import Checkpoint, Load
from ..facts import Fact
from ..signatures import network_of
from .build import build
from .describe import parse_overrides
from .experiment_log import read_best_params, read_experiment_log
from .spec import InstanSegSpec
from .weights import SIGNATURES, canonical_weights

__all__ = ["READER", "WEIGHTS_FILE", "TrainingRunReader"]

WEIGHTS_FILE = "model_weights.pth"
_LOG = "experiment_log.csv"
_TUNED = Path("Results", "best_params.csv")


class TrainingRunReader:
    """Reads ``model_weights.pth``, ``experiment_log.csv`` and ``Results/best_params.csv``."""

    name = "training-run"
    describes = "a training run of InstanSeg: its folder, or its model_weights.pth"

    def recognises(self, path: Path) -> bool:
        return network_of(peek(_weights_file(path)), SIGNATURES) == InstanSegSpec.title

    def read(self, path: Path, overrides: dict[str, str], load: Load) -> Checkpoint:
        source = _weights_file(path)
        stated = parse_overrides(overrides)
        facts: dict[str, Fact] = {}
        settings: Mapping[str, Any] = {}
        notes: tuple[str, ...] = ()
        if present(log := source.parent / _LOG, SpecError):
            facts = read_experiment_log(log)
        else:
            notes = (f"There is no {_LOG} beside {source.name}: the shapes of the weights say the rest.",)
        if present(best := source.parent / _TUNED, SpecError):
            settings, ignored = read_best_params(best)
            notes += ignored
        weights = canonical_weights(_state(load_tensors(source), source), source)
        return build(
            weights,
            {**facts, **stated},
            source,
            sha256=sha256_of(source),
            reader=self.name,
            settings=settings,
            notes=notes,
        )


def _weights_file(path: Path) -> Path:
    return path / WEIGHTS_FILE if kind_of(path) == "folder" else path


def _state(content: Any, path: Path) -> Mapping[Any, Any]:
    """Return the state dict, wherever the training put it."""
    for key in ("model_state_dict", "state_dict", None):
        state = content if key is None else content.get(key) if isinstance(content, Mapping) else None
        if isinstance(state, Mapping) and state:
            return state
    raise CheckpointError(
        f"{path} holds a {type(content).__name__} without weights.", hint="Give the file that training wrote."
    )


READER = TrainingRunReader()
