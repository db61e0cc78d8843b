"""Reading the tables that upstream's training leaves: ``experiment_log.csv`` and ``best_params.csv``."""

from __future__ import annotations

import ast
import csv
import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import SettingError, SpecError
from ...limits import MAX_LITERAL, MAX_PIXEL_SIZE, MAX_TABLE_BYTES, MIN_PIXEL_SIZE
from ...untrusted.boundary import parsing, plain
from ...untrusted.texts import read_text
from ..facts import Fact, text_or_none
from ..settings import Value
from .describe import parse_structures
from .sam_weights import ENCODERS
from .settings import INSTANSEG_SETTINGS
from .weights import OTHER_BACKBONES

__all__ = ["read_best_params", "read_experiment_log", "tuned"]

_BACKBONES = ("instanseg_unet", *ENCODERS)

_REQUIRED = ("model_str", "dim_in", "dim_coords", "n_sigma", "layers")
"""What upstream's own loader cannot do without, of what describes the network."""


@dataclass(frozen=True)
class _Row:
    line: int
    value: str


def _read_rows(path: Path) -> dict[str, _Row]:
    """Return name to value of a table without a header."""
    hint = "Restore the file, or remove it: the weights say most."
    text = read_text(path, "such a table", SpecError, hint="Remove or replace it.", limit=MAX_TABLE_BYTES)
    with parsing(path, "the table", SpecError, hint=hint):
        try:
            lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        except csv.Error as error:
            raise SpecError(f"{path} cannot be read as a table: {plain(error, 200)}.", hint=hint) from error
    rows: dict[str, _Row] = {}
    for number, cells in enumerate(lines, start=1):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != 2 or not cells[0].strip():
            raise SpecError(
                f"{path}, line {number}: expected is name,value, found is {plain(','.join(cells), 80)!r}.",
                hint="Correct the line; a value with a comma stands in double quotes.",
            )
        name = cells[0].strip()
        if name in rows:
            raise SpecError(
                f"{path} states {plain(name, 80)} twice, in lines {rows[name].line} and {number}.",
                hint="Remove one of the lines.",
            )
        rows[name] = _Row(number, cells[1].strip())
    return rows


def read_experiment_log(path: Path) -> dict[str, Fact]:
    """Return what a training log says of its network, as facts.

    Raises:
        SpecError: a key is missing, stated twice or malformed, or the network is of another family.
    """
    rows = _read_rows(path)
    missing = [name for name in _REQUIRED if name not in rows]
    if missing:
        raise SpecError(
            f"{path} lacks {', '.join(missing)}.",
            hint=f"Add the line {missing[0]},… to it, or remove the file: the weights' shapes say nearly everything.",
        )
    backbone = rows["model_str"].value
    kind = backbone.lower()
    if kind not in _BACKBONES:
        name = OTHER_BACKBONES.get(kind, plain(backbone, 100))
        raise SpecError(
            f"{path}, line {rows['model_str'].line}: model_str stands for a network of another family, {name}.",
            hint=f"Known are: {', '.join(_BACKBONES)}.",
        )
    facts: dict[str, Fact] = {}
    for name, (field, parse) in _COLUMNS.items():
        if name not in rows:
            continue
        row = rows[name]
        try:
            value = parse(row.value)
        except _MALFORMED as error:
            reason = str(error) if isinstance(error, _MalformedError) else "the value is malformed"
            raise SpecError(
                f"{path}, line {row.line}: {name} is {plain(row.value, 80)!r}; {reason}.", hint="Correct the line."
            ) from error
        if value is not None and (kind in ENCODERS or field != "window"):
            facts[field] = Fact(value, f"{path}, line {row.line} ({name}),")
    facts["model_str"] = Fact(kind, f"{path}, line {rows['model_str'].line} (model_str),")
    _check_structures(facts)
    return facts


class _MalformedError(ValueError):
    """A malformed value, with words for the user."""


_MALFORMED = (ValueError, SyntaxError, TypeError, OverflowError, MemoryError, RecursionError)
"""What Python's own parsers of numbers and lists raise."""


def _literal(text: str) -> Any:
    if len(text) > MAX_LITERAL:
        raise _MalformedError(f"it has {len(text):,} characters")
    return ast.literal_eval(text)


def _whole(text: str) -> int | None:
    if text_or_none(text) is None:
        return None
    number = float(text)
    if not number.is_integer():
        raise _MalformedError("expected is a whole number")
    return int(number)


def _channels(text: str) -> int | None:
    return _whole(text) or None  # 0 stands for "whatever a ChannelNet gives"


def _flag(text: str) -> bool | None:
    if text_or_none(text) is None:
        return None
    flags = {"true": True, "1": True, "false": False, "0": False}
    if text.lower() not in flags:
        raise _MalformedError("expected is True or False")
    return flags[text.lower()]


def _layers(text: str) -> tuple[int, ...]:
    value = _literal(text)
    if not isinstance(value, (list, tuple)) or not value or not all(type(v) is int and v > 0 for v in value):
        raise _MalformedError("expected is a list of whole numbers, as in [32, 64, 128, 256]")
    return tuple(value)


def _pixel_size(text: str) -> float | None:
    value = None if text_or_none(text) is None else float(text)
    if value is not None and not MIN_PIXEL_SIZE <= value <= MAX_PIXEL_SIZE:
        raise _MalformedError(f"expected are micrometres from {MIN_PIXEL_SIZE:g} to {MAX_PIXEL_SIZE:g}")
    return value


def _norm(text: str) -> str:
    norm = (text_or_none(text) or "none").lower()
    known = {"batch": "batch", "none": "none", "instance": "instance", "instance_invariant": "instance"}
    known["custom_instance_invariant"] = "instance"
    if norm not in known:
        raise _MalformedError("expected is BATCH, INSTANCE or None")
    return known[norm]


def _structures(text: str) -> tuple[str, ...] | None:
    return None if text_or_none(text) is None else parse_structures(text)


def _adaptor(text: str) -> str | None:
    # Also stands in runs without an adaptor, and a U-Net in its place has other weights: only ChannelNet's way of
    # joining channels cannot be seen from the shapes.
    return {"1": "concat", "1_ablated": "no_aggregation"}.get(text)


def _engineering(text: str) -> str | None:
    whole = _whole(text)
    return None if whole is None else str(whole)


def _datasets(text: str) -> tuple[str, ...] | None:
    if text_or_none(text) is None or text == "all":
        return None
    try:
        value = _literal(text)
    except _MALFORMED:
        value = text.strip("[]").split(",")
    names = value if isinstance(value, (list, tuple)) else [value]
    return tuple(str(name).strip() for name in names)


_COLUMNS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "dim_in": ("dim_in", _channels),
    "dim_out": ("dim_out", _whole),
    "dim_coords": ("dim_coords", _whole),
    "n_sigma": ("n_sigma", _whole),
    "dim_seeds": ("dim_seeds", _whole),
    "layers": ("layers", _layers),
    "norm": ("norm", _norm),
    "multihead": ("multihead", _flag),
    "channel_invariant": ("channel_invariant", _flag),
    "cells_and_nuclei": ("cells_and_nuclei", _flag),
    "target_segmentation": ("structures", _structures),
    "adaptor_net_str": ("aggregation", _adaptor),
    "mlp_width": ("mlp_width", _whole),
    "feature_engineering": ("feature_engineering", _engineering),
    "requested_pixel_size": ("pixel_size", _pixel_size),
    "tile_size": ("window", _whole),
    "source_dataset": ("source_datasets", _datasets),
}
"""Column of the log to field of the description and its parser, which gives None for "not set"."""


def _check_structures(facts: dict[str, Fact]) -> None:
    """Join the two columns that state the structures."""
    both, structures = facts.pop("cells_and_nuclei", None), facts.get("structures")
    if both is None:
        return
    facts["structure_count"] = Fact(2 if both.value else 1, both.origin)
    if structures is None and both.value:
        facts["structures"] = Fact(("nuclei", "cells"), both.origin)
    elif structures is not None and both.value != (len(structures.value) == 2):
        raise SpecError(
            f"{both.origin} is {both.value}, but {structures.origin} is {', '.join(structures.value)}.",
            hint="Correct one of the two lines.",
        )


def read_best_params(path: Path) -> tuple[dict[str, Value], tuple[str, ...]]:
    """Return the tuned settings of a run, and a sentence for each one that has no counterpart here.

    Raises:
        SpecError: the table is malformed or a value lies out of its range.
    """
    rows = _read_rows(path)
    try:
        values = {name: _literal(row.value) for name, row in rows.items()}
        return tuned(values, str(path))
    except _MALFORMED as error:
        raise SpecError(
            f"{path} has a value that is no number: {plain(error, 200)}.", hint="Correct or remove the file."
        ) from error


def _is_set(value: Any) -> bool:
    return not isinstance(value, (int, float, str, list, tuple, type(None))) or bool(value)


def tuned(values: dict[str, Any], origin: str) -> tuple[dict[str, Value], tuple[str, ...]]:
    """Check tuned settings against our table and keep those that differ from our defaults.

    Raises:
        SpecError: a value lies out of its range.
    """
    known = {setting.name: setting for setting in INSTANSEG_SETTINGS}
    settings: dict[str, Value] = {}
    notes = []
    for name, value in values.items():
        if name not in known:
            if _is_set(value):  # upstream's mean_threshold is 0, and does nothing, unless it was tuned
                shown = f"{plain(name, 80)} = {plain(value, 80)}"
                notes.append(f"{origin} has {shown}, which has no counterpart here and is ignored.")
            continue
        if known[name].kind == "int" and isinstance(value, float) and math.isfinite(value):
            value = int(value)  # optimisers give fractions, and upstream cuts them off
        try:
            checked = known[name].check(value)
        except SettingError as error:
            raise SpecError(f"{origin}: {error.message}", hint=error.hint) from error
        if checked != known[name].default:
            settings[name] = checked
    return settings, tuple(notes)
