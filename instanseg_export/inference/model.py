"""What runs the model, and with which settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..archives.torch_archive import is_script_file
from ..errors import PackageError, RuntimeUnavailableError, SettingError
from ..exported_model import ExportedModel
from ..metadata import Contract, ModelMetadata
from ..runtimes.description import Runtime
from ..runtimes.probe import probe
from ..runtimes.registry import find_runtime
from ..runtimes.selection import preferred_runtimes
from ..targets import known_target
from ..targets.capabilities import require_whole
from ..targets.settings import is_fixed

__all__ = ["PERCENTILES", "Ready", "get_ready"]

PERCENTILES = 0.1, 99.9
"""That images for files of others are stretched by."""


@dataclass(frozen=True)
class Ready:
    """A model that can be run.

    Attributes:
        model: what the user named.
        file: the file of it that is run.
        runtime: what runs it.
        device: on which.
        metadata: what the file says of itself; None for those of others.
        contract: what a caller has to know of it.
        fixed: names of the settings that the file fixes.
        settings: those that the user changed, checked, without ``normalize``.
        normalize: what the user wants of it; None leaves the decision to each image.
    """

    model: Path
    file: Path
    runtime: Runtime
    device: str
    metadata: ModelMetadata | None
    contract: Contract
    fixed: frozenset[str]
    settings: Mapping[str, Any]
    normalize: str | None

    @property
    def title(self) -> str:
        return f"{self.file.name} in {self.runtime.title}"

    def value(self, setting: str) -> Any:
        """Return a setting as it will be; None where that is unknown."""
        baked = {} if self.metadata is None else self.metadata.baked
        return self.settings.get(setting, baked.get(setting))

    @property
    def paired(self) -> bool:
        """Whether a nucleus and its cell have one label."""
        setting = self.contract.paired_by
        return setting is not None and self.value(setting) is not False

    @property
    def flags(self) -> tuple[int, ...]:
        """Which structures are returned, as the setting of that kind says; empty where there is none."""
        rows = () if self.metadata is None else self.metadata.setting_rows
        return next((tuple(self.value(row.name)) for row in rows if row.kind == "flags"), ())


def get_ready(
    model: Path, exported: ExportedModel, settings: Mapping[str, Any], runtime: str | Runtime | None, device: str
) -> Ready:
    """Choose a runtime for one of a model's files, unless one is named or given, and check the settings.

    Raises:
        PackageError: the model has no file that a runtime here takes, or is a checkpoint, or the file holds the network
            alone.
        RuntimeUnavailableError: the runtime, or every one that fits, is not here.
        SettingError: a setting is unknown, out of range, or fixed in this file.
    """
    chosen, file = _choose_runtime(model, exported, runtime, device)
    if exported.metadata is None:
        _check_foreign(model, file)
    fixed = _fixed(exported.metadata, chosen.target)
    parsed = _parse(settings, exported, fixed, file)
    if (target := known_target(chosen.target)) is not None:
        require_whole(target, file)
    normalize = parsed.pop("normalize", None)
    return Ready(model, file, chosen, device, exported.metadata, exported.contract, fixed, parsed, normalize)


def _choose_runtime(
    model: Path, exported: ExportedModel, given: str | Runtime | None, device: str
) -> tuple[Runtime, Path]:
    if given is not None:
        wanted = find_runtime(given) if isinstance(given, str) else given
        file = exported.file(wanted.filename)
        if file is None:
            raise RuntimeUnavailableError(
                f"{wanted.title} needs a {wanted.target} file, and {model} has none.",
                hint=f"Export it with --targets {wanted.target}, or choose another --runtime.",
            )
        if lacking := probe(wanted):
            raise RuntimeUnavailableError(f"{wanted.title} is not here: {lacking}.", hint=wanted.install.hint)
        return wanted, file
    fitting = [(one, file) for one in preferred_runtimes(device) if (file := exported.file(one.filename)) is not None]
    if not fitting:
        raise PackageError(f"{model} holds no file that a runtime here takes.", hint="Export the model again.")
    files = " or ".join(sorted({file.name for _, file in fitting}))
    offering = [(one, file) for one, file in fitting if one.offers(device)]
    if not offering:
        raise RuntimeUnavailableError(f"No runtime runs {files} on {device}.", hint="Use --device cpu.")
    for one, file in offering:
        if not probe(one):
            return one, file
    raise RuntimeUnavailableError(
        f"No runtime on this machine runs {files}.",
        hint=" Or: ".join(dict.fromkeys(one.install.hint for one, _ in offering)),
    )


def _check_foreign(model: Path, file: Path) -> None:
    """Refuse a checkpoint, which has no forward yet.

    Raises:
        PackageError: the file is one.
    """
    if file.suffix == ".pt" and not is_script_file(file):
        raise PackageError(
            f"{file} is no exported model.", hint=f"If it is a checkpoint, export it first: instanseg-export {model}"
        )


def _fixed(metadata: ModelMetadata | None, target: str) -> frozenset[str]:
    """Return the settings that cannot be changed at run time in the files of a target."""
    from ..families.settings import settings_of

    writer = known_target(target)
    if metadata is None or writer is None:
        return frozenset()
    return frozenset(setting.name for setting in settings_of(metadata) if is_fixed(setting, writer))


def _parse(settings: Mapping[str, Any], exported: ExportedModel, fixed: frozenset[str], file: Path) -> dict[str, Any]:
    from ..families.settings import normalize_setting, parse_settings

    known = exported.settings
    if not any(setting.name == "normalize" for setting in known):
        known = (*known, normalize_setting(*PERCENTILES))  # run stretches images for such files by itself
    parsed = parse_settings(settings, known)
    if stuck := [name for name in parsed if name in fixed]:
        elsewhere = not _fixed(exported.metadata, "torchscript").intersection(stuck)
        raise SettingError(
            f"{file.name} has {' and '.join(stuck)} fixed at export.",
            hint="Use the TorchScript file (--runtime torchscript), or export again with --set."
            if elsewhere
            else "Export again with --set.",
        )
    return dict(parsed)
