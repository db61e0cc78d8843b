"""Recipes of two stages."""

from __future__ import annotations

import json
from collections.abc import Iterator

from support.hostile_checkpoints.member import Member, file_form
from support.hostile_checkpoints.yamls import yaml_texts

__all__ = ["recipes"]


def recipes() -> Iterator[Member]:
    for title, content in yaml_texts("name", "nothing"):
        yield Member(f"recipe: {title}", file_form("recipe.yaml", content))
    whole = {"family": "classified", "segmentation": "seg.pt", "classifier": "c.pth", "classes": ["a", "b"]}
    for key, value in {
        "pixel_size": 1e308,
        "segmentation_pixel_size": "nan",
        "crop_size": 10**12,
        "heads": 10**12,
        "divisor": 1e999,
        "name": "n" * 100_000,
        "classes": ["c"] * 50_000,
        "segmentation": "recipe.json",
        "classifier": "/dev/zero",
        "settings": {"a": [[[[]]]]},
        "family": "\x1b[31m",
        "\x1b[31m": 1,
        "k" * 100_000: 1,
    }.items():
        yield Member(
            f"recipe: {key[:20]!r} is {str(value)[:20]}", file_form("recipe.json", json.dumps({**whole, key: value}))
        )
    for path in (
        "/dev/zero",
        "/dev/null",
        "/dev/stdin",
        "../..",
        ".",
        "/proc/self/mem",
        "\0",
        "n" * 5000,
        "/etc/passwd",
    ):
        content = json.dumps({**whole, "segmentation": path})
        yield Member(f"recipe: the segmentation is {path[:20]!r}", file_form("recipe.json", content))
