"""Images and label maps are paired by name, from folders, patterns, files and zips; what does not match is named."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from instanseg_export.errors import ImageError, UnsafeFileError
from instanseg_export.images.pairs import LABEL_ENDINGS, open_pairs

Tree = Callable[[Sequence[str]], Path]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Write small images of the given names into a folder; other names become texts."""

    def write(names: Sequence[str]) -> Path:
        root = tmp_path / "data"
        for name in names:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix in (".png", ".tif", ".jpg"):
                Image.fromarray(np.zeros((4, 5), dtype=np.uint8)).save(path)
            else:
                path.write_text("id\n")
        return root

    return write


def names_of(images: str | Path, labels: str | Path, root: Path) -> list[tuple[str, str, str]]:
    with open_pairs(images, labels) as found:
        return [(one.name, one.folder, one.labels.name) for one in found.pairs]


def test_folders(tree: Tree) -> None:
    root = tree(["images/b.png", "images/a.tif", "labels/a.png", "labels/b.tif", "images/notes.txt", "index.csv"])
    expected = [("a", "", "a.png"), ("b", "", "b.tif")]
    assert names_of(root / "images", root / "labels", root) == expected
    assert names_of(root, root, root) == expected  # the subfolders of usual names are meant
    assert names_of(f"{root}/images/*", f"{root}/labels/*", root) == expected
    assert names_of(f"{root}/images/[ab].*", f"{root}/*bels/*.*", root)[0][2] == "a.png"
    with open_pairs(root / "images", root / "labels") as found:
        assert found.index == root / "index.csv"


@pytest.mark.parametrize("ending", LABEL_ENDINGS)
def test_endings_of_label_maps(tree: Tree, ending: str) -> None:
    """In a folder of their own, or beside their images."""
    root = tree(["x/a.png", f"y/a{ending}.png", "x/b.ome.tif", f"y/b{ending}.ome.tif"])
    assert [one[0] for one in names_of(root / "x", root / "y", root)] == ["a", "b"]
    beside = tree(["z/a.png", f"z/a{ending}.png", "z/b.png", f"z/b{ending}.png"])
    assert names_of(beside / "z", beside / "z", root) == [("a", "", f"a{ending}.png"), ("b", "", f"b{ending}.png")]


def test_an_image_may_be_called_like_a_label_map(tree: Tree) -> None:
    root = tree(["x/a.png", "x/a_mask.png", "y/a.png", "y/a_mask.png"])
    assert names_of(root / "x", root / "y", root) == [("a", "", "a.png"), ("a_mask", "", "a_mask.png")]


def test_subfolders(tree: Tree) -> None:
    root = tree(["x/he/a.png", "x/he/b.png", "x/if/a.png", "y/he/a.png", "y/he/b_mask.png", "y/if/a.png"])
    assert names_of(root / "x", root / "y", root) == [
        ("he/a", "he", "a.png"),
        ("he/b", "he", "b_mask.png"),
        ("if/a", "if", "a.png"),
    ]
    assert names_of(f"{root}/x/*/*.png", f"{root}/y/*", root)[0] == ("he/a", "he", "a.png")
    flat = tree(["u/he/c.png", "u/if/d.png", "v/c.tif", "v/d.tif"])
    assert names_of(flat / "u", flat / "v", flat) == [("he/c", "he", "c.tif"), ("if/d", "if", "d.tif")]


def test_two_single_files_are_a_pair(tree: Tree) -> None:
    root = tree(["cells.tif", "truth.png"])
    assert names_of(root / "cells.tif", root / "truth.png", root) == [("cells", "", "truth.png")]


def test_zips(tree: Tree, tmp_path: Path) -> None:
    root = tree(["images/a.png", "images/b.png", "labels/a.png", "labels/b.png", "index.csv"])
    archive = tmp_path / "data.zip"
    with zipfile.ZipFile(archive, "w") as made:
        for path in sorted(root.rglob("*.*")):
            made.write(path, path.relative_to(root))
    expected = [("a", "", "a.png"), ("b", "", "b.png")]
    for images, labels in (
        (archive, archive),
        (archive / "images", archive / "labels"),
        (archive, root),
        (f"{archive}/images/*.png", archive),
    ):
        assert names_of(images, labels, root) == expected
    with open_pairs(archive, archive) as found:
        assert found.index is not None
        assert found.shown(found.pairs[0].labels) == f"{archive}: labels/a.png"
        kept = found.index
    assert not kept.exists()  # what was unpacked is gone
    with pytest.raises(ImageError, match=r"There is no .*data.zip/pictures"):
        names_of(archive / "pictures", archive, root)
    with zipfile.ZipFile(archive, "a") as made:
        made.writestr("../evil.png", b"x")
    with pytest.raises(UnsafeFileError, match="outside of its folder"):
        names_of(archive, archive, root)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["x/a.png", "x/b.png", "y/a.png"], "x/b.png has no label map in"),
        (["x/a.png", "x/b.png", "y/a.png", "y/c.png"], r"x/b.png has no label map in .*, where .*y/c.png is left over"),
        (["x/a.png", "y/a.png", "y/b.png", "y/c.png"], r"y/b.png, .*y/c.png have no image in"),
        (["x/a.png", "x/b.png", "y/a.png", "y/a_mask.png", "y/b.png"], "x/a.png has 2 label maps"),
        (["x/a.png", "x/b.png", "y/a.png", "y/a.tif", "y/b.png"], "x/a.png has 2 label maps"),
        (["x/1/a.png", "x/2/a.png", "y/a.png"], "have no label map"),
        (["x/1/a.png", "x/2/a_mask.png", "y/a_mask.png"], "x/1/a.png has no label map"),
        (["x/a.txt", "y/a.png"], "x holds no image"),
        (["x/a.png", "y/notes.txt"], "y holds no image"),
        (["x/a.png"], "There is no .*y"),
    ],
)
def test_what_does_not_match_is_named(tree: Tree, names: Sequence[str], message: str) -> None:
    root = tree(names)
    with pytest.raises(ImageError, match=message) as caught:
        names_of(root / "x", root / "y", root)
    assert caught.value.hint


def test_patterns_that_match_nothing(tree: Tree) -> None:
    root = tree(["x/a.png", "x/a.txt"])
    with pytest.raises(ImageError, match="No file matches") as caught:
        names_of(f"{root}/x/*.tif", root / "x", root)
    assert "quotes" in caught.value.hint
    with pytest.raises(ImageError, match="is an image"):
        names_of(f"{root}/x/*.txt", root / "x", root)
