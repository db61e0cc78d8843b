"""Weights that torch itself saved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch

from support.hostile_checkpoints.member import MARKER, Member
from support.training_runs import random_network, small_spec, upstream_state, write_run

__all__ = ["weights"]


def run_with(change: Callable[[dict[str, Any]], Any], **options: Any) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        write_run(folder)
        state = upstream_state(random_network(small_spec()))
        state = change(state) or state
        torch.save({"model_state_dict": state}, folder / "model_weights.pth", **options)
        return folder

    return build


def weights() -> Iterator[Member]:
    first = MARKER.decode()
    shape = (4, 3, 3, 3)
    for title, value in {
        "NaN": lambda: torch.full(shape, torch.nan),
        "infinity": lambda: torch.full(shape, torch.inf),
        "too large for float32": lambda: torch.full(shape, 1e300, dtype=torch.float64),
        "sparse": lambda: torch.ones(shape).to_sparse(),
        "compressed": lambda: torch.ones(4, 3).to_sparse_csr(),
        "complex": lambda: torch.ones(shape, dtype=torch.complex64),
        "quantised": lambda: torch.quantize_per_tensor(torch.ones(shape), 0.1, 0, torch.qint8),
        "meta": lambda: torch.empty((10**6, 10**6), device="meta"),
        "whole numbers": lambda: torch.ones(shape, dtype=torch.int64),
        "booleans": lambda: torch.ones(shape, dtype=torch.bool),
        "one number, expanded": lambda: torch.ones(1).expand(shape),
        "one number, expanded to 1e12": lambda: torch.ones(1).expand(10**6, 10**6, 1, 1),
        "empty": lambda: torch.ones(0, 3, 3, 3),
        "no dimension": lambda: torch.tensor(1.0),
        "another shape": lambda: torch.ones(4, 3, 3),
        "a list": lambda: [1.0, 2.0],
        "a number": lambda: 1.0,
        "None": lambda: None,
    }.items():

        def replace(state: dict[str, Any], value: Callable[[], Any] = value) -> None:
            state[first] = value()

        for form in (True, False):
            yield Member(f"weights, {form}: {title}", run_with(replace, _use_new_zipfile_serialization=form))
    for key, shown in (
        (3, "a number"),
        ("\x1b[31m", "colours"),
        ("n" * 1_000_000, "1 MB"),
        ("encoder.999.conv0.0.weight", "level 999"),
    ):

        def add(state: dict[str, Any], key: Any = key) -> None:
            state[key] = torch.ones(1)

        yield Member(f"weights: a name of {shown}", run_with(add))

    def crowd(state: dict[str, Any]) -> None:
        one = torch.ones(1000, 1000, dtype=torch.float16)
        state.update({f"w{place}": one for place in range(20_000)})

    yield Member("weights: one tensor under 20,000 names", run_with(crowd))

    def immense(state: dict[str, Any], part: str, value: float) -> None:
        for key in state:
            if key.endswith(part):
                state[key] = torch.full_like(state[key], value)

    for part, number in (
        (".1.running_var", -1.0),
        (".1.running_var", -1e-5),
        (".1.weight", 3e38),
        (".1.running_mean", 3e38),
    ):
        title = f"batch norm: {part} is {number}"
        change = partial(immense, part=part, value=number)
        yield Member(title, run_with(change), settings={"seed_threshold": "0.5"}, harmless=part == ".1.running_mean")
