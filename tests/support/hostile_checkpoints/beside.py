"""What lies beside weights: logs of trainings and properties of their data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch

from support.hostile_checkpoints.member import Member, written
from support.training_runs import log_of, small_spec, write_log, write_run

__all__ = ["embedseg", "logs", "properties"]


def with_file(relative: str, content: bytes | str) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        write_run(folder)
        (folder / relative).parent.mkdir(exist_ok=True)
        written(folder / relative, content)
        return folder

    return build


HOSTILE_TEXTS: dict[str, bytes | str] = {
    "zeros": bytes(1000),
    "UTF-16": "a,b".encode("utf-16"),
    "no text": b"\xff\xfe\xfa",
    "2 MB": "a,b\n" * 500_000,
    "an open quote": 'model_str,"' + "x" * 200_000,
    "a field of 500 kB": "model_str," + "x" * 500_000,
    "colours": "model_str,\x1b[31m\x1b]0;t\x07\n",
    "colours in a name": "\x1b[31m,1\n\x1b[31m,2\n",
    "a mark of order": "\ufeffmodel_str\n",
    "many cells": "a," * 100_000,
    "carriage returns": "a\rb\rc",
}


def logs() -> Iterator[Member]:
    for title, content in HOSTILE_TEXTS.items():
        yield Member(f"log: {title}", with_file("experiment_log.csv", content))
        yield Member(f"best params: {title}", with_file("Results/best_params.csv", content), harmless=True)

    def logged(key: str, value: Any) -> Callable[[Path], Path]:
        def build(folder: Path) -> Path:
            write_run(folder)
            write_log(folder, {**log_of(small_spec()), key: value})
            return folder

        return build

    for key in (
        "dim_in",
        "dim_coords",
        "layers",
        "requested_pixel_size",
        "multihead",
        "norm",
        "mlp_width",
        "model_str",
    ):
        for value in (
            *("9" * 6000, "1e308", "-1e308", "1e999", "inf", "-inf", "-nan", "[" * 3000, "-" * 3000 + "1", "\x1b[31m"),
            *("[1" + ",1" * 60_000 + "]", "9**9**9", "'a'*10**10", "{" * 100, "0x" + "f" * 3000, "\u0661\u0662", "1_0"),
        ):
            yield Member(f"log: {key} is {value[:12]!r}, {len(value)}", logged(key, value), harmless=len(value) < 4)
    for value in (
        "['\x1b[31m']",
        "[" * 90_000,
        "['n'" + ",'n'" * 20_000 + "]",
        "\u202e",
        "n" * 100_000,
        "{1: 2}",
        "-" * 1000,
    ):
        yield Member(f"log: source_dataset is {value[:12]!r}", logged("source_dataset", value), harmless=True)
    for name_ in ("seed_threshold", "peak_distance", "min_size", "cleanup_fragments", "unknown"):
        for value in (
            "1e999",
            "-1e999",
            "nan",
            "9" * 4000,
            "'\x1b[31m'",
            "[[1]]",
            "{}",
            "None",
            "1e308",
            "1j",
            "b'x'",
            "()",
        ):
            build = with_file("Results/best_params.csv", f'{name_},"{value}"\n')
            yield Member(f"best params: {name_} is {value[:10]!r}", build, harmless=True)


def embedseg(folder: Path, properties: bytes | str) -> Path:
    from instanseg_export.families.embedseg.network import BranchedERFNet

    state = BranchedERFNet(1, (4, 1), 2).state_dict()
    torch.save(
        {"model_state_dict": {"encoder.initial_block.conv.weight": torch.ones(13, 1, 3, 3), **state}},
        folder / "best_iou_model.pth",
    )
    written(folder / "data_properties.json", properties)
    return folder


def properties() -> Iterator[Member]:
    for title, content in {
        **{key: value for key, value in HOSTILE_TEXTS.items() if "mark" not in key},
        "deep": "[" * 100_000,
        "deep keys": '{"a":' * 50_000,
        "1e999": '{"n_x": 1e999}',
        "6,000 digits": '{"n_x": ' + "9" * 6000 + "}",
        "300 digits": '{"n_x": ' + "9" * 300 + "}",
        "NaN": '{"n_x": NaN}',
        "a key twice": '{"n_x": 1, "n_x": 2}',
        "many values": "[" + "0," * 500_000 + "0]",
        "a norm with colours": '{"norm": "\\u001b[31m"}',
        "a norm of lists": '{"norm": [[[[1]]]]}',
        "a negative size": '{"n_x": -5}',
        "a text for a size": '{"n_x": "nan"}',
        "half a surrogate pair": '{"norm": "\\ud800"}',
        "true": '{"n_x": true}',
        "nothing": "",
        "null": "null",
    }.items():
        yield Member(f"data properties: {title}", partial(embedseg, properties=content))
