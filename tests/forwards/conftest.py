"""Exported files, opened once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from exported_models import MODELS

Open = Callable[[str, str], Any]


@pytest.fixture(scope="session")
def opened(exported: Callable[[str], Path]) -> Open:
    """Open a variant's file of a format, "torchscript" or "onnx"."""

    @cache
    def model(variant: str, target: str) -> Any:
        return MODELS[target](exported(variant))

    return model
