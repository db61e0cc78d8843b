"""All hostile models, each under a name.

``tests/exported_model/test_hostile_models.py`` gives them to the product, longer campaigns may. A member is built in an
empty folder of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from support.hostile_models.arrays import arrays
from support.hostile_models.descriptions import descriptions
from support.hostile_models.onnx_files import onnx_files
from support.hostile_models.packages import package_files, rdf_files
from support.hostile_models.parts import (
    Member,
)
from support.hostile_models.torchscript_files import torchscript_files
from support.hostile_models.zips import zips

__all__ = ["members"]


def members(canary: Path) -> Iterator[Member]:
    """Yield all members.

    Args:
        canary: a file that some would create if their code were executed.
    """
    yield from descriptions()
    yield from onnx_files()
    yield from torchscript_files(canary)
    yield from package_files()
    yield from rdf_files()
    yield from arrays(canary)
    yield from zips()
