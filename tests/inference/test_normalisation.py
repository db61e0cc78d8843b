"""Raw or normalised: whatever an image's type and range, the nuclei in it are found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from instanseg_export import read_image, run
from instanseg_export.inference.result import RunResult
from support.paths import DEMO_IMAGES

GREY = DEMO_IMAGES / "fluorescence.png"


def _grey() -> np.ndarray:
    grey: np.ndarray = read_image(GREY).array[0]
    return grey


def _run(demo_package: Path, tmp_path: Path, array: np.ndarray, **wishes: Any) -> RunResult:
    tifffile.imwrite(tmp_path / "image.tif", array)
    return run(demo_package, tmp_path / "image.tif", channels=[1, 1, 1], output=tmp_path / "out", **wishes)


KINDS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "uint8": lambda image: image,
    "uint16": lambda image: image.astype(np.uint16) * 257,
    "int16 with an offset": lambda image: image.astype(np.int16) * 10 - 1000,
    "uint16 of few values": lambda image: image.astype(np.uint16) // 3,
    "float of uint16 / 65535": lambda image: (image.astype(np.float32) * 20) / 65535,
    "float from 0 to 1": lambda image: image.astype(np.float32) / 255,
    "float from 0 to 2.5": lambda image: image.astype(np.float32) / 100,
    "float64": lambda image: image.astype(np.float64),
    "float16": lambda image: (image / 255).astype(np.float16),
    "float with NaN at the border": lambda image: _with(image, np.nan),
    "float with infinities": lambda image: _with(image, np.inf),
    "float that is tiny": lambda image: image.astype(np.float32) * 1e-5,
    "float that is huge": lambda image: image.astype(np.float32) * 1e12,
}


def _with(image: np.ndarray, value: float) -> np.ndarray:
    result = image.astype(np.float32) / 255
    result[:3], result[:, -2:] = value, value
    return result


@pytest.mark.parametrize("kind", KINDS)
def test_raw_images_of_every_type_and_range_have_the_same_nuclei(demo_package: Path, tmp_path: Path, kind: str) -> None:
    result = _run(demo_package, tmp_path, KINDS[kind](_grey()))
    assert result.normalize == "always"
    assert result.found[0].instances == pytest.approx(28, abs=2), kind
    assert any("raw" in note and "normalize=always" in note for note in result.notes)


def test_raw_intensities_between_0_and_1_as_people_store_them(demo_package: Path, shared: Path, tmp_path: Path) -> None:
    image = shared / "cases/float_range/fl_float_over_65535.tif"
    result = run(demo_package, image, channels=[1, 1, 1], output=tmp_path)
    assert result.found[0].instances == 28


def test_an_image_that_is_normalised_stays_as_it_is(demo_package: Path, tmp_path: Path) -> None:
    image = _grey().astype(np.float32)
    low, high = np.percentile(image, (0.1, 99.9))
    result = _run(demo_package, tmp_path, (image - low) / (high - low))
    assert result.normalize == "never"
    assert result.found[0].instances == 28
    assert any("taken as normalised" in note for note in result.notes)


@pytest.mark.parametrize("value", ["always", "never", "auto"])
def test_the_users_word_counts(demo_package: Path, tmp_path: Path, value: str) -> None:
    dim = _grey().astype(np.float32) * 20 / 65535
    result = _run(demo_package, tmp_path, dim, settings={"normalize": value})
    assert result.normalize == value
    assert any(f"normalize={value}, as asked for" in note for note in result.notes)
    assert (result.found[0].instances > 0) == (value == "always")


def test_nothing_found_says_what_to_try(demo_package: Path, tmp_path: Path) -> None:
    dim = _grey().astype(np.float32) * 20 / 65535
    (advice,) = [note for note in _run(demo_package, tmp_path, dim, settings={"normalize": "never", "min_size": 200}).notes if "Nothing" in note]  # fmt: skip  # noqa: E501
    for words in ("--pixel-size", "--channels", "seed_threshold=0.5", "min_size", "normalize=always", "stain"):
        assert words in advice, advice


@pytest.mark.parametrize("value", [0, 7, 255])
def test_a_constant_image_has_nothing_in_it_and_says_so(demo_package: Path, tmp_path: Path, value: int) -> None:
    result = _run(demo_package, tmp_path, np.full((60, 80), value, np.uint8))
    assert result.found[0].instances == 0
    assert any("same value in each channel" in note for note in result.notes)


def test_a_pixel_size_that_is_far_off_is_named_where_nothing_is_found(demo_package: Path, tmp_path: Path) -> None:
    result = _run(demo_package, tmp_path, _grey(), pixel_size=0.02, settings={"seed_threshold": 1.0})
    assert result.found[0].instances == 0
    assert any("shrunk 25 times" in note and "true --pixel-size" in note for note in result.notes), result.notes


def test_holes_in_an_image_do_not_grow_when_it_is_rescaled(demo_package: Path, tmp_path: Path) -> None:
    image = np.kron(_grey(), np.ones((2, 2), np.uint8)).astype(np.float32)
    for name in "ab":
        (tmp_path / name).mkdir()
    whole = _run(demo_package, tmp_path / "a", image, pixel_size=0.25)
    image[::40, ::40] = np.nan

    holes = _run(demo_package, tmp_path / "b", image, pixel_size=0.25)
    assert any("no finite numbers" in note for note in holes.notes)
    assert holes.found[0].instances == pytest.approx(whole.found[0].instances, abs=2)
