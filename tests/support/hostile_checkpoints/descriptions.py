"""Descriptions in files of ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from support.hostile_checkpoints.member import Member
from support.training_runs import random_network, small_spec

__all__ = ["descriptions"]


ODD_NUMBERS: tuple[Any, ...] = (10**9, -1, 1e308, float("nan"), "nan", 10**400, [], {}, "\x1b[31m")
ODD_TEXTS: tuple[Any, ...] = (
    "\x1b[31mred", "a\nb", "\u202eabc", "n" * 1_000_000, ["n"] * 100_000, {"a": [[[1]]]}, None, [1],
)  # fmt: skip


def descriptions() -> Iterator[Member]:
    def file(change: dict[str, Any] | str, backbone: dict[str, Any] | None = None) -> Callable[[Path], Path]:
        def build(folder: Path) -> Path:
            spec = small_spec().model_dump(mode="json")
            if isinstance(change, dict):
                spec |= change
                spec["backbone"] |= backbone or {}
            state = random_network(small_spec()).state_dict()
            weights = {key: tensor for key, tensor in state.items() if not key.endswith("num_batches_tracked")}
            said = change if isinstance(change, str) else json.dumps(spec)
            content = {"format": "instanseg-export checkpoint", "version": 1, "spec": said, "weights": weights}
            path = folder / "checkpoint.pt"
            torch.save(content, path)
            return path

        return build

    for key in ("channels", "dim_coords", "n_sigma", "dim_seeds", "mlp_width", "pixel_size"):
        for value in ODD_NUMBERS:
            yield Member(f"description: {key} is {type(value).__name__} {str(value)[:20]!r}", file({key: value}))
    for key in ("name", "family", "structures", "source_datasets", "settings"):
        for value in ODD_TEXTS:
            yield Member(
                f"description: {key} is {type(value).__name__} {str(value)[:20]!r}", file({key: value}), harmless=True
            )
    backbones: tuple[dict[str, Any], ...] = (
        *({"in_channels": 10**9}, {"layers": [10**9]}, {"layers": [4] * 60}, {"layers": []}, {"layers": [65536] * 8}),
        *({"heads": [[10**9]]}, {"heads": [[1] * 5000]}, {"heads": []}, {"norm": "layer"}, {"kind": "\x1b[31m"}),
        *({"kind": "cellsam"}, {"layers": [[4]]}, {"layers": "4"}, {"in_channels": None}),
    )
    for change in backbones:
        yield Member(f"description: backbone {str(change)[:50]}", file({}, change))
    encoder = {"in_channels": 3, "patch": 8, "grid": 4, "width": 8, "head_width": 4, "mlp_width": 8, "neck": 4}
    for depth, extra in ((1_000_000, {}), (200, {"width": 65536}), (1, {"grid": 10**9}), (1, {"patch": 10**9})):
        vit = {**encoder, "attention_windows": [0] * depth, **extra}
        yield Member(
            f"description: an encoder of {depth} blocks {extra}",
            file({"backbone": {"kind": "cellposesam", "vit": vit, "heads": [[5]]}}),
        )
    swin = {"kind": "swin", "dim": 96, "depths": [2, 2, 6, 2], "heads": [3, 6, 12, 24], "window": 7}
    iaunets: dict[str, dict[str, Any]] = {
        "many blocks": {"blocks_per_level": 10**9},
        "many queries": {"queries": 10**9},
        "a large hidden layer": {"hidden": 65536, "dim": 65536},
        "a deep encoder": {"encoder": {**swin, "depths": [10**9] * 4}},
        "a fairly deep encoder": {"encoder": {**swin, "depths": [256] * 4}},
        "a wide encoder": {"encoder": {**swin, "dim": 49152}},
        "a large window": {"encoder": {**swin, "window": 1024}},
        "classes with colours": {"classes": ["\x1b[31ma", "\u202eb"]},
    }
    for title, fields in iaunets.items():
        spec = {"family": "iaunet", "name": "x", "channels": 3, "encoder": swin, **fields}
        yield Member(f"description of an IAUNet: {title}", file(json.dumps(spec)))
    embedsegs: dict[str, dict[str, Any]] = {
        "a large grid": {"grid": [10**18, 10**18]},
        "an endless extent": {"extent": [1e308, 1e308]},
        "no extent": {"extent": [None, 1]},
        "an extent of nan": {"extent": ["nan", 1]},
        "three axes": {"grid": [2, 2, 2]},
    }
    for title, fields in embedsegs.items():
        spec = {"family": "embedseg", "name": "x", "channels": 1, "grid": [64, 64], "extent": [1, 1], **fields}
        yield Member(f"description of an EmbedSeg: {title}", file(json.dumps(spec)))
    for title, said in {
        "deep": "[" * 100_000,
        "NaN": '{"family": NaN}',
        "a key twice": '{"family": "instanseg", "family": "embedseg"}',
        "6,000 digits": '{"family": ' + "9" * 6000 + "}",
        "empty": "",
        "a long family": json.dumps({"family": "f" * 1_000_000}),
        "a family with colours": json.dumps({"family": "\x1b[31m"}),
        "many values": "[" + "0," * 2_000_000 + "0]",
        "half a surrogate pair": '{"family": "\\ud800"}',
    }.items():
        yield Member(f"description: {title}", file(said))
