"""Images that a user gives to compare or to measure models on: files, arrays with a name, or both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import SettingError
from ..images.named import NamedImage
from ..parity.given import read_given

__all__ = ["GivenImage", "image_files", "named_images"]

GivenImage = str | Path | NamedImage


def image_files(images: Sequence[GivenImage] | None) -> list[Path]:
    """Return those that are files."""
    return [Path(image) for image in images or () if not isinstance(image, NamedImage)]


def named_images(
    images: Sequence[GivenImage] | None, model: str | Path, channels: Sequence[int | str]
) -> list[NamedImage] | None:
    """Read those that are files; None where no images are given.

    Args:
        images: in any order.
        model: that they are for.
        channels: of the files that the model sees, by number from 1 or by name, in its order; empty for all.

    Raises:
        SettingError: channels are chosen, and no file is given.
        PackageError: the model is damaged.
        ImageError: an image cannot be read, or its channels do not fit the model.
    """
    files = image_files(images)
    if channels and not files:
        raise SettingError("--channels chooses channels of --images, and none are given.", hint="Add --images.")
    if images is None:
        return None
    read = iter(read_given(files, model, channels or None) if files else ())
    return [image if isinstance(image, NamedImage) else next(read) for image in images]
