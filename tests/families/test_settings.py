"""Reading settings as users write them, and refusing them in words."""

from __future__ import annotations

from typing import Any

import pytest

from instanseg_export.errors import SettingError
from instanseg_export.families.instanseg.settings import INSTANSEG_SETTINGS
from instanseg_export.families.settings import parse_settings, resolve_settings


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("seed_threshold", "0.6", 0.6),
        ("seed_threshold", 1, 1.0),
        ("min_size", " 25 ", 25),
        ("cleanup_fragments", "off", False),
        ("cleanup_fragments", "True", True),
        ("normalize", "never", "never"),
        ("target_segmentation", "[1, 0]", (1, 0)),
        ("target_segmentation", "0,1", (0, 1)),
        ("target_segmentation", [1, True], (1, 1)),
    ],
)
def test_values_are_read_in_their_own_type(name: str, text: Any, value: Any) -> None:
    parsed = parse_settings({name: text}, INSTANSEG_SETTINGS)[name]
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("seed_threshold", "high", "a number"),
        ("seed_threshold", 1.2, "from 0 to 1"),
        ("seed_threshold", "nan", "from 0 to 1"),
        ("mask_threshold", 0, "from 0.01 to 0.99"),
        ("min_size", "2.5", "a whole number"),
        ("min_size", -1, "from 0 to"),
        ("peak_distance", 0, "from 1 to 64"),
        ("cleanup_fragments", "maybe", "true or false"),
        ("normalize", "sometimes", "auto, always, never"),
        ("target_segmentation", "0,0", "at least one 1"),
        ("target_segmentation", "", "at least one 1"),
        ("target_segmentation", "1,2", "at least one 1"),
    ],
)
def test_unfit_value_is_refused_with_its_range(name: str, value: Any, expected: str) -> None:
    with pytest.raises(SettingError) as caught:
        parse_settings({name: value}, INSTANSEG_SETTINGS)
    assert name in caught.value.message
    assert expected in caught.value.hint


def test_unknown_name_suggests_the_right_one() -> None:
    with pytest.raises(SettingError) as caught:
        parse_settings({"seed_treshold": 0.5}, INSTANSEG_SETTINGS)
    assert "seed_treshold" in caught.value.message
    assert "Did you mean 'seed_threshold'?" in caught.value.hint


def test_later_layers_win() -> None:
    settings = resolve_settings({"min_size": 5, "peak_distance": 3}, {"min_size": "7"}, table=INSTANSEG_SETTINGS)
    assert (settings["min_size"], settings["peak_distance"]) == (7, 3)
    assert set(settings) == {setting.name for setting in INSTANSEG_SETTINGS}


@pytest.mark.parametrize("setting", INSTANSEG_SETTINGS, ids=lambda setting: setting.name)
def test_defaults_are_within_their_own_range(setting: Any) -> None:
    assert setting.check(setting.default) == setting.default
    row = setting.describe()
    assert row.help.endswith(".")
    assert (row.minimum is not None) == (setting.kind in ("float", "int"))
