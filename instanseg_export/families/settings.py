"""What a user may set in a forward: names, defaults, ranges and help, in one table.

Two words, here and everywhere:

- a *setting* is what a user may set, a row of the table (:class:`Setting`). Its value is baked in at export:
  ``forward.settings`` are the rows, ``forward.baked`` the values by name.
- *args* are what a client passes in one call: tensors by the names of settings, which override what is baked in.

In files the values are called "settings" and the rows "tunables", as they were from the beginning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import SettingError
from ..metadata import Decides, ModelMetadata, SettingRow
from ..registry import closest
from ..untrusted.boundary import plain

__all__ = [
    "NORMALIZE_MODES",
    "Setting",
    "Value",
    "normalize_setting",
    "parse_settings",
    "resolve_settings",
    "settings_of",
]

Value = float | int | bool | str | tuple[int, ...]

NORMALIZE_MODES = ("auto", "always", "never")
"""At run time ``normalize`` is a number: its place in this list."""


@dataclass(frozen=True)
class Setting:
    """One setting that has a default baked in at export and can be overridden at run time.

    Attributes:
        name: as clients send it.
        kind: how its text is read; "flags" is a list of 0 and 1, one per structure.
        default: the value when neither the checkpoint nor the user says otherwise.
        minimum, maximum: inclusive range of numbers.
        help: one sentence with the unit.
        decides: what it changes: "values" alone, so that every format that has settings can leave it open; the "graph"
            (sizes of arrays, paths), so that formats that trace the forward fix it at export; or which "forward" is
            built, so that every format fixes it. ``targets/settings.py`` asks.
    """

    name: str
    kind: Literal["float", "int", "bool", "choice", "flags"]
    default: Value
    help: str
    minimum: float = 0.0
    maximum: float = 1.0
    choices: tuple[str, ...] = ()
    decides: Decides = "values"

    def describe(self, *, fixed: bool = False) -> SettingRow:
        """Return the row that is embedded in every exported file; ``fixed`` tells whether that file fixes it."""
        ranged = self.kind in ("float", "int")
        return SettingRow(
            name=self.name,
            kind=self.kind,
            help=self.help,
            minimum=self.minimum if ranged else None,
            maximum=self.maximum if ranged else None,
            choices=self.choices,
            decides=self.decides,
            fixed=fixed,
        )

    def check(self, value: Any) -> Value:
        """Return ``value`` in this setting's own type.

        Raises:
            SettingError: it has another type or lies out of range.
        """
        parsed = self._parse(value)
        # Compared as they are: a whole number of 400 digits is no float.
        if self.kind in ("float", "int") and not self.minimum <= parsed <= self.maximum:  # type: ignore[operator]
            raise self._wrong(value, f"a number from {self.minimum:g} to {self.maximum:g}")
        return parsed

    def _parse(self, value: Any) -> Value:
        text = plain(value)
        if self.kind == "bool":
            if text.lower() in ("true", "1", "yes", "on"):
                return True
            if text.lower() in ("false", "0", "no", "off"):
                return False
            raise self._wrong(value, "true or false")
        if self.kind == "choice":
            if text in self.choices:
                return text
            raise self._wrong(value, f"one of {', '.join(self.choices)}")
        if self.kind == "flags":
            parts = list(value) if isinstance(value, (list, tuple)) else text.strip("[]()").replace(",", " ").split()
            flags = tuple(
                1 if str(part) in ("1", "True") else 0 if str(part) in ("0", "False") else -1 for part in parts
            )
            if not flags or -1 in flags or not any(flags):
                raise self._wrong(value, "a list of 0 and 1 with at least one 1, as in 1,0")
            return flags
        try:
            return int(text) if self.kind == "int" else float(text)
        except ValueError:
            raise self._wrong(value, "a whole number" if self.kind == "int" else "a number") from None

    def _wrong(self, value: Any, expected: str) -> SettingError:
        return SettingError(
            f"The setting {self.name} cannot be {plain(value, 80)!r}.", hint=f"Give {expected}: {self.help}"
        )


def normalize_setting(low: float, high: float) -> Setting:
    """Return the setting that every family has, for its percentiles."""
    return Setting(
        "normalize",
        "choice",
        "auto",
        choices=NORMALIZE_MODES,
        help=f"rescale each channel by its {low:g} and {high:g} percentiles: auto does so when the image is not "
        "normalised yet.",
    )


def settings_of(metadata: ModelMetadata) -> tuple[Setting, ...]:
    """Return the settings of an exported file that describes itself, with the baked values as defaults."""
    return tuple(
        Setting(
            name=row.name,
            kind=row.kind,
            default=metadata.baked[row.name],
            help=row.help,
            minimum=0.0 if row.minimum is None else row.minimum,
            maximum=1.0 if row.maximum is None else row.maximum,
            choices=row.choices,
            decides=row.decides,
        )
        for row in metadata.setting_rows
    )


def parse_settings(pairs: Mapping[str, Any], table: tuple[Setting, ...]) -> dict[str, Value]:
    """Check names and values of settings against the table.

    Raises:
        SettingError: a name is unknown or a value does not fit; the hint says what would.
    """
    known = {setting.name: setting for setting in table}
    settings = {}
    for name, value in pairs.items():
        if name not in known:
            guess = closest(name, known)
            suggestion = f"Did you mean {guess!r}? " if guess else ""
            hint = (
                f"{suggestion}Settings are: {', '.join(known)}." if known else "This file does not name any settings."
            )
            raise SettingError(f"There is no setting {name!r}.", hint=hint)
        settings[name] = known[name].check(value)
    return settings


def resolve_settings(*layers: Mapping[str, Any], table: tuple[Setting, ...]) -> dict[str, Value]:
    """Return a value for every setting: its default, overridden by each layer in turn."""
    settings = {setting.name: setting.default for setting in table}
    for layer in layers:
        settings.update(parse_settings(layer, table))
    return settings
