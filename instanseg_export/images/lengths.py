"""Lengths as microscopy files write them, in micrometres; and what a file says of the size of its pixels."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ..untrusted.boundary import plain
from .image import PixelSize

__all__ = ["Stated", "micrometres", "misunderstood", "no_unit", "number", "stated", "unsaid"]

_PREFIXES = {
    "yotta": ("Y", 1e24),
    "zetta": ("Z", 1e21),
    "exa": ("E", 1e18),
    "peta": ("P", 1e15),
    "tera": ("T", 1e12),
    "giga": ("G", 1e9),
    "mega": ("M", 1e6),
    "kilo": ("k", 1e3),
    "hecto": ("h", 1e2),
    "deca": ("da", 1e1),
    "": ("", 1.0),
    "deci": ("d", 1e-1),
    "centi": ("c", 1e-2),
    "milli": ("m", 1e-3),
    "micro": ("µ", 1e-6),
    "nano": ("n", 1e-9),
    "pico": ("p", 1e-12),
    "femto": ("f", 1e-15),
    "atto": ("a", 1e-18),
    "zepto": ("z", 1e-21),
    "yocto": ("y", 1e-24),
}
"""Of the International System; OME's and NGFF's units of length use all of them."""

_IN_METRES = {prefix + "m": factor for prefix, factor in _PREFIXES.values()} | {
    "um": 1e-6,
    "Å": 1e-10,
    "thou": 2.54e-5,
    "li": 2.54e-5 * 1000 / 12,
    "in": 0.0254,
    "ft": 0.3048,
    "yd": 0.9144,
    "mi": 1609.344,
    "pt": 0.0254 / 72,
    "au": 1.495978707e11,
    "ua": 1.495978707e11,
    "ly": 9.4607304725808e15,
    "pc": 3.0856775814913673e16,
}
"""Symbols, in which capitals count: mm and Mm."""

_METRE = ("meter", "metre", "meters", "metres")
_NAMES_IN_METRES = {prefix + name: factor for prefix, (_, factor) in _PREFIXES.items() for name in _METRE} | {
    name: factor
    for names, factor in (
        ([f"deka{name}" for name in _METRE], 10.0),
        (("micron", "microns", "micrometer(s)", "micromètre", "mikrometer", "mikron"), 1e-6),
        (("angstrom", "angstroms", "ångström", "ångströms", "ångstrom"), 1e-10),
        (("inch", "inches", '"'), 0.0254),
        (("foot", "feet"), 0.3048),
        (("yard", "yards"), 0.9144),
        (("mile", "miles"), 1609.344),
        (("mil", "mils"), 2.54e-5),
        (("point", "points"), 0.0254 / 72),
        (("parsec", "parsecs"), 3.0856775814913673e16),
    )
    for name in names
}
"""Names, in which capitals do not count."""

_NO_UNIT = (
    "",
    "pixel",
    "pixels",
    "px",
    "pix",
    "none",
    "null",
    "unknown",
    "undefined",
    "unit",
    "units",
    "voxel",
    "voxels",
)
"""What programs write where nobody calibrated the image."""

_SAME = str.maketrans({"\u03bc": "µ", "\u212b": "Å"})
"""Greek mu and the micro sign, the angstrom sign and the letter, look alike."""

_SMALLEST, _LARGEST = 1e-5, 1e5
"""Pixels of a tenth of an angstrom to ten centimetres: what lies beyond is no microscope's, nor a camera's above it."""


class Stated(NamedTuple):
    """What a file says of the size of its pixels.

    Attributes:
        size: (y, x) in micrometres; None when it does not say, or not in a way that is understood.
        note: where that is from, or why there is none, without the file's name and without a stop: "does not say its
            pixel size".
        understood: False when the file says something that is of no use.
    """

    size: PixelSize | None
    note: str
    understood: bool = True


def unsaid() -> Stated:
    """Return what a file without any pixel size says."""
    return Stated(None, "does not say its pixel size")


def misunderstood(source: str, says: str) -> Stated:
    """Return what a file says whose pixel size is of no use: no length, no number, or no size that a pixel can have."""
    return Stated(None, f"states a pixel size that is not understood: {plain(says, 120)} in its {source}", False)


def stated(y: float | None, x: float | None, source: str, says: str) -> Stated:
    """Return a pixel size, if it is one.

    Args:
        y: height of a pixel in micrometres; None when it could not be read.
        x: its width.
        source: where it stands, as in "OME-XML".
        says: the file's own words, for the message.
    """
    if y is None or x is None or not (_SMALLEST <= y <= _LARGEST and _SMALLEST <= x <= _LARGEST):
        return misunderstood(source, says)
    if abs(y - x) <= 1e-3 * max(y, x):
        # Resolution tags are ratios of whole numbers, and XML is rounded: the two axes differ in the last digits.
        y = x = (y + x) / 2
        return Stated((y, x), f"has pixels of {x:.5g} µm, by its {source}")
    return Stated(
        (y, x), f"has pixels of {y:.5g} µm (height) x {x:.5g} µm (width), which are not square, by its {source}"
    )


def micrometres(unit: object) -> float | None:
    """Return how many micrometres a unit is; None if it is no length that is known."""
    name = _normal(unit)
    metres = _IN_METRES.get(name) or _NAMES_IN_METRES.get(name.lower())
    if metres is None and name.lower() in ("µm", "um", "nm", "cm"):  # capitals that leave no doubt
        metres = _IN_METRES[name.lower()]
    return None if metres is None else metres * 1e6


def no_unit(unit: object) -> bool:
    """Tell whether a unit is what programs write for an image that nobody calibrated."""
    return _normal(unit).lower() in _NO_UNIT


def number(value: Any) -> float | None:
    """Return a finite number that a file states, as one or as text; None if it is none."""
    try:
        result = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return result if math.isfinite(result) else None


def _normal(unit: object) -> str:
    name = str(unit)
    if "\\u" in name.lower():
        # ImageJ escapes what is not ASCII.
        name = name.replace("\\u00B5", "µ").replace("\\u00b5", "µ").replace("\\u03BC", "µ").replace("\\u03bc", "µ")
        name = name.replace("\\u00C5", "Å").replace("\\u00c5", "Å")
    name = name.replace("Â", "").replace("\xb5", "µ").translate(_SAME)
    return " ".join("".join(char for char in name if char.isprintable()).split()).rstrip(".")
