"""The state of a training on disk: whole or not at all, two of them, and only of this recipe."""

from __future__ import annotations

import os
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import CheckpointIO

from ...errors import InstansegExportError, OutputError, TrainingError
from ...files.words import cannot_write
from ...untrusted.boundary import plain
from ..recipe_file import Plan

__all__ = ["StateFiles"]

_FORMAT = "instanseg-export training state"
_VERSION = 1


class StateFiles(CheckpointIO):
    """Writes and reads ``state.pt`` and, behind it, ``state-previous.pt``.

    A new state is written beside the last one, and takes its place when it lies on the disk as a whole: a process that
    is killed, or a disk that fills up, costs the steps since the last state and nothing else.

    Args:
        folder: of the training.
        plan: whose identity a state bears.
    """

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.latest = folder / "state.pt"
        self.previous = folder / "state-previous.pt"
        self._half = folder / "state.pt.part"
        self._latest_is_damaged = False
        self._identity = plan.identity
        self._path = plan.path

    def add_identity(self, **facts: str) -> None:
        """Add what else a state must agree with: what becomes known after the first look at it."""
        self._identity |= facts

    def save_checkpoint(self, checkpoint: Mapping[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write a state.

        Raises:
            OutputError: it cannot be written; the one before is as it was.
        """
        stream = BytesIO()
        content = {"format": _FORMAT, "version": _VERSION, "recipe": self._identity, "state": dict(checkpoint)}
        torch.save(content, stream)
        try:
            with self._half.open("wb") as file:
                file.write(stream.getbuffer())
                file.flush()
                os.fsync(file.fileno())
            # A damaged one shall not take the place of a whole one.
            if self.latest.exists() and not self._latest_is_damaged:
                self.latest.replace(self.previous)
            self._half.replace(self.latest)
            self._latest_is_damaged = False
        except OSError as error:
            self._half.unlink(missing_ok=True)
            refused = cannot_write(error, self.latest)
            step = checkpoint.get("global_step")
            raise OutputError(
                f"The training stopped at step {step}: {refused.message}",
                hint="Free some space and start it again with the same command; it goes on from the last state.",
            ) from error

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """Read the latest state that is whole.

        Raises:
            TrainingError: it is of another recipe, or none is whole.
        """
        problems = []
        for file in (self.latest, self.previous):
            try:
                content = torch.load(file, map_location="cpu", weights_only=True)
                if content.get("format") != _FORMAT or content.get("version") != _VERSION:
                    raise ValueError("it is of another program or version")
                self._check(content["recipe"], file)
            except FileNotFoundError:
                continue
            except InstansegExportError:
                raise
            except Exception as error:  # torch raises nearly every type on a damaged file
                problems.append(f"{file}: {plain(error, 200)}")
                self._latest_is_damaged = self._latest_is_damaged or file == self.latest
                continue
            state: dict[str, Any] = content["state"]
            return state
        raise TrainingError(
            f"No state of the training can be read: {'; '.join(problems)}.",
            hint="Choose another folder with --output to start anew, or restore the state from a copy.",
        )

    def remove_checkpoint(self, path: Any) -> None:
        """Leave all as it is: states replace one another."""

    def exists(self) -> bool:
        """Tell whether there is a state to go on from."""
        return self.latest.exists() or self.previous.exists()

    def _check(self, recipe: Any, file: Path) -> None:
        known = {name: value for name, value in recipe.items() if name in self._identity}
        differences = _differences(known, self._identity, "")
        if differences:
            shown = "; ".join(differences[:3]) + (f"; and {len(differences) - 3} more" if len(differences) > 3 else "")
            raise TrainingError(
                f"{file} is the state of another recipe than {self._path}: {shown}.",
                hint="Choose another folder with --output, or give the recipe with which that training was started.",
            )


def _differences(old: Any, new: Any, place: str) -> list[str]:
    """Name what differs between two recipes."""
    if isinstance(old, dict) and isinstance(new, dict):
        names = list(dict.fromkeys([*old, *new]))
        parts = [
            _differences(old.get(name), new.get(name), f"{place}.{name}" if place else str(name)) for name in names
        ]
        return [one for part in parts for one in part]
    if old == new or (isinstance(old, list | tuple) and isinstance(new, list | tuple) and list(old) == list(new)):
        return []
    return [f"{plain(place, 80)} was {plain(old, 60)} and is {plain(new, 60)}"]
