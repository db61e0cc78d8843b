"""What a model says of each object beside its pixels: a class, scores, logits, as columns of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..metadata import Contract, OutputFacts

__all__ = ["ObjectColumns"]

_ROLES = ("rows", "classes", "scores")


@dataclass(frozen=True)
class ObjectColumns:
    """The columns that a model's objects have.

    Attributes:
        contract: what the model gives.
        channels: names of those that it sees, for outputs with a column for each.
    """

    contract: Contract
    channels: tuple[str, ...]

    @property
    def outputs(self) -> tuple[OutputFacts, ...]:
        """Return the outputs that have a row for each label."""
        return tuple(output for output in self.contract.per_label if output.role in _ROLES)

    @property
    def classes(self) -> tuple[str, ...]:
        """Return the names of the classes; empty for models without."""
        facts = self.contract.output("classes")
        return () if facts is None or not facts.per_label else tuple(facts.values)

    @property
    def names(self) -> Mapping[str, type[float] | type[str]]:
        """Return the columns of numbers and their type; the class has a column of its own."""
        return {title: float for output in self._numbers for title in self._titles(output)}

    def rows(self, further: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        """Return the outputs of one image by name, (N, K): row r belongs to label r + 1.

        Args:
            further: what a runtime gave beside the label map.
        """
        return {
            output.name: np.asarray(further[output.name][0]).reshape(len(further[output.name][0]), -1)
            for output in self.outputs
            if output.name in further
        }

    def of(self, rows: Mapping[str, Any]) -> tuple[int | None, dict[str, float]]:
        """Return the class and the further columns of one object.

        Args:
            rows: its row of each output, (K,).
        """
        facts = self.contract.output("classes")
        number = None
        if facts is not None and facts.name in rows:
            value = int(rows[facts.name][0])
            number = value if 0 <= value < len(facts.values) else None
        further = {
            title: float(value)
            for output in self._numbers
            if output.name in rows
            for title, value in zip(self._titles(output), rows[output.name], strict=False)
        }
        return number, further

    @property
    def _numbers(self) -> Sequence[OutputFacts]:
        return [output for output in self.outputs if output.role != "classes" or not output.values]

    def _titles(self, output: OutputFacts) -> list[str]:
        return [f"{output.name}: {name}" for name in output.columns or self.channels]
