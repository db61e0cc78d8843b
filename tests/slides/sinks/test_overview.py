"""The overview and the density that it shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from instanseg_export.errors import OutputError
from instanseg_export.slides.box import Box
from instanseg_export.slides.sinks import (
    Density,
    Frame,
    ObjectRecord,
    Part,
    draw_overview,
    write_objects,
    write_overview,
)


def _frame(shape: tuple[int, ...], structures: tuple[str, ...] = ("nuclei",), **facts: object) -> Frame:
    axes = len(shape)
    return Frame(shape, structures, "a", "slide.svs", (1.0,) * axes, (0.0,) * axes, **facts)  # type: ignore[arg-type]


def _part(*centroid: float) -> Part:
    low = tuple(int(place) for place in centroid)
    return Part(Box(low, tuple(place + 1 for place in low)), 1, centroid, (), np.ones((1,) * len(low), bool))


def _density(frame: Frame, records: list[ObjectRecord], tmp_path: Path) -> Density:
    return write_objects(tmp_path, records, frame, kinds=[]).density


def test_density_is_per_square_millimetre_of_the_plane(tmp_path: Path) -> None:
    frame = _frame((1280, 2560), spacing=(0.5, 0.5))
    places = [(10, 10), (11, 15), (1279.9, 2559.9), (640, 0)]
    density = _density(frame, [ObjectRecord(k, (_part(*place),)) for k, place in enumerate(places, 1)], tmp_path)
    assert (density.edge, density.counts.shape, density.unit) == (64, (1, 20, 40), "per square millimetre")
    per_area = density.per_area()[0]
    assert per_area[0, 0] == pytest.approx(2 / 0.032**2)
    assert per_area[19, 39] == pytest.approx(1 / 0.032**2)
    assert per_area[10, 0] == pytest.approx(1 / 0.032**2)
    assert np.count_nonzero(per_area) == 3


def test_squares_at_the_border_count_the_area_that_they_have(tmp_path: Path) -> None:
    density = _density(_frame((80, 144)), [ObjectRecord(1, (_part(70, 140),))], tmp_path)
    assert (density.edge, density.unit) == (64, "per megapixel")
    assert density.per_area()[0, 1, 2] == pytest.approx(1e6 / (16 * 16))


def test_a_nucleus_and_its_cell_count_once(tmp_path: Path) -> None:
    frame = _frame((64, 64), ("nuclei", "cells"), paired=True)
    records = [
        ObjectRecord(1, (_part(5, 5), _part(5, 5))),
        ObjectRecord(2, (_part(40, 5), None)),
        ObjectRecord(3, (None, _part(40, 40))),
    ]
    density = _density(frame, records, tmp_path)
    assert (density.names, density.counts.sum()) == (("cells",), 3)
    apart = _density(_frame((64, 64), ("nuclei", "cells")), records, tmp_path)
    assert (apart.names, apart.counts.sum(axis=(1, 2)).tolist()) == (("nuclei", "cells"), [2, 2])


def test_volumes_are_seen_from_above(tmp_path: Path) -> None:
    frame = _frame((9, 256, 256), spacing=(2.0, 0.5, 0.5))
    density = _density(frame, [ObjectRecord(1, (_part(1, 80, 160),)), ObjectRecord(2, (_part(8, 80, 160),))], tmp_path)
    assert density.counts[0, 1, 2] == 2
    assert density.per_area().max() == pytest.approx(2 / (32e-3**2))


@pytest.mark.parametrize("shape", [(1, 1), (5, 90_000), (90_000, 5), (30_000, 42_000), (7, 300, 200)])
@pytest.mark.parametrize("structures", [("nuclei",), ("nuclei", "cells")])
def test_the_picture_is_never_too_large(tmp_path: Path, shape: tuple[int, ...], structures: tuple[str, ...]) -> None:
    frame = _frame(shape, structures)
    write_overview(tmp_path / "overview.png", Density(frame), frame)
    with Image.open(tmp_path / "overview.png") as picture:
        assert picture.format == "PNG"
        assert max(picture.size) <= 2048
    with pytest.raises(OutputError, match="exists already"):
        write_overview(tmp_path / "overview.png", Density(frame), frame)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_where_objects_are_the_picture_shows_it(tmp_path: Path, channels: int) -> None:
    frame = _frame((1000, 1000))
    random = np.random.default_rng(0)
    places = random.uniform((0, 0), (500, 1000), (20_000, 2))
    density = _density(frame, [ObjectRecord(k, (_part(*place),)) for k, place in enumerate(places, 1)], tmp_path)
    thumbnail = random.integers(0, 60_000, (channels, 300, 300)).astype(np.uint16)
    picture = np.asarray(draw_overview(density, frame, thumbnail)).astype(int)
    coloured = np.ptp(picture, axis=2) > 20
    half = picture.shape[1] // 2
    map_ = coloured[80:900, half : half + 700]
    assert map_[:350].mean() > 0.8, "the upper half has objects"
    assert map_[500:].mean() < 0.05, "the lower half shows the slide in grey"
