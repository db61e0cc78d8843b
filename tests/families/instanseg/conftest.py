"""Exported files, opened once."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from instanseg_export.checkpoints import Checkpoint
from instanseg_export.families.registry import build_forward
from support.exported_models import MODELS, OnnxModel, TorchScriptModel, write_both
from support.sharing import MadeOnce
from support.synthetic import synthetic_checkpoint

Open = Callable[[str, str], Any]


@pytest.fixture(scope="session")
def opened(exported: Callable[[str], Path]) -> Open:
    """Open a variant's file of a format, "torchscript" or "onnx"."""

    @cache
    def model(variant: str, target: str) -> Any:
        return MODELS[target](exported(variant))

    return model


@dataclass(frozen=True)
class Synthetic:
    """A forward behind a network that does nothing, and its files; see ``synthetic.py``."""

    checkpoint: Checkpoint
    forward: Any
    folder: Path
    torchscript: TorchScriptModel
    onnx: OnnxModel


@pytest.fixture(scope="session")
def synthetic(made_once: MadeOnce) -> Callable[..., Synthetic]:
    """Give the synthetic model for changes of its description; each is exported once in a run of the tests."""

    @cache
    def model(*changes: tuple[str, Any]) -> Synthetic:
        checkpoint = synthetic_checkpoint(**dict(changes))
        forward = build_forward(checkpoint)
        name = re.sub(r"\W+", " ", f"synthetic {dict(changes)}")
        folder = made_once(name, lambda folder: write_both(checkpoint, forward, folder))
        return Synthetic(checkpoint, forward, folder, TorchScriptModel(folder), OnnxModel(folder))

    return model
