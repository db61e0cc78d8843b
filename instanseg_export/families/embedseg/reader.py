"""Reads what EmbedSeg's training leaves: ``best_iou_model.pth``, with ``data_properties.json`` beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from ...archives.torch_archive import kind_of, peek
from ...archives.torch_file import load_tensors
from ...errors import CheckpointError, SpecError
from ...files import sha256_of
from ..checkpoint import Checkpoint, Load
from ..signatures import network_of
from ..spec import ModelSpec, first_finding
from ..spec_family import override
from ..weights import dense_weights, fill, need
from .build import OVERRIDES, build_network
from .data_properties import FILENAME, DataProperties, read_data_properties
from .spec import EmbedSeg3DSpec, EmbedSegSpec
from .weights import SIGNATURES, canonical_name

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["READER", "RUN_FILES", "EmbedSegReader"]

_WEIGHTS = "best_iou_model.pth"
_LAST = "checkpoint.pth"
RUN_FILES = (_WEIGHTS, _LAST)
_FIRST_LAYER = "encoder.initial_block.conv.weight"


class EmbedSegReader:
    """Reads ``best_iou_model.pth``, or another file of weights, and ``data_properties.json``."""

    name = "embedseg"
    describes = f"a training run of EmbedSeg: its folder, or its {_WEIGHTS}, with {FILENAME} beside it"

    def recognises(self, path: Path) -> bool:
        return network_of(peek(_weights_file(path)), SIGNATURES) is not None

    def read(self, path: Path, overrides: dict[str, str], load: Load) -> Checkpoint:
        source = _weights_file(path)
        theirs = dense_weights(_state(load_tensors(source), source), source, rename=_unwrapped)
        dimensions = 3 if _FIRST_LAYER in theirs and theirs[_FIRST_LAYER].dim() == 5 else 2
        channels = need(theirs, _FIRST_LAYER, dimensions + 2, source).shape[1]
        weights = {ours: theirs[key] for key in theirs if (ours := canonical_name(key, dimensions)) is not None}
        _check_classes(weights, dimensions, source)

        properties = read_data_properties(source.parent / FILENAME)
        _check_number(properties, "n_channels", channels, source)
        _check_number(properties, "n_sigma", dimensions, source)
        stated = dict(overrides)
        fields = {
            "name": source.parent.resolve().name if source.name in (_WEIGHTS, _LAST) else source.stem,
            "channels": channels,
            "pixel_size": properties.size("x"),
            "settings": properties.settings,
            **_geometry(properties, dimensions, stated, source),
        }
        kind = EmbedSeg3DSpec if dimensions == 3 else EmbedSegSpec
        try:
            spec: ModelSpec = kind.model_validate(fields)
        except ValidationError as error:
            raise SpecError(
                f"{properties.path} is inconsistent: {first_finding(error)}.",
                hint="Correct the file, or give --spec grid=….",
            ) from error
        spec = override(spec, stated, source, OVERRIDES[kind])
        network = fill(lambda: build_network(cast(EmbedSegSpec, spec)), weights, source, title=spec.title)
        return Checkpoint(spec, network, source, sha256_of(source), self.name)


def _weights_file(path: Path) -> Path:
    if kind_of(path) != "folder":
        return path
    best, last = kind_of(path / _WEIGHTS), kind_of(path / _LAST)
    return path / (_LAST if best == "missing" and last != "missing" else _WEIGHTS)


def _unwrapped(key: str) -> str:
    return key.removeprefix("module.")


def _state(content: Any, path: Path) -> Mapping[Any, Any]:
    state = content.get("model_state_dict", content) if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping):
        raise CheckpointError(
            f"{path} holds a {type(content).__name__} without weights.", hint="Give the file that training wrote."
        )
    return state


def _check_classes(weights: Mapping[str, Tensor], dimensions: int, path: Path) -> None:
    """Refuse other outputs than an offset and a weight for each axis, and one seed map."""
    found: list[int] = []
    while (name := f"decoders.{len(found)}.6.weight") in weights:
        found.append(int(need(weights, name, dimensions + 2, path).shape[1]))
    expected = [2 * dimensions, 1]
    if found != expected:
        raise SpecError(
            f"{path} has decoders of {found} channels; EmbedSeg in {dimensions}D has {expected}: an offset and a "
            "bandwidth for each axis, and the seed map.",
            hint="Train with num_classes of that kind (n_sigma as many as there are axes).",
        )


def _check_number(properties: DataProperties, name: str, found: int, path: Path) -> None:
    stated = properties.values.get(name, found)
    if stated != found:
        raise SpecError(
            f"{properties.path} says {name} {stated:g}, but the weights in {path.name} are for {found}.",
            hint="Put the file of the same training beside the weights.",
        )


def _geometry(properties: DataProperties, dimensions: int, stated: dict[str, str], path: Path) -> dict[str, Any]:
    """Return the fields ``grid`` and ``extent``. Takes what it uses of ``--spec`` out of ``stated``."""
    grid = properties.grid(dimensions)
    if "grid" in stated:
        grid = _parsed(dimensions, stated.pop("grid"))
    if grid is None:
        axes = ", ".join(f"n_{axis}" for axis in "xyz"[:dimensions])
        missing = "is not there" if not properties.path.is_file() else f"does not state {axes}"
        example = ",".join(["1024", "1024", "32"][:dimensions])
        raise SpecError(
            f"The grid on which {path} was trained is unknown: {properties.path} {missing}.",
            hint=f"Put the {FILENAME} of the training beside the weights, or give --spec grid={example}.",
        )
    extent = [properties.values.get(f"pixel_{axis}", 1.0) for axis in "xy"]
    fields: dict[str, Any] = {"grid": grid}
    if dimensions == 3:
        fields["slice_distance"] = properties.size("z")
        extent.append(_extent_z(properties, grid, stated, path))
    fields["extent"] = tuple(extent)
    return fields


def _extent_z(properties: DataProperties, grid: tuple[int, ...], stated: dict[str, str], path: Path) -> float:
    """Return how far the grid reaches along z: as in x and y, a step of it is a distance in space."""
    if "extent" in stated:
        return 1.0  # the user states all three
    anisotropy = properties.anisotropy()
    if "anisotropy" in stated:
        anisotropy = _positive(stated.pop("anisotropy"))
    elif "pixel_z" in properties.values:
        return properties.values["pixel_z"]
    if anisotropy is None:
        raise SpecError(
            f"{path} segments volumes, and the distance of their slices is unknown: {properties.path} states neither "
            "pixel_size_x_microns and pixel_size_z_microns nor pixel_z.",
            hint="Add them, or give the distance of slices in pixels, as in --spec anisotropy=2.5.",
        )
    return (grid[2] - 1) / max(grid[0] - 1, 1) * anisotropy


def _parsed(dimensions: int, text: str) -> tuple[int, ...]:
    try:
        sizes = tuple(int(part) for part in text.replace(",", " ").split())
    except ValueError:
        sizes = ()
    if len(sizes) != dimensions or min(sizes) < 2:
        raise SpecError(
            f"--spec grid={text} cannot be read.",
            hint=f"Give {dimensions} whole numbers, along {'x, y, z'[: 3 * dimensions - 2]}.",
        )
    return sizes


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise SpecError(f"--spec anisotropy={text} cannot be read.", hint="Give a positive number, as in 2.5.")
    return value


READER = EmbedSegReader()
