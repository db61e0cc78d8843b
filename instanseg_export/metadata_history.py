"""What earlier versions wrote about a file, brought up to what this one reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["brought_up"]

_LABELS = "instance_segmentation"
"""Name of the first output in the first format."""

_ROWS = ["batch", "instance", "channel"]


def brought_up(content: Mapping[str, Any]) -> dict[str, Any]:
    """Bring a description of any earlier format up to the present one.

    Args:
        content: as the file has it. What is wrong with it is left as it is, for the model to say.

    Raises:
        Exception: parts of a first format's description are missing or of other kinds.
    """
    result = _from_format_1(content) if content["format"] == 1 else dict(content)
    return _with_pairing(_with_decides(result))


def _from_format_1(content: Mapping[str, Any]) -> dict[str, Any]:
    """Bring a description of the first format, whose outputs were names without roles, up to the second."""
    spec, rows, dimensions = content["spec"], content.get("rows", {}), content.get("dimensions", 2)
    result = {key: value for key, value in content.items() if key != "rows"}
    result |= {
        "format": 2,
        "dimensions": dimensions,
        "outputs": [
            _output_of_format_1(name, rows.get(name), spec, dimensions) for name in content.get("outputs", [_LABELS])
        ],
        "convolves_after_network": spec.get("feature_engineering") == "10" or "classifier" in spec,
    }
    return result


def _with_decides(content: Mapping[str, Any]) -> dict[str, Any]:
    """Say what each setting decides, where early files of both formats named the targets that fix it."""
    rows = content.get("tunables")
    if not isinstance(rows, list):
        return dict(content)  # what is wrong with it is said later
    return {**content, "tunables": [_row_with_decides(row) if isinstance(row, dict) else row for row in rows]}


def _with_pairing(content: Mapping[str, Any]) -> dict[str, Any]:
    """Say by what labels are paired, where early files of both formats had one such setting and did not say so."""
    baked = content.get("settings")
    if "paired_by" in content or not isinstance(baked, dict) or "resolve_cell_and_nucleus" not in baked:
        return dict(content)
    return {**content, "paired_by": "resolve_cell_and_nucleus"}


def _row_with_decides(row: Mapping[str, Any]) -> dict[str, Any]:
    targets = row.get("static_in")
    if not isinstance(targets, list) or "decides" in row or not all(isinstance(target, str) for target in targets):
        return dict(row)
    # TorchScript keeps the forward's branches: it fixes only what another forward is built for.
    decides = "forward" if "torchscript" in targets else "graph" if targets else "values"
    return {**{key: value for key, value in row.items() if key != "static_in"}, "decides": decides}


def _output_of_format_1(name: Any, row: Any, spec: Mapping[str, Any], dimensions: Any) -> dict[str, Any]:
    if name == _LABELS:
        spatial = ("z", "y", "x") if dimensions == 3 else ("y", "x")
        return {"name": name, "role": "labels", "axes": ["batch", "channel", *spatial]}
    if row is not None:
        role = "classes" if row["values"] else "rows"
        return {"name": name, "role": role, "axes": _ROWS, "columns": row["columns"], "values": row["values"]}
    axes = ["instance", "y", "x"] if name == "instance_masks" else ["instance"]
    values = ["no object", *spec.get("classes", [])] if name == "detection_classes" else []
    roles = {
        "instance_masks": "masks",
        "instance_images": "images",
        "instance_scores": "scores",
        "detection_classes": "classes",
    }
    return {"name": name, "role": roles.get(name, "other"), "axes": axes, "values": values}
