"""Images that a user gives to compare or to measure models on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..exported_model import open_model
from ..images.named import NamedImage

__all__ = ["read_given"]


def read_given(
    paths: Sequence[str | Path], model: str | Path, channels: Sequence[int | str] | None = None
) -> list[NamedImage]:
    """Read image files for :func:`instanseg_export.parity.validate` and :func:`instanseg_export.bench`.

    Args:
        paths: of the images.
        model: that they are for: a package's folder or zip, or one exported file.
        channels: that the model sees, by number from 1 or by name, in the model's order; by default all.

    Raises:
        PackageError: the model is damaged.
        ImageError: an image cannot be read, or its channels do not fit the model.
    """
    from ..images import read_image
    from ..images.channels import choose_channels

    with open_model(Path(model)) as exported:
        dimensions, expected = exported.dimensions, exported.channels
    files = [Path(path) for path in paths]
    names = [path.name for path in files]
    images = []
    for path in files:
        image = read_image(path, dimensions)
        chosen = choose_channels(image.channel_names, path, channels, expected)
        array = image.array if chosen == list(range(len(image.array))) else image.array[chosen]
        name = path.name if names.count(path.name) == 1 else str(path)
        images.append(NamedImage(name, array, note="given", sample=True, dimensions=dimensions, notes=image.notes))
    return images
