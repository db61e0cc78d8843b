"""Several images and folders in one run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from instanseg_export import run, run_many
from instanseg_export.errors import ImageError
from instanseg_export.inference.inputs import expand, name_outputs
from instanseg_export.inference.result import RunFailure, RunResult
from support.paths import DEMO_IMAGES

HISTOLOGY = DEMO_IMAGES / "histology.png"


def _folder(tmp_path: Path) -> Path:
    """Images of several kinds, results of earlier runs, and what is no image."""
    folder = tmp_path / "images"
    (folder / "inner").mkdir(parents=True)
    with Pillow.open(HISTOLOGY) as picture:
        picture.save(folder / "b.tif")
        picture.crop((0, 0, 120, 100)).save(folder / "a.png")
        picture.crop((0, 0, 90, 80)).save(folder / "inner/a.png")
    shutil.copy(DEMO_IMAGES / "fluorescence.png", folder / "grey.png")
    (folder / "broken.tif").write_bytes((folder / "b.tif").read_bytes()[:2000])
    (folder / "empty.tif").touch()
    (folder / "notes.txt").write_text("none")
    (folder / ".hidden.tif").write_bytes((folder / "b.tif").read_bytes())
    for name in ("old_labels.tif", "old_overlay.png"):
        shutil.copy(HISTOLOGY, folder / name)
    return folder


def test_a_folder_is_segmented_and_goes_on_after_one_that_fails(demo_package: Path, tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    ended, notes = run_many(demo_package, [folder], output=tmp_path / "out", table="csv")
    assert [one.image.name for one in ended] == ["a.png", "b.tif", "broken.tif", "empty.tif", "grey.png"]
    assert [type(one) for one in ended] == [RunResult, RunResult, RunFailure, RunFailure, RunFailure]
    assert any("old_labels.tif, old_overlay.png" in note for note in notes)
    assert any("notes.txt" in note for note in notes)
    whole = ended[1]
    assert isinstance(whole, RunResult)
    alone = run(demo_package, folder / "b.tif", output=tmp_path / "alone", table="csv")
    for one, other in zip(whole.written, alone.written, strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        f"{stem}_{ending}" for stem in "ab" for ending in ("labels.tif", "overlay.png", "objects.csv")
    )


def test_on_the_command_line_a_table_says_what_became_of_each(demo_package: Path, tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    call = [sys.executable, "-m", "instanseg_export", "run", str(demo_package), str(folder), "--recursive"]
    done = subprocess.run([*call, "--output", str(tmp_path / "out")], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "3 segmented" in done.stdout
    assert "3 failed" in done.stdout
    for name in ("broken.tif", "empty.tif", "grey.png"):
        assert f"error: {folder / name}" in done.stderr
    assert "Traceback" not in done.stderr
    assert {path.name for path in (tmp_path / "out").glob("*_labels.tif")} == {
        "images_a_labels.tif", "inner_a_labels.tif", "b_labels.tif"
    }  # fmt: skip
    more = subprocess.run(
        [*call, "--output", str(tmp_path / "json"), "--json"], capture_output=True, text=True, check=False
    )
    assert more.returncode == 2
    document = json.loads(more.stdout)
    assert (document["segmented"], document["failed"]) == (3, 3)
    assert [("error" in one) for one in document["images"]] == [False, False, True, True, True, False]
    assert document["images"][2]["error"]["hint"]


def test_images_that_are_normalised_and_raw_ones_in_one_run(demo_package: Path, tmp_path: Path) -> None:
    """Each gets its own setting, whatever the order."""
    with Pillow.open(DEMO_IMAGES / "fluorescence.png") as picture:
        raw = np.asarray(picture).astype(np.float32)
    low, high = np.percentile(raw, (0.1, 99.9))
    for name, image in (("a", raw / 65535), ("b", (raw - low) / (high - low)), ("c", raw)):
        tifffile.imwrite(tmp_path / f"{name}.tif", image)
    ended, _ = run_many(
        demo_package, [tmp_path / f"{name}.tif" for name in "abc"], channels=[1, 1, 1], output=tmp_path / "out"
    )
    assert [one.normalize for one in ended if isinstance(one, RunResult)] == ["always", "never", "always"]
    assert [one.found[0].instances for one in ended if isinstance(one, RunResult)] == [28, 28, 28]


def test_an_input_is_never_written_over(demo_package: Path, tmp_path: Path) -> None:
    """Not even one that is called like a result."""
    shutil.copy(HISTOLOGY, tmp_path / "x.png")
    with Pillow.open(HISTOLOGY) as picture:
        picture.save(tmp_path / "x_labels.tif")
    before = (tmp_path / "x_labels.tif").read_bytes()
    ended, _ = run_many(demo_package, [tmp_path / "x.png", tmp_path / "x_labels.tif"], output=tmp_path, overwrite=True)
    assert isinstance(ended[0], RunFailure)
    assert isinstance(ended[1], RunResult)
    assert (tmp_path / "x_labels.tif").read_bytes() == before
    assert ended[1].labels.name == "x_labels_labels.tif"


def test_what_holds_no_image_is_an_error(demo_package: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="holds no image"):
        run_many(demo_package, [tmp_path / "empty"])
    with pytest.raises(ImageError, match="No image is given"):
        run_many(demo_package, [])
    with pytest.raises(ImageError):
        run(demo_package, tmp_path / "empty")


def test_an_image_that_is_given_twice_is_segmented_once(tmp_path: Path) -> None:
    shutil.copy(HISTOLOGY, tmp_path / "a.png")
    (tmp_path / "link.png").symlink_to(tmp_path / "a.png")
    images, notes = expand([tmp_path / "a.png", tmp_path, tmp_path / "link.png"])
    assert images == [tmp_path / "a.png"]
    assert any("twice" in note for note in notes)


_PARTS = st.text("abAB._ ", min_size=1, max_size=3).filter(lambda text: text.strip(". ") != "")
_PATHS = st.tuples(st.lists(_PARTS, max_size=3), _PARTS, st.sampled_from([".tif", ".TIF", ".ome.tif", ".png", ""]))


@given(st.lists(_PATHS, min_size=1, max_size=12, unique_by=lambda path: "/".join([*path[0], path[1] + path[2]])))
def test_names_of_results_never_collide(paths: list[tuple[list[str], str, str]]) -> None:
    images = [Path("/data", *folders, name + suffix) for folders, name, suffix in paths]
    outputs = name_outputs(images, Path("out"))
    names = [one.path("labels.tif").name.casefold() for one in outputs]
    assert len(set(names)) == len(images)
    assert all(one.path("labels.tif").parent == Path("out") for one in outputs)


def test_names_of_results_are_short_where_they_can_be() -> None:
    images = [Path("/d/one/a.tif"), Path("/d/two/a.tif"), Path("/d/one/b.ome.tif"), Path("/d/c.png"), Path("/d/c.tif")]
    assert [one.stem for one in name_outputs(images, None)] == ["one_a", "two_a", "b", "c_png", "c_tif"]
