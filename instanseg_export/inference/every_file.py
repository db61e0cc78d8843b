"""Which files of a model run in which runtimes: one by default, several to compare them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import RuntimeUnavailableError, UnknownNameError
from ..exported_model import ExportedModel
from ..registry import closest
from ..runtimes.description import Runtime
from ..runtimes.probe import probe
from ..runtimes.selection import preferred_runtimes, select_runtimes
from ..targets import known_target, require_metadata
from ..targets.quantization import PRECISIONS, REDUCED
from ..targets.trust import check_trust
from .model import Ready, get_ready

__all__ = ["ALL_RUNTIMES", "Candidate", "candidates"]

ALL_RUNTIMES = "all"
"""Stands for every runtime of this machine."""


@dataclass(frozen=True)
class Candidate:
    """A file of a model in a runtime.

    Attributes:
        runtime: what runs it.
        precision: of the file.
        file: its name.
        ready: the two, ready to run; None where they cannot be.
        why: why not.
    """

    runtime: Runtime
    precision: str
    file: str
    ready: Ready | None
    why: str = ""

    @property
    def key(self) -> str:
        """By which records name it."""
        return self.runtime.name if self.precision == "fp32" else f"{self.runtime.name} {self.precision}"

    @property
    def title(self) -> str:
        """What people call it."""
        return f"{self.runtime.title}, {self.precision}"


def candidates(
    model: Path,
    exported: ExportedModel,
    *,
    runtimes: Sequence[str],
    precisions: Sequence[str],
    settings: Mapping[str, Any],
    device: str,
    trust: bool,
) -> list[Candidate]:
    """Return what is to be run, fp32 first for each runtime.

    Args:
        model: as the user named it.
        exported: the same, opened.
        runtimes: by name, or folders with a runtime.toml, or :data:`ALL_RUNTIMES`; where there is none, the one that
            ``run`` takes, and for each file of reduced precision the first one here that takes such files.
        precisions: wanted; all that the model has where there is none.
        settings: to override.
        device: on which to run.
        trust: run programs that this package did not write.

    Raises:
        UnknownNameError: there is no such runtime or precision.
        RuntimeUnavailableError: nothing of what is wanted can be run here; the message says why.
        UntrustedFileError: this package did not write a file, and it is not trusted.
        SettingError: a setting is unknown, out of range, or fixed in the files.
        PackageError: the model has no file that a runtime here takes.
    """
    for name in precisions:
        if name not in PRECISIONS:
            guess = closest(name, PRECISIONS)
            raise UnknownNameError(
                f"There is no precision called {name!r}.",
                hint=(f"Did you mean {guess!r}? " if guess else "") + f"Known are: {', '.join(PRECISIONS)}.",
            )
    chosen = _runtimes(model, exported, runtimes, precisions, settings, device)
    found = [
        one
        for runtime in chosen
        for one in _of_runtime(model, exported, runtime, precisions, settings, device)
        if not runtimes or ALL_RUNTIMES not in runtimes or one.ready is not None or not _irrelevant(one, exported)
    ]
    if not any(one.ready for one in found):
        reasons = "; ".join(dict.fromkeys(f"{one.title}: {one.why.rstrip('.')}" for one in found))
        wanted = " or ".join(precisions) or "such a file"
        raise RuntimeUnavailableError(
            f"Nothing here runs {model}: {reasons}." if found else f"{model} has no {wanted} for these runtimes.",
            hint="instanseg-export doctor shows what this machine has; leave out --runtimes to take what fits.",
        )
    for one in found:
        if one.ready is not None and not one.runtime.needs_exporter:
            check_trust(one.ready.file, shown=model, trusted=trust)
    return found


def _irrelevant(one: Candidate, exported: ExportedModel) -> bool:
    """Tell whether a model has nothing for a runtime that nobody named, or the network alone."""
    target = known_target(one.runtime.target)
    return exported.file(one.runtime.filename) is None or (target is not None and not target.whole)


def _runtimes(
    model: Path,
    exported: ExportedModel,
    names: Sequence[str],
    precisions: Sequence[str],
    settings: Mapping[str, Any],
    device: str,
) -> list[Runtime]:
    if names:
        given = [name for name in names if name != ALL_RUNTIMES]
        everything = select_runtimes(None) if ALL_RUNTIMES in names else []
        chosen = [runtime for runtime, _ in [*(select_runtimes(given) if given else []), *everything]]
        return list({one.name: one for one in chosen}.values())
    usual = get_ready(model, exported, settings, None, device).runtime
    chosen = [usual]
    for reduced in REDUCED:
        if (precisions and reduced.precision not in precisions) or not _has_reduced(exported, reduced.filename):
            continue
        fitting = [one for one in preferred_runtimes(device) if one.target == reduced.target]
        ready = [one for one in fitting if not probe(one)] or fitting
        chosen += ready[:1]
    return list({one.name: one for one in chosen}.values())


def _has_reduced(exported: ExportedModel, filename: str) -> bool:
    return exported.path.is_dir() and exported.file(filename) is not None and exported.path.name != filename


def _of_runtime(
    model: Path,
    exported: ExportedModel,
    runtime: Runtime,
    precisions: Sequence[str],
    settings: Mapping[str, Any],
    device: str,
) -> Iterator[Candidate]:
    """Yield a runtime with each file of the model that it takes."""
    own = exported.file(runtime.filename)
    precision = "fp32"
    if own is not None and own == exported.path and exported.metadata is not None:
        precision = require_metadata(own).precision
    name = runtime.filename if own is None else own.name
    ready, why = _ready(model, exported, runtime, settings, device)
    if not precisions or precision in precisions:
        yield Candidate(runtime, precision, name, ready, why)
    for reduced in REDUCED:
        wanted = not precisions or reduced.precision in precisions
        if not wanted or reduced.target != runtime.target or not _has_reduced(exported, reduced.filename):
            continue
        file = exported.file(reduced.filename)
        # Settings and contract are those of the fp32 file, which it is made of.
        of_it = None if ready is None or file is None else replace(ready, file=file)
        yield Candidate(runtime, reduced.precision, reduced.filename, of_it, why)


def _ready(
    model: Path, exported: ExportedModel, runtime: Runtime, settings: Mapping[str, Any], device: str
) -> tuple[Ready | None, str]:
    if not runtime.offers(device):
        return None, runtime.only_on
    if runtime.needs_exporter and exported.metadata is None:
        return None, "the file does not describe its network, so that its forward cannot be built again"
    if exported.file(runtime.filename) is None:
        return None, f"there is no {runtime.filename} here"
    if lacking := probe(runtime):
        return None, lacking
    target = known_target(runtime.target)
    if target is not None and not target.whole:
        return None, f"{target.name} files hold the network alone"
    return get_ready(model, exported, settings, runtime, device), ""
