"""Which runtime is measured on which file, and why others are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import InstansegExportError, PackageError, RuntimeUnavailableError
from ..exported_model import ExportedModel
from ..runtimes.description import Runtime
from ..targets import known_target
from .measure import Program
from .rows import Row

__all__ = ["check_that_some_ran", "name_apart", "programs_of", "reasons"]


def name_apart(models: Sequence[ExportedModel], paths: Sequence[Path]) -> list[ExportedModel]:
    """Return the models under names that differ."""
    names = [model.name for model in models]
    if len(set(names)) < len(names):
        names = [str(path) for path in paths]
    if len(set(names)) < len(names):
        names = [f"{name} ({number})" for number, name in enumerate(names, start=1)]
    return [replace(model, name=name) for model, name in zip(models, names, strict=True)]


def programs_of(
    models: Sequence[ExportedModel], runtimes: Sequence[tuple[Runtime, str]]
) -> tuple[list[tuple[Program, ExportedModel]], list[Row]]:
    """Return what can be run, and a row for each pair that cannot; with each runtime comes what it lacks here."""
    programs, rows = [], []
    for model in models:
        for runtime, why in runtimes:
            file = model.file(runtime.filename)
            if file is None:
                continue
            if not why and runtime.needs_exporter and model.metadata is None:
                why = "the file does not describe its network, so that its forward cannot be built again"
            if not why and (target := known_target(runtime.target)) is not None and not target.whole:
                why = "the file holds the network alone, and a run is from an image to its labels"
            if why:
                rows.append(Row(model.name, runtime.name, runtime.title, "", "not run", why))
            else:
                programs.append((Program(f"{model.name} in {runtime.title}", runtime, file), model))
    return programs, rows


def reasons(rows: Sequence[Row]) -> str:
    return "; ".join(f"{row.title}: {row.why}" for row in rows) or "none takes such a file"


def check_that_some_ran(rows: Sequence[Row], paths: Sequence[Path], device: str) -> None:
    if any(row.status == "measured" for row in rows):
        return
    what = " or ".join(map(str, paths))
    if all(row.status == "not run" for row in rows):
        error: type[InstansegExportError] = RuntimeUnavailableError
        message, hint = f"No runtime here runs {what} on {device}", "Use --device cpu, or see instanseg-export doctor."
    else:
        error = PackageError
        message, hint = f"Every runtime failed with {what}", "instanseg-export validate shows what is at fault."
    raise error(f"{message}: {reasons(rows)}.", hint=hint)
