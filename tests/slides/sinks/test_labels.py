"""Label pyramids of large images: where they lie, and that they appear whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from ome_zarr_models import open_ome_zarr
from ome_zarr_models.v05.image_label import ImageLabel
from ome_zarr_models.v05.labels import Labels

from instanseg_export.errors import OutputError
from instanseg_export.images import read_image
from instanseg_export.slides.box import Box
from instanseg_export.slides.sinks import Frame, label_grid, write_label_zarr


def _window(box: Box) -> np.ndarray:
    """Labels that say where they are."""
    axes = np.meshgrid(*(np.arange(low, high) for low, high in zip(box.low, box.high, strict=True)), indexing="ij")
    place = sum(axis * 1000**power for power, axis in enumerate(axes[::-1]))
    return np.stack([place, place + 1]).astype(np.uint32)


@pytest.mark.parametrize("shape", [(701, 640), (17, 600, 33)])
def test_labels_lie_in_the_slide(tmp_path: Path, shape: tuple[int, ...]) -> None:
    axes = len(shape)
    factor, offset = (1.0, 2.0, 2.0)[-axes:], (4.0, 100.0, 40.0)[-axes:]
    frame = Frame(shape, ("nuclei", "cells"), "a", "b", factor, offset, (2.0, 0.5, 0.5)[-axes:])
    path = tmp_path / "run/labels.zarr"
    write_label_zarr(path, _window, frame)
    assert [one.name for one in path.parent.iterdir()] == ["labels.zarr"]
    assert isinstance(open_ome_zarr(path, version="0.5"), Labels)
    for place, name in enumerate(frame.structures):
        found = np.asarray(zarr.open_array(path / name / "0", mode="r")[...])
        np.testing.assert_array_equal(found, _window(Box.of(shape))[place])
    described = ImageLabel.from_zarr(zarr.open_group(path / "cells", mode="r")).attributes.ome.multiscales[0]
    assert [axis.unit for axis in described.axes] == ["micrometer"] * axes
    moves: Any = described.datasets[0].coordinateTransformations
    scale, translation = moves
    assert scale.scale == [2.0, 0.5, 0.5][-axes:]
    # Level 0 has pixels of 0.25; the centre of the plane's first pixel, two wide, lies half a pixel past that of 100.
    assert translation.translation == [8.0, 100.5 * 0.25, 40.5 * 0.25][-axes:]


def test_without_a_pixel_size_places_are_in_pixels_of_the_slide() -> None:
    grid = label_grid(Frame((10, 20), ("nuclei",), "a", "b", (1.5, 1.5), (7.0, 0.0)))
    assert (grid.scale, grid.translation, grid.unit) == ((1.5, 1.5), (7.25, 0.25), None)


def test_our_own_reader_takes_a_structure_for_an_image(tmp_path: Path) -> None:
    frame = Frame((60, 70), ("nuclei", "cells"), "a", "b", (1.0, 1.0), (0.0, 0.0), (0.5, 0.5))
    write_label_zarr(tmp_path / "labels.zarr", _window, frame)
    image = read_image(tmp_path / "labels.zarr/cells")
    np.testing.assert_array_equal(image.array[0], _window(Box.of((60, 70)))[1])
    assert image.pixel_size == (0.5, 0.5)


def test_it_appears_whole_or_not_at_all_and_is_not_replaced(tmp_path: Path) -> None:
    frame = Frame((5000, 20), ("nuclei", "cells"), "a", "b", (1.0, 1.0), (0.0, 0.0))

    def broken(box: Box) -> np.ndarray:
        if box.low[0]:
            raise OutputError("The tiles are gone.", hint="Run again.")
        return _window(box)

    with pytest.raises(OutputError, match="tiles are gone"):
        write_label_zarr(tmp_path / "labels.zarr", broken, frame)
    assert list(tmp_path.iterdir()) == []
    write_label_zarr(tmp_path / "labels.zarr", _window, frame)
    with pytest.raises(OutputError, match="exists already"):
        write_label_zarr(tmp_path / "labels.zarr", _window, frame)


MANY = """
import resource, sys
from pathlib import Path
import numpy as np
from instanseg_export.slides.sinks import Frame, write_label_zarr
def window(box):
    y, x = np.ogrid[box.low[0] : box.high[0], box.low[1] : box.high[1]]
    return (y // 30 * 1000 + x // 30 + 1).astype(np.uint32)[None]
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
for side in (8192, 24_576):
    write_label_zarr(Path(sys.argv[1]) / str(side), window, Frame((side, side), ("nuclei",), "a", "b", (1, 1), (0, 0)))
    print(peak())
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the unit of ru_maxrss")
def test_memory_does_not_grow_with_the_plane(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", MANY, tmp_path], capture_output=True, text=True, check=True)
    four, thirty_six = map(int, done.stdout.split())
    assert thirty_six - four < 100, "MiB, of 2,304 that the labels have"
