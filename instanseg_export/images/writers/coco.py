"""Masks that may overlap, as run-length encoded COCO results (Lin et al. 2014): what pycocotools reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["encode_mask", "write_coco"]


def _runs(mask: NDArray[Any]) -> list[int]:
    """Return the lengths of runs of 0 and 1 in turn, column by column; the first is of 0 and may be empty."""
    flat = np.concatenate([[0], mask.astype(bool).T.reshape(-1).astype(np.int8)])
    starts = np.flatnonzero(np.diff(flat))
    return [int(length) for length in np.diff(np.concatenate([[0], starts, [mask.size]]))]


def encode_mask(mask: NDArray[Any]) -> dict[str, Any]:
    """Encode one mask in COCO's compressed form.

    Each run is written in groups of five bits, the lowest first, as characters from "0" on; a sixth bit says that more
    follow. From the fourth run on it is the difference to the run before the last.

    Args:
        mask: (H, W), 0 outside.

    Returns:
        ``{"size": [H, W], "counts": text}``.
    """
    runs = _runs(mask)
    text = []
    for place, run in enumerate(runs):
        value = run - runs[place - 2] if place > 2 else run
        while True:
            bits = value & 31
            value >>= 5
            more = value != (-1 if bits & 16 else 0)
            text.append(chr(bits + (32 if more else 0) + 48))
            if not more:
                break
    return {"size": [int(size) for size in mask.shape], "counts": "".join(text)}


def write_coco(
    path: Path,
    masks: NDArray[Any],
    *,
    image: str,
    scores: Sequence[float],
    categories: Sequence[int],
    names: Sequence[str],
) -> None:
    """Write masks as the JSON of a COCO data set of one image, with scores.

    An annotation's id is the instance's label in the label map; categories count from 1.

    Args:
        path: of the new file; an existing one is replaced.
        masks: (N, H, W), 0 outside; row r belongs to label r + 1.
        image: file name of the image.
        scores: of each row.
        categories: of each row, from 1.
        names: of the categories.
    """
    _, height, width = masks.shape
    annotations = []
    for row, mask in enumerate(masks):
        down, right = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        box = [0, 0, 0, 0]
        if down.size:
            left, top = int(right[0]), int(down[0])
            box = [left, top, int(right[-1]) + 1 - left, int(down[-1]) + 1 - top]
        annotations.append(
            {
                "id": row + 1,
                "image_id": 1,
                "category_id": int(categories[row]),
                "segmentation": encode_mask(mask),
                "area": int(np.count_nonzero(mask)),
                "bbox": box,
                "iscrowd": 0,
                "score": round(float(scores[row]), 6),
            }
        )
    content = {
        "images": [{"id": 1, "file_name": image, "height": height, "width": width}],
        "categories": [{"id": place, "name": name} for place, name in enumerate(names, start=1)],
        "annotations": annotations,
    }
    path.write_text(json.dumps(content), encoding="utf-8")
