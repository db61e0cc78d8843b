"""Reading ``data_properties.json``, in which EmbedSeg keeps what it knows of its training images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import SpecError
from ...limits import MAX_TABLE_BYTES
from ...untrusted.boundary import plain, present
from ...untrusted.json_texts import load_json

__all__ = ["FILENAME", "DataProperties", "read_data_properties"]

FILENAME = "data_properties.json"

_LARGEST = 1e12
"""Of all numbers of the file: a grid of so many pixels, or an object of so many, does not exist."""

_NORMALIZATION = "min-max-percentile"
_SETTINGS = {"seed_thresh": "seed_threshold", "fg_thresh": "fg_threshold", "min_object_size": "min_object_size"}


@dataclass(frozen=True)
class DataProperties:
    """What a file says, as far as we need it.

    Attributes:
        path: of the file.
        values: name to number; names without a value are left out.
    """

    path: Path
    values: dict[str, float]

    @property
    def settings(self) -> dict[str, float | int]:
        """Defaults, by name."""
        found = {ours: self.values[theirs] for theirs, ours in _SETTINGS.items() if theirs in self.values}
        return {name: int(value) if name == "min_object_size" else value for name, value in found.items()}

    def size(self, axis: str) -> float | None:
        """Return micrometres of a pixel along an axis, or None if the file does not say it."""
        return self.values.get(f"pixel_size_{axis}_microns")

    def grid(self, dimensions: int) -> tuple[int, ...] | None:
        """Return pixels of the grid along x, y(, z), or None if the file does not say all of them."""
        sizes = [self.values.get(f"grid_{axis}", self.values.get(f"n_{axis}")) for axis in "xyz"[:dimensions]]
        return None if None in sizes else tuple(int(size) for size in sizes if size is not None)

    def anisotropy(self) -> float | None:
        """Return the distance of slices in pixels, or None if the file does not say it."""
        if "anisotropy_factor" in self.values:
            return self.values["anisotropy_factor"]
        x, z = self.size("x"), self.size("z")
        return None if x is None or z is None else z / x


def read_data_properties(path: Path) -> DataProperties:
    """Read the file; one that is not there says nothing.

    Raises:
        SpecError: it is no JSON object, a number is none, or it asks for another normalisation than ours.
    """
    if not present(path, SpecError):
        return DataProperties(path, {})
    hint = "Restore the file as EmbedSeg's notebook 01-data wrote it."
    # EmbedSeg keeps more in it than we need, also numbers that are not finite.
    content = load_json(path, "the file", SpecError, hint=hint, finite=False, limit=MAX_TABLE_BYTES)
    if not isinstance(content, dict):
        raise SpecError(f"{path} cannot be read: it holds no object of names and values.", hint=hint)
    norm = content.get("norm") or _NORMALIZATION
    if norm != _NORMALIZATION:
        raise SpecError(
            f"{path} says that images were normalised by {plain(norm, 80)!r}; known is {_NORMALIZATION!r}.",
            hint="Train with that normalisation, which is EmbedSeg's default.",
        )
    return DataProperties(path, {name: _number(path, name, content[name]) for name in _known(content)})


def _known(content: dict[str, Any]) -> list[str]:
    names = [f"{start}_{axis}" for start in ("grid", "n", "pixel") for axis in "xyz"]
    names += [f"pixel_size_{axis}_microns" for axis in "xyz"]
    names += ["anisotropy_factor", "n_channels", "n_sigma", *_SETTINGS]
    return [name for name in names if content.get(name) is not None]


def _number(path: Path, name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < _LARGEST:
        raise SpecError(
            f"{path}: {name} is {plain(repr(value), 80)}, not a positive number.", hint=f"Correct {name} in the file."
        )
    return float(value)
