"""The registry of families that can be trained."""

from __future__ import annotations

from ..registry import Registry
from .objective import TrainedFamily

__all__ = ["OBJECTIVES"]

OBJECTIVES: Registry[TrainedFamily] = Registry(
    "family that can be trained",
    "instanseg_export.training",
    {
        "instanseg": "instanseg_export.training.instanseg.family:TRAINED",
        "embedseg": "instanseg_export.training.embedseg.family:TRAINED",
        "embedseg_3d": "instanseg_export.training.embedseg.family:TRAINED",
        "iaunet": "instanseg_export.training.iaunet.family:TRAINED",
        "classified": "instanseg_export.training.two_stage.family:CLASSIFIED",
        "positivity": "instanseg_export.training.two_stage.family:POSITIVITY",
    },
)
