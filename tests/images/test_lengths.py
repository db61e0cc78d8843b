"""Units of length as OME, NGFF, ImageJ and others spell them, against independent tables; and sizes that are none."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instanseg_export.images.lengths import micrometres, misunderstood, no_unit, number, stated, unsaid

OME = {
    "Ym": 1e30, "Zm": 1e27, "Em": 1e24, "Pm": 1e21, "Tm": 1e18, "Gm": 1e15, "Mm": 1e12, "km": 1e9, "hm": 1e8,
    "dam": 1e7, "m": 1e6, "dm": 1e5, "cm": 1e4, "mm": 1e3, "µm": 1, "nm": 1e-3, "pm": 1e-6, "fm": 1e-9,
    "am": 1e-12, "zm": 1e-15,
    "ym": 1e-18, "Å": 1e-4, "thou": 25.4, "li": 25400 / 12, "in": 25400, "ft": 304800, "yd": 914400,
    "mi": 1.609344e9,
    "ua": 1.495978707e17, "ly": 9.4607304725808e21, "pc": 3.0856775814913673e22, "pt": 25400 / 72,
}  # fmt: skip
"""UnitsLength of the schema 2016-06, with the factors that its documentation gives, in micrometres."""

NGFF = {
    "angstrom": 1e-4, "attometer": 1e-12, "centimeter": 1e4, "decimeter": 1e5, "exameter": 1e24, "femtometer": 1e-9,
    "foot": 304800, "gigameter": 1e15, "hectometer": 1e8, "inch": 25400, "kilometer": 1e9, "megameter": 1e12,
    "meter": 1e6, "micrometer": 1, "mile": 1.609344e9, "millimeter": 1e3, "nanometer": 1e-3,
    "parsec": 3.0856775814913673e22, "petameter": 1e21, "picometer": 1e-6, "terameter": 1e18, "yard": 914400,
    "yoctometer": 1e-18, "yottameter": 1e30, "zeptometer": 1e-15, "zettameter": 1e27,
}  # fmt: skip
"""Units of space that NGFF 0.4 and 0.5 recommend."""

SPELLINGS = {
    1: ("um", "µm", "μm", "\\u00B5m", "\\u00b5m", "UM", "micron", "Micron", "microns", "micrometre", "Micrometers",
        "Âµm", " µm ", "\\u03BCm"),
    1e-3: ("nanometre", "nanometers", "Nanometer"),
    1e3: ("millimetre", "millimeters"),
    1e4: ("centimetre",),
    25400: ("inches", "Inch", '"'),
    1e-4: ("ångström", "\u212b", "\\u00C5"),
}  # fmt: skip


def test_the_table_covers_what_the_schema_of_ome_lists() -> None:
    model = pytest.importorskip("ome_types.model")
    listed = {unit.value for unit in model.UnitsLength}
    assert listed - {"pixel", "reference frame"} == set(OME)


@pytest.mark.parametrize(("unit", "expected"), [*OME.items(), *NGFF.items()])
def test_every_unit_of_ome_and_ngff(unit: str, expected: float) -> None:
    assert micrometres(unit) == pytest.approx(expected, rel=1e-9)
    assert not no_unit(unit)


@pytest.mark.parametrize(("unit", "expected"), [(unit, size) for size, units in SPELLINGS.items() for unit in units])
def test_spellings_that_programs_write(unit: str, expected: float) -> None:
    assert micrometres(unit) == pytest.approx(expected)


@pytest.mark.parametrize("unit", ["reference frame", "parrot", "kg", "s", "MM", "m²", "\x1b[31mµm\x1b[0mm", "9" * 5000])
def test_what_is_no_length(unit: str) -> None:
    assert micrometres(unit) is None
    assert not no_unit(unit)


@pytest.mark.parametrize("unit", ["", "pixel", "Pixels", "px", " ", "unknown", "None"])
def test_what_says_that_nobody_calibrated(unit: str) -> None:
    assert micrometres(unit) is None
    assert no_unit(unit)


@given(st.one_of(st.floats(), st.none(), st.sampled_from([0.0, -1.0, 1e308, 5e-324])), st.floats(0.01, 100))
def test_a_size_is_used_only_if_a_pixel_can_have_it(y: float | None, x: float) -> None:
    found = stated(y, x, "tags", f"{y} x {x}")
    if y is not None and 1e-5 <= y <= 1e5:
        assert found.size is not None
        assert found.size == pytest.approx((y, x), rel=1e-3)
        assert found.understood
        assert ("not square" in found.note) == (found.size[0] != found.size[1])
    else:
        assert (found.size, found.understood) == (None, False)
        assert "not understood" in found.note


@given(st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.lists(st.integers())))
def test_a_number_is_finite_or_none(value: object) -> None:
    found = number(value)
    assert found is None or math.isfinite(found)


def test_unsaid_and_not_understood_are_different() -> None:
    assert (unsaid().understood, misunderstood("OME-XML", "3 furlongs\x1b[2J").understood) == (True, False)
    assert misunderstood("OME-XML", "3 furlongs\x1b[2J").note.isprintable()
