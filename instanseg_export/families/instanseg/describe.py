"""Joining what the files say with what the weights show into one description, without contradictions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from ...errors import SpecError
from ...limits import MAX_PIXEL_SIZE, MIN_PIXEL_SIZE
from ...plain_text import escaped
from ...registry import closest
from ...untrusted.boundary import plain
from ..facts import Fact, text_or_none
from ..spec import findings
from .architecture import Architecture
from .backbone_spec import BackboneSpec, CellSamSpec, UNetSpec
from .spec import ChannelNetSpec, InstanSegSpec, StructureName

__all__ = ["FEATURE_ENGINEERING", "describe", "facts_of", "parse_overrides", "parse_structures"]

FEATURE_ENGINEERING = ("0", "2", "3", "7", "10")

_GENERIC_NAMES = {"model_weights", "instanseg", "checkpoint", "model", "weights"}


def parse_structures(text: str) -> tuple[StructureName, ...]:
    """Read ``nuclei,cells`` or upstream's ``NC``, ``N`` and ``C``.

    Raises:
        ValueError: it is neither.
    """
    short: dict[str, tuple[StructureName, ...]] = {
        "n": ("nuclei",),
        "c": ("cells",),
        "nc": ("nuclei", "cells"),
        "cn": ("nuclei", "cells"),
    }
    if text.strip().lower() in short:
        return short[text.strip().lower()]
    names = tuple(part.strip().lower() for part in text.strip("[]()").replace(" ", ",").split(",") if part.strip())
    if not names or any(name not in ("nuclei", "cells") for name in names):
        raise ValueError("expected is nuclei, cells or nuclei,cells")
    return cast("tuple[StructureName, ...]", names)


def _parse_channels(text: str) -> int | None:
    return None if text.strip().lower() in ("any", "none") else int(text)


def _parse_pixel_size(text: str) -> float | None:
    value = None if text_or_none(text) is None else float(text)
    if value is not None and not MIN_PIXEL_SIZE <= value <= MAX_PIXEL_SIZE:
        raise ValueError(f"expected are micrometres from {MIN_PIXEL_SIZE:g} to {MAX_PIXEL_SIZE:g}, or none")
    return value


def _parse_window(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 8192:
        raise ValueError("expected are pixels, from 1 to 8192")
    return value


def _parse_feature_engineering(text: str) -> str:
    if text.strip() not in FEATURE_ENGINEERING:
        raise ValueError(f"expected is one of {', '.join(FEATURE_ENGINEERING)}")
    return text.strip()


def _parse_norm(text: str) -> str:
    norms = {"batch": "batch", "instance": "instance", "instance_invariant": "instance", "none": "none", "": "none"}
    if text.strip().lower() not in norms:
        raise ValueError("expected is batch, instance or none")
    return norms[text.strip().lower()]


def _parse_aggregation(text: str) -> str:
    if text.strip() not in ("concat", "no_aggregation", "sum"):
        raise ValueError("expected is concat, no_aggregation or sum")
    return text.strip()


def _parse_name(text: str) -> str:
    if not text.strip():
        raise ValueError("a name cannot be empty")
    return text.strip()


_OVERRIDES: dict[str, Callable[[str], Any]] = {
    "name": _parse_name,
    "structures": parse_structures,
    "channels": _parse_channels,
    "pixel_size": _parse_pixel_size,
    "dim_coords": int,
    "n_sigma": int,
    "dim_seeds": int,
    "mlp_width": int,
    "feature_engineering": _parse_feature_engineering,
    "norm": _parse_norm,
    "aggregation": _parse_aggregation,
    "window": _parse_window,
    "source_datasets": lambda text: tuple(part.strip() for part in text.split(",") if part.strip()),
}


def parse_overrides(overrides: Mapping[str, str]) -> dict[str, Fact]:
    """Read ``--spec key=value``.

    Raises:
        SpecError: a key is unknown, with the closest known one as hint, or a value is malformed.
    """
    facts = {}
    for key, text in overrides.items():
        if key not in _OVERRIDES:
            guess = closest(key, _OVERRIDES)
            suggestion = f"Did you mean {guess!r}? " if guess else ""
            raise SpecError(
                f"A description has no field {plain(key, 80)!r}.",
                hint=f"{suggestion}Fields are: {', '.join(_OVERRIDES)}.",
            )
        try:
            value = _OVERRIDES[key](str(text))
        except (ValueError, OverflowError) as error:
            reason = "expected is a whole number" if "int" in str(error) else plain(error, 200)
            raise SpecError(
                f"--spec {key}={escaped(text, 100)} cannot be read: {reason}.", hint=f"Correct --spec {key}=…."
            ) from error
        facts[key] = Fact(value, f"--spec {key}={escaped(text, 100)}")
    return facts


def facts_of(spec: InstanSegSpec, origin: str) -> dict[str, Fact]:
    """Return every field of a complete description as facts."""
    fields = {
        name: getattr(spec, name)
        for name in ("name", "structures", "channels", "pixel_size", "dim_coords", "n_sigma", "dim_seeds", "mlp_width")
    }
    fields |= {name: getattr(spec, name) for name in ("feature_engineering", "source_datasets")}
    if isinstance(spec.backbone, UNetSpec):
        fields |= {"layers": spec.backbone.layers, "norm": spec.backbone.norm}
    if spec.backbone.window:
        fields["window"] = spec.backbone.window
    if not isinstance(spec.backbone, CellSamSpec):  # of which a part, its window, can be overridden
        fields["backbone"] = spec.backbone
    if isinstance(spec.adaptor, ChannelNetSpec):
        fields["aggregation"] = spec.adaptor.aggregation
    return {name: Fact(value, f"{origin} ({name})") for name, value in fields.items()}


def describe(
    architecture: Architecture,
    facts: Mapping[str, Fact],
    path: Path,
    *,
    settings: Mapping[str, Any] | None = None,
) -> tuple[InstanSegSpec, tuple[str, ...]]:
    """Join measured architecture and stated facts.

    Args:
        architecture: what the weights show; it cannot be overridden, only agreed with.
        facts: what is stated, by field.
        path: of the weights, for messages and the default name.
        settings: tuned defaults, by name.

    Returns:
        The description, and a sentence for each field that nobody states.

    Raises:
        SpecError: a fact contradicts the weights, or what neither says is needed; the message names both sides.
    """
    join = _Join(facts, path)
    backbone, adaptor = architecture.backbone, architecture.adaptor
    join.agree("model_str", getattr(backbone, "kind", "instanseg_unet"), silent=True)
    if isinstance(backbone, UNetSpec):
        join.agree("layers", backbone.layers)
        join.agree("norm", backbone.norm)
    if type(backbone) is UNetSpec:  # the others have one head, or one per structure, whatever was asked for
        join.agree("multihead", len(backbone.heads) > 1, silent=True)
    backbone = _with_window(backbone, join)
    join.agree("dim_in", backbone.in_channels, silent=True)
    join.agree("dim_out", backbone.out_channels, silent=True)
    join.agree("backbone", backbone, silent=True)
    if isinstance(adaptor, ChannelNetSpec):
        stated = join.stated("aggregation", None)
        if stated is None:
            join.say("aggregation", adaptor.aggregation)
        elif (stated == "sum") != (adaptor.aggregation == "sum"):
            join.agree("aggregation", adaptor.aggregation)
        else:
            adaptor = adaptor.model_copy(update={"aggregation": stated})
    elif adaptor is None and join.stated("channel_invariant", False):
        raise join.contradiction("channel_invariant", "no AdaptorNet")
    channels = None if isinstance(adaptor, ChannelNetSpec) else (adaptor or backbone).in_channels
    join.agree("channels", channels, silent="dim_in" in facts or channels is None)

    dim_coords, n_sigma, dim_seeds, count = _split(architecture, join)
    join.agree("mlp_width", architecture.mlp_width)
    engineering = _feature_engineering(architecture, dim_coords + n_sigma, join)
    spec = {
        "name": join.stated("name", None) or _default_name(path),
        "structures": _structures(count, join),
        "channels": channels,
        "pixel_size": join.stated("pixel_size", None),
        "backbone": backbone,
        "adaptor": adaptor,
        "dim_coords": dim_coords,
        "n_sigma": n_sigma,
        "dim_seeds": dim_seeds,
        "mlp_width": architecture.mlp_width,
        "feature_engineering": engineering,
        "settings": dict(settings or {}),
        "source_datasets": join.stated("source_datasets", ()),
    }
    if "pixel_size" not in facts:
        join.inferred.append("The pixel size is not stated; name it with --spec pixel_size=… if you know it.")
    try:
        return InstanSegSpec.model_validate(spec), tuple(join.inferred)
    except ValidationError as error:
        reason = findings(error)
        raise SpecError(
            f"The description of {path} is inconsistent: {reason}.", hint="Correct it with --spec."
        ) from error


class _Join:
    """Facts, and the sentences about fields without one."""

    def __init__(self, facts: Mapping[str, Fact], path: Path) -> None:
        self.facts = facts
        self.path = path
        self.inferred: list[str] = []

    def stated(self, field: str, default: Any) -> Any:
        return self.facts[field].value if field in self.facts else default

    def say(self, field: str, value: Any) -> None:
        self.inferred.append(f"{field} is {_shown(value)}: concluded from the shapes of the weights.")

    def agree(self, field: str, measured: Any, *, silent: bool = False) -> None:
        if field not in self.facts:
            if not silent:
                self.say(field, measured)
        elif self.facts[field].value != measured:
            raise self.contradiction(field, measured)

    def contradiction(self, field: str, measured: Any) -> SpecError:
        fact = self.facts[field]
        remedy = f", or correct {field} with --spec" if field in _OVERRIDES else ""
        return SpecError(
            f"{fact.origin} says that {field} is {_shown(fact.value)}, but the weights in {self.path} have "
            f"{_shown(measured)}.",
            hint=f"Use the weights and the description of the same training run{remedy}.",
        )


def _with_window(backbone: BackboneSpec, join: _Join) -> BackboneSpec:
    """Return the backbone with the size of the images that it was trained on, where its weights do not tell that."""
    if not isinstance(backbone, CellSamSpec):
        join.agree("window", backbone.window or "no fixed size", silent=True)
        return backbone
    if "window" not in join.facts:
        join.inferred.append(
            f"window is {backbone.window}: nothing states the size of the images that the network was trained on."
        )
    return backbone.model_copy(update={"window": join.stated("window", backbone.window)})


def _shown(value: Any) -> str:
    return plain(", ".join(map(str, value[:50])) if isinstance(value, tuple) else value, 200)


def _split(architecture: Architecture, join: _Join) -> tuple[int, int, int, int]:
    """Return dim_coords, n_sigma, dim_seeds and the number of structures."""
    heads = [channels for head in architecture.backbone.heads for channels in head]
    fields = ("dim_coords", "n_sigma", "dim_seeds")
    if len(heads) in (3, 6) and heads[3:] in ([], heads[:3]):
        for field, measured in zip(fields, heads, strict=False):
            join.agree(field, measured)
        return heads[0], heads[1], heads[2], len(heads) // 3
    missing = [field for field in fields if field not in join.facts]
    if missing:
        raise SpecError(
            f"The output blocks of {join.path} have {', '.join(map(str, heads))} channels, which does not tell "
            f"{', '.join(missing)}.",
            hint=f"Pass {' '.join(f'--spec {field}=…' for field in missing)}.",
        )
    coords, sigma, seeds = (int(join.facts[field].value) for field in fields)
    total, each = architecture.backbone.out_channels, coords + sigma + seeds
    if each < 1 or total not in (each, 2 * each):
        origins = ", ".join(join.facts[field].origin for field in fields)
        raise SpecError(
            f"{origins} make {each} channels for a structure, but the weights in {join.path} give {total} in all.",
            hint="Correct them with --spec.",
        )
    return coords, sigma, seeds, total // each


def _structures(count: int, join: _Join) -> tuple[StructureName, ...]:
    default: tuple[StructureName, ...] = ("nuclei",) if count == 1 else ("nuclei", "cells")
    join.agree("structure_count", count, silent=True)
    if "structures" not in join.facts:
        if count == 2:
            join.say("structures", default)
        else:
            join.inferred.append("structures is nuclei: the weights have one structure and nothing says which.")
        return default
    structures: tuple[StructureName, ...] = join.facts["structures"].value
    if len(structures) != count:
        raise join.contradiction("structures", f"{count} structure(s)")
    return structures


def _feature_engineering(architecture: Architecture, features: int, join: _Join) -> str:
    surplus = architecture.mlp_inputs - features
    possible: tuple[str, ...] = ()
    if architecture.convolutional:
        possible = ("10",) if surplus == 0 else ()
    elif surplus in (0, 1):
        possible = ("0", "3", "7") if surplus == 0 else ("2",)
    if not possible:
        raise SpecError(
            f"The pixel classifier of {join.path} takes {architecture.mlp_inputs} features, which fits no feature "
            f"engineering with dim_coords + n_sigma = {features}.",
            hint="Correct dim_coords and n_sigma with --spec.",
        )
    if "feature_engineering" not in join.facts:
        join.say("feature_engineering", possible[0])
        if len(possible) > 1:
            join.inferred.append("Feature engineering 3 has the same shapes as 0; say so with --spec if it was used.")
        return possible[0]
    stated = str(join.facts["feature_engineering"].value)
    if stated not in possible:
        raise join.contradiction("feature_engineering", f"the shapes of {possible[0]}")
    return stated


def _default_name(path: Path) -> str:
    path = path.resolve()
    return plain(path.stem, 200) if path.stem not in _GENERIC_NAMES else plain(path.parent.name or path.stem, 200)
