"""Tissue is found where it is, and not on glass."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr

from instanseg_export.errors import ImageError
from instanseg_export.slides.box import Box
from instanseg_export.slides.plane import blocks
from instanseg_export.slides.plane.thumbnail import read_thumbnail
from instanseg_export.slides.plane.tissue import Tissue, find_tissue
from instanseg_export.slides.sources import GivenArray, SlideAddress, open_slide
from support.slides import halved, ome_tiff, pyramid


def _found(array: np.ndarray, margin: float = 0.0, longest: int = 300) -> Tissue:
    with open_slide(SlideAddress(GivenArray((array,)), array.ndim - 1)) as source:
        thumbnail = read_thumbnail(source, range(len(array)), longest)
        return find_tissue(thumbnail, source.info.dtype, margin)


def _glass(seed: int, noise: float, uneven: float, shape: tuple[int, int] = (900, 1200)) -> np.ndarray:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    light = 240 - uneven * ((y / shape[0] - 0.5) ** 2 + (x / shape[1] - 0.3) ** 2)
    tint = np.array([1, 0.99, 1])[:, None, None]
    return np.asarray(light * tint + rng.normal(0, noise, (3, *shape)))


def _as_bytes(array: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(array, 0, 255), np.uint8)


def _disc(shape: tuple[int, int], centre: tuple[float, float], radius: float) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.asarray((y - centre[0]) ** 2 + (x - centre[1]) ** 2 < radius**2)


@pytest.mark.parametrize("noise", [0.5, 4, 12])
@pytest.mark.parametrize("uneven", [0, 15])
@pytest.mark.parametrize("seed", [0, 1])
def test_glass_is_no_tissue(seed: int, noise: float, uneven: float) -> None:
    found = _found(_as_bytes(_glass(seed, noise, uneven)))
    assert found.mask is None
    assert found.share == 1
    assert "No tissue was found" in found.note


@pytest.mark.parametrize("noise", [0, 3, 30])
@pytest.mark.parametrize("level", [0, 100])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_darkness_is_no_tissue(dtype: type, level: float, noise: float) -> None:
    rng = np.random.default_rng(0)
    array: np.ndarray = np.clip(level + rng.normal(0, noise, (2, 700, 800)), 0, 250).astype(dtype)
    found = _found(array)
    assert found.mask is None, found.share


@pytest.mark.parametrize("stain", [(200, 150, 190), (230, 190, 215), (120, 80, 150)])
@pytest.mark.parametrize("radius", [25, 150, 400])
def test_stain_on_glass(radius: float, stain: tuple[float, ...]) -> None:
    """Also pale eosin, and small pieces, beside what a scanner leaves black."""
    slide = _glass(0, 4, 10)
    disc = _disc(slide.shape[1:], (450, 600), radius)
    slide[:, disc] = np.array(stain)[:, None] + np.random.default_rng(1).normal(0, 15, (3, int(disc.sum())))
    slide[:, :, :50] = 0
    found = _found(_as_bytes(slide))
    assert found.mask is not None
    truth = halved(disc[None].astype(np.float32), 4)[0] > 0.5
    _agrees(found.mask, truth)
    assert found.share == pytest.approx(truth.mean(), rel=0.25, abs=0.001)
    assert f"{100 * found.share:.3g} %" in found.note


@pytest.mark.parametrize("signal", [60, 600])
@pytest.mark.parametrize("channel", [0, 2])
def test_light_on_a_dark_background(channel: int, signal: float) -> None:
    rng = np.random.default_rng(2)
    slide = 100 + rng.normal(0, 10, (3, 900, 1200))
    disc = _disc((900, 1200), (300, 500), 160)
    slide[channel, disc] += signal
    found = _found(slide.clip(0, 65535).astype(np.uint16))
    assert found.mask is not None
    _agrees(found.mask, halved(disc[None].astype(np.float32), 4)[0] > 0.5)


def _agrees(mask: np.ndarray, truth: np.ndarray) -> None:
    overlap = (mask & truth).sum() / (mask | truth).sum()
    assert overlap > 0.65
    assert (mask & truth).sum() > 0.85 * truth.sum()


def test_a_margin_grows_what_is_found() -> None:
    slide = _glass(0, 2, 0)
    slide[:, _disc((900, 1200), (450, 600), 100)] = 120
    plain, grown = _found(_as_bytes(slide)), _found(_as_bytes(slide), 60)
    assert plain.mask is not None
    assert grown.mask is not None
    assert (grown.mask & plain.mask).sum() == plain.mask.sum()
    assert np.sqrt(grown.share / plain.share) == pytest.approx(1.6, abs=0.05)


def test_a_real_slide_is_mostly_tissue(shared: Path) -> None:
    path = shared / "data" / "examples" / "HE_example.tif"
    with open_slide(SlideAddress(path)) as source:
        found = find_tissue(read_thumbnail(source, range(3), 200), source.info.dtype)
    assert found.share > 0.3


@pytest.mark.parametrize("longest", [40, 101, 260, 1000])
@pytest.mark.parametrize("levels", [1, 3])
def test_a_thumbnail_is_the_mean_of_what_it_covers(levels: int, longest: int, tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 60000, (2, 331, 402), dtype=np.uint16)
    with open_slide(SlideAddress(ome_tiff(tmp_path, pyramid(array, [2**k for k in range(levels)])))) as source:
        thumbnail = read_thumbnail(source, [1], longest)
        assert max(thumbnail.pixels.shape) <= longest
        level = next(k for k in reversed(range(levels)) if source.info.levels[k].shape[-1] >= min(longest, 402))
        own = source.read(level, source.info.levels[level].box, [1])[0].astype(float)
    times = round(thumbnail.scale[0] / source.info.levels[level].downsample[0])
    for (row, column), value in list(np.ndenumerate(thumbnail.pixels[0]))[::37]:
        window = Box((row * times, column * times), ((row + 1) * times, (column + 1) * times)).within(Box.of(own.shape))
        assert value == pytest.approx(own[window.slices].mean(), rel=1e-6)


def test_a_thumbnail_of_a_volume_is_the_mean_of_its_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "_SIDE", {3: 5})
    volume = np.random.default_rng(0).random((2, 7, 60, 300)).astype(np.float32)
    with open_slide(SlideAddress(GivenArray((volume,)), 3)) as source:
        thumbnail = read_thumbnail(source, [0, 1], 100)
    assert thumbnail.pixels.shape == (2, 20, 100)
    np.testing.assert_allclose(thumbnail.pixels, halved(volume.mean(1), 3), rtol=1e-5)


@pytest.mark.parametrize("bright", [True, False])
def test_what_cannot_be_read_counts_as_tissue(bright: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some of it, or all; and a strict run ends."""
    monkeypatch.setattr(blocks, "_SIDE", {2: 100})
    slide = _as_bytes(_glass(0, 4, 0, (400, 600))) if bright else np.full((3, 400, 600), 3, np.uint8)
    slide[:, _disc(slide.shape[1:], (100, 100), 60)] = 120
    array = zarr.create_array(tmp_path / "image.zarr", data=slide, chunks=(3, 100, 100))

    def find(tolerant: bool = True) -> Tissue:
        with open_slide(SlideAddress(GivenArray((array,)), 2)) as source:
            return find_tissue(read_thumbnail(source, range(3), 600, tolerant=tolerant), source.info.dtype)

    whole = find()
    assert whole.mask is not None
    chunks = sorted(path for path in (tmp_path / "image.zarr" / "c").rglob("*") if path.is_file())
    (tmp_path / "image.zarr" / "c" / "0" / "3" / "5").write_bytes(b"damaged")
    part = find()
    assert part.mask is not None
    expected = whole.mask.copy()
    expected[300:, 500:] = True
    assert (part.mask != expected).mean() < 0.002
    assert "counts as tissue" in part.note
    with pytest.raises(ImageError, match="damaged"):
        find(tolerant=False)
    for path in chunks:
        path.write_bytes(b"damaged")
    assert find().mask is None
    assert "whole of it was segmented" in find().note
