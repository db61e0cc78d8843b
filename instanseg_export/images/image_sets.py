"""The images on which a precision is calibrated and judged: the package's samples, or folders of the user's own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError
from ..untrusted.boundary import plain, regular_file
from .label_maps import read_label_map
from .pairs import LABEL_ENDINGS

__all__ = ["ImageSet", "LabelledImage", "calibration_set", "read_calibration", "read_labelled"]

MAX_SIDE = 512
"""Larger images are cut to windows of this many pixels."""

MAX_WINDOWS = 64
"""Of all images together. The range of a tensor hardly changes after the first dozen."""

_IGNORED = (".csv", ".json", ".md", ".txt", ".xml", ".yaml", ".yml")
"""Files that often lie beside images and describe them."""


@dataclass(frozen=True)
class ImageSet:
    """Images without labels.

    Attributes:
        names: one per image, unique.
        images: (C, H, W) each, of any real type, in raw range, with the channels that the model takes.
        source: what they are, in plain words.
    """

    names: tuple[str, ...]
    images: tuple[NDArray[Any], ...]
    source: str

    @property
    def sha256(self) -> str:
        """Of all images' shapes and float32 values, in order, in hex."""
        digest = hashlib.sha256()
        for image in self.images:
            digest.update(repr(image.shape).encode())
            digest.update(np.ascontiguousarray(image, dtype=np.float32).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class LabelledImage:
    """An image with its true label maps.

    Attributes:
        name: of the image's file.
        image: (C, H, W), as in :class:`ImageSet`.
        labels: (T, H, W) whole numbers, one map per structure of the model; 0 is background.
    """

    name: str
    image: NDArray[Any]
    labels: NDArray[np.int64]


def calibration_set(names: Sequence[str], images: Sequence[NDArray[Any]]) -> ImageSet:
    """Return a package's samples as calibration images."""
    return ImageSet(tuple(names), tuple(images), "the samples of the package")


def read_calibration(folder: Path, channels: int | None) -> ImageSet:
    """Read all images of a folder.

    An image larger than 512 x 512 is cut to windows that lie evenly over it; all images get equal shares of 64 windows,
    and of more than 64 images every n-th is taken.

    Args:
        folder: holds image files, and no others but text.
        channels: that the model takes; None for any number.

    Raises:
        ImageError: there is no such folder, it holds no image, or one of them cannot be read, has other channels than
            the model, or shows nothing.
    """
    paths = _files(folder, "--calibrate")
    chosen = [paths[place * len(paths) // MAX_WINDOWS] for place in range(MAX_WINDOWS)]
    chosen = list(dict.fromkeys(chosen))
    names, windows = [], []
    for path in chosen:
        image = _read(path, channels)
        for name, window in _windows(image, MAX_WINDOWS // len(chosen)):
            names.append(f"{plain(path.name)}{name}")
            windows.append(window)
    if all(window.min() == window.max() for window in windows):
        raise ImageError(
            f"The images of {folder} show nothing: each has one value everywhere.",
            hint="Give a folder with images of the kind that the model is made for.",
        )
    return ImageSet(tuple(names), tuple(windows), f"{len(chosen)} of the {len(paths)} images that were given")


def read_labelled(folder: Path, channels: int | None, structures: int) -> list[LabelledImage]:
    """Read pairs of an image and its label map.

    Either the folder has two subfolders, ``images`` and ``labels``, in which a pair has one name up to the ending; or
    a label map lies beside its image as ``NAME-labels`` (or ``_labels``, ``-masks``, ``_masks``).

    Args:
        folder: with the pairs.
        channels: that the model takes; None for any number.
        structures: of the model; a label map has a plane for each.

    Raises:
        ImageError: there is no such folder or no pair in it, an image lacks its label map, or one of them cannot be
            read or does not fit the other or the model.
    """
    pairs = _pairs(folder)
    found = []
    for path, label_path in pairs:
        image = _read(path, channels)
        labels = read_label_map(label_path, structures)
        if labels.shape[1:] != image.shape[1:]:
            raise ImageError(
                f"{label_path} has {labels.shape[1]} x {labels.shape[2]} pixels, but its image "
                f"{path.name} has {image.shape[1]} x {image.shape[2]}.",
                hint="A label map has the height and width of its image.",
            )
        found.append(LabelledImage(plain(path.name), image, labels))
    if not any(one.labels.any() for one in found):
        raise ImageError(f"The label maps of {folder} are all empty.", hint="Give images with labelled instances.")
    return found


def _files(folder: Path, option: str) -> list[Path]:
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise ImageError(f"{folder} {what}.", hint=f"{option} takes a folder of images.")
    paths = sorted(
        path for path in folder.iterdir() if not path.name.startswith(".") and path.suffix.lower() not in _IGNORED
    )
    # An OME-Zarr image is a folder; other folders are not looked into.
    paths = [path for path in paths if not path.is_dir() or path.suffix == ".zarr"]
    for path in paths:
        if not path.is_dir():
            regular_file(
                path, ImageError
            )  # a pipe, or a link to nothing, is no image, and must not be left out silently
    if not paths:
        raise ImageError(
            f"{folder} holds no image.",
            hint=f"{option} takes a folder of images (TIFF, PNG, JPEG, OME-Zarr); its subfolders are not looked into.",
        )
    return paths


def _read(path: Path, channels: int | None) -> NDArray[Any]:
    from . import read_image

    array = read_image(path).array
    if channels is not None and array.shape[0] != channels:
        raise ImageError(
            f"{path} has {array.shape[0]} channels, but the model takes {channels}.",
            hint=f"Give images with {channels} channels.",
        )
    return array


def _pairs(folder: Path) -> list[tuple[Path, Path]]:
    if (folder / "images").is_dir() and (folder / "labels").is_dir():
        images = _files(folder / "images", "--labelled")
        labels = {path.stem: path for path in _files(folder / "labels", "--labelled")}
        partner_of = {path: labels.get(path.stem) for path in images}
    else:
        files = _files(folder, "--labelled")
        maps = {path.stem: path for path in files if path.stem.endswith(LABEL_ENDINGS)}
        images = [path for path in files if path not in maps.values()]
        partner_of = {
            path: next((maps[path.stem + end] for end in LABEL_ENDINGS if path.stem + end in maps), None)
            for path in images
        }
    pairs = []
    for path in images:
        partner = partner_of[path]
        if partner is None:
            raise ImageError(
                f"{path} has no label map.",
                hint="Put images and label maps of the same names into the subfolders images and labels of one folder, "
                "or name the label maps NAME-labels.tif beside NAME.tif.",
            )
        pairs.append((path, partner))
    if not pairs:
        raise ImageError(f"{folder} holds label maps, but no image.", hint="--labelled takes images with label maps.")
    return pairs


def _windows(image: NDArray[Any], most: int) -> list[tuple[str, NDArray[Any]]]:
    """Return name and pixels of up to ``most`` windows that lie evenly over an image; of a small one, itself."""
    height, width = image.shape[1:]
    if max(height, width) <= MAX_SIDE:
        return [("", image)]
    corners = [(top, left) for top in _starts(height) for left in _starts(width)]
    count = min(max(most, 1), len(corners))
    # From the middle of each of ``count`` equal parts of the list, so that one window is a central one.
    chosen = [corners[(2 * place + 1) * len(corners) // (2 * count)] for place in range(count)]
    return [
        (f" at {top},{left}", np.ascontiguousarray(image[:, top : top + MAX_SIDE, left : left + MAX_SIDE]))
        for top, left in chosen
    ]


def _starts(size: int) -> list[int]:
    count = -(-size // MAX_SIDE)
    return [0] if count == 1 else [place * (size - MAX_SIDE) // (count - 1) for place in range(count)]
