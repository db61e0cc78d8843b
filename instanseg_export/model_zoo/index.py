"""The list of all models of the zoo, for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..evaluation.records import EvaluationData
from ..packaging.checkpoint_card import CARD_FILE
from .folder import CHECKPOINT_FILE, PAGE_FILE, Records, ZooModel

__all__ = ["INDEX_FILE", "listed", "render_index"]

INDEX_FILE = "index.json"

_FORMAT = 2
_FIGURES = ("f1", "f1_mu", "sq", "pq", "ap_dsb")


def listed(zoo: Path) -> list[Path]:
    """Return the folders of a zoo that have a card and a checkpoint: a recipe alone is no model yet."""
    return sorted(path.parent for path in zoo.glob(f"*/{CARD_FILE}") if (path.parent / CHECKPOINT_FILE).is_file())


def render_index(models: Iterable[tuple[ZooModel, Records]]) -> str:
    """Return the index of a zoo as JSON. The same folders give the same text."""
    entries = [_entry(*one) for one in sorted(models, key=lambda one: one[0].folder.name)]
    return json.dumps({"format": _FORMAT, "models": entries}, indent=2, ensure_ascii=False) + "\n"


def _entry(model: ZooModel, records: Records) -> dict[str, Any]:
    card, spec, folder = model.card, model.checkpoint.spec, model.folder.name
    return {
        "name": card.name,
        "version": card.version,
        "description": card.description,
        "license": card.license,
        "structures": list(spec.structures),
        "dimensions": spec.dimensions,
        "channels": spec.channels,
        "pixel_size": card.pixel_size or spec.pixel_size,
        "card": f"{folder}/{CARD_FILE}",
        "page": f"{folder}/{PAGE_FILE}",
        "checkpoint": f"{folder}/{CHECKPOINT_FILE}",
        "sha256": model.checkpoint.sha256,
        "size": (model.folder / CHECKPOINT_FILE).stat().st_size,
        "figures": _figures(records.evaluation),
    }


def _figures(data: EvaluationData) -> list[dict[str, Any]]:
    """Return the figures of each group to four digits: value, and lower and upper bound of the interval."""
    return [
        {
            "structure": row.structure,
            "group": row.group,
            "how": row.how,
            "images": row.images,
            **{
                key: [None if value is None else round(value, 4) for value in (one.value, one.low, one.high)]
                for key, one in ((key, row.scores[key]) for key in _FIGURES)
            },
        }
        for row in data.scores_in(data.first.key)
    ]
