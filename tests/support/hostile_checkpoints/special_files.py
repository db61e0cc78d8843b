"""What is no regular file."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from support.hostile_checkpoints.beside import embedseg
from support.hostile_checkpoints.cards import CARD
from support.hostile_checkpoints.member import Member, written
from support.training_runs import write_run

__all__ = ["special_files"]


def special_files() -> Iterator[Member]:
    def pipe(path: Path) -> None:
        os.mkfifo(path)

    def folder(path: Path) -> None:
        path.mkdir()

    def gone(path: Path) -> None:
        path.symlink_to(path.parent / "gone")

    def ring(path: Path) -> None:
        path.symlink_to(path)

    def zero(path: Path) -> None:
        path.symlink_to("/dev/zero")

    def listening(path: Path) -> None:
        here = Path.cwd()
        os.chdir(path.parent)  # for the path of a socket may have a hundred characters
        try:
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(path.name)
        finally:
            os.chdir(here)

    kinds = {
        "pipe": pipe,
        "folder": folder,
        "link to nothing": gone,
        "ring of links": ring,
        "device": zero,
        "socket": listening,
    }
    for kind, make in kinds.items():

        def alone(place: Path, make: Callable[[Path], None] = make, file: str = "x.pt") -> Path:
            make(place / file)
            return place / file

        for file in ("x.pt", "model_weights.pth", "x.safetensors", "recipe.yaml", "best_iou_model.pth"):
            yield Member(f"{kind}: {file}", partial(alone, file=file))
        yield Member(f"{kind}: the card", partial(alone, file="card.yaml"), "card")

        def beside(place: Path, file: str, make: Callable[[Path], None] = make) -> Path:
            write_run(place)
            (place / "Results").mkdir()
            (place / file).unlink(missing_ok=True)
            make(place / file)
            return place

        for file in ("model_weights.pth", "experiment_log.csv", "Results/best_params.csv"):
            yield Member(f"{kind}: {file} in a run", partial(beside, file=file))

        def properties(place: Path, make: Callable[[Path], None] = make) -> Path:
            embedseg(place, "{}")
            (place / "data_properties.json").unlink()
            make(place / "data_properties.json")
            return place

        yield Member(f"{kind}: data properties", properties)

        def sample(place: Path, make: Callable[[Path], None] = make) -> Path:
            make(place / "a.png")
            return written(place / "card.yaml", json.dumps({**CARD, "samples": ["a.png"]}))

        yield Member(f"{kind}: a sample", sample, "card")

        def part(place: Path, make: Callable[[Path], None] = make, key: str = "segmentation") -> Path:
            recipe = {
                "family": "classified",
                "segmentation": "run",
                "classifier": "c.pth",
                "classes": ["a", "b"],
                key: "odd.pt",
            }
            write_run(place / "run")
            make(place / "odd.pt")
            return written(place / "recipe.json", json.dumps(recipe))

        for key in ("segmentation", "classifier"):
            yield Member(f"{kind}: the {key} of a recipe", partial(part, key=key))
