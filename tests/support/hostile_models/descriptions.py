"""Every key of a description with values of every type, and descriptions that are none."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from support.hostile_models.parts import (
    Member,
    content_for,
    later,
    one_file,
    onnx_with,
    torchscript_with,
)

__all__ = ["descriptions"]


ODD: dict[str, Any] = {
    "null": None,
    "true": True,
    "minus": -1,
    "large": 10**12,
    "text": "x\x1b[31m",
    "list": [[None]],
    "object": {"a": {}},
}


def descriptions() -> Iterator[Member]:
    """Every key of a description with values of every type: most are refused, and none is anything else."""
    content = content_for("onnx")
    places: list[tuple[Any, ...]] = [(key,) for key in content]
    places += [("spec", key) for key in content["spec"]]
    places += [("tunables", 0, key) for key in content["tunables"][0]]
    places += [("outputs", 0, key) for key in content["outputs"][0]]
    places += [("settings", key) for key in content["settings"]]
    for place in places:
        for kind, value in ODD.items():
            changed = copy.deepcopy(content)
            inner = changed
            for key in place[:-1]:
                inner = inner[key]
            inner[place[-1]] = value
            name = f"description: {'.'.join(map(str, place))} is {kind}"
            yield Member(name, one_file("model.onnx", later(onnx_with, json.dumps(changed))), harmless=True)
    for name, text in {
        "nothing": "",
        "null": "null",
        "a list": "[]",
        "a million brackets": "[" * 900_000,
        "two million letters": json.dumps({**content, "version": "x" * 2_000_000}),
        "1e999": json.dumps(content).replace('"pixel_size": 0.5', '"pixel_size": 1e999'),
        "NaN": json.dumps(content).replace('"pixel_size": 0.5', '"pixel_size": NaN'),
        "1e308": json.dumps(content).replace('"pixel_size": 0.5', '"pixel_size": 1e308'),
        "6000 digits": json.dumps(content).replace('"channels": 3', '"channels": ' + "9" * 6000),
        "10^12 channels": json.dumps(content).replace('"channels": 3', '"channels": 1000000000000'),
        "7 dimensions": json.dumps({**content, "dimensions": 7}),
        "a newer format": json.dumps({"format": 3, "version": "9\x1b[2J"}),
        "a key twice": json.dumps(content)[:-1] + ', "target": "onnx"}',
    }.items():
        yield Member(f"description in ONNX: {name}", one_file("model.onnx", later(onnx_with, text)))
        yield Member(f"description in TorchScript: {name}", one_file("instanseg.pt", later(torchscript_with, text)))
