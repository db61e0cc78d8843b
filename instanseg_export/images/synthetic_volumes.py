"""The volumes on which runtimes are compared: small, made here, the same on every machine, each with its own risk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .named import FloatImage, NamedImage

__all__ = ["draw_spheres", "standard_volumes"]


def standard_volumes(channels: int) -> list[NamedImage]:
    """Return the standard set of volumes for a model that takes so many channels."""

    def spheres(seed: int, *shape: int, **options: Any) -> FloatImage:
        return draw_spheres(seed, channels, shape, **options)

    makers: list[tuple[str, Callable[[], npt.NDArray[Any]], str]] = [
        ("nuclei", lambda: spheres(1, 24, 64, 72), "bright nuclei on a dark ground"),
        ("no objects", lambda: spheres(2, 16, 40, 48, spacing=0), "noise, nothing in it"),
        ("constant", lambda: np.full((channels, 16, 24, 16), 7.0), "every voxel has the same value"),
        ("one voxel", lambda: np.full((channels, 1, 1, 1), 3.0), "1 x 1 x 1"),
        ("one slice", lambda: spheres(3, 1, 48, 40), "1 x 48 x 40"),
        ("odd sizes", lambda: spheres(4, 13, 37, 51), "13 x 37 x 51, multiples of nothing"),
        ("touching the border", lambda: spheres(5, 18, 40, 40, margin=0.0), "nuclei cut by every face"),
        ("NaN and infinities", lambda: _with_holes(spheres(6, 16, 40, 40)), "some voxels are no numbers"),
        ("16 bit", lambda: spheres(7, 16, 40, 48) * 257.0, "values up to 65,535"),
        ("normalised", lambda: spheres(8, 16, 40, 40) / 160.0 - 0.1, "values from 0 to 1, as clients send them"),
        (
            "batch of 2",
            lambda: np.stack([spheres(9, 16, 32, 40), spheres(10, 16, 32, 40, spacing=0)]),
            "two volumes at once, one of them empty",
        ),
    ]
    return [NamedImage(name, make(), note, dimensions=3) for name, make, note in makers]


def draw_spheres(
    seed: int,
    channels: int,
    shape: tuple[int, ...],
    *,
    spacing: float = 20.0,
    radius: float = 6.0,
    margin: float = 8.0,
    dark: bool = False,
) -> FloatImage:
    """Draw soft balls on a jittered grid, over a noisy ground: values from 0 to 255.

    Args:
        seed: of the random numbers.
        channels: of the volume.
        shape: depth, height and width in voxels.
        spacing: voxels between neighbours; 0 for no balls at all.
        radius: their mean radius in voxels.
        margin: voxels between the faces and the first centre.
        dark: dark balls on a bright ground.
    """
    random = np.random.default_rng(seed)
    depth = np.zeros(shape)
    places = np.indices(shape).astype(np.float64)
    if spacing > 0:
        starts = [np.arange(min(margin, size / 2), size, spacing) for size in shape]
        for centre in np.stack(np.meshgrid(*starts, indexing="ij"), axis=-1).reshape(-1, 3):
            centre = centre + random.uniform(-0.1, 0.1, 3) * spacing
            distance = np.sqrt(((places - centre[:, None, None, None]) ** 2).sum(axis=0))
            edge = (distance - radius * random.uniform(0.85, 1.15)) * 1.5
            depth = np.maximum(depth, 1.0 / (1.0 + np.exp(np.clip(edge, -30.0, 30.0))))
    signal = 1.0 - depth if dark else depth
    image = 14.0 + 170.0 * signal + random.normal(0.0, 4.0, (channels, *shape))
    return image.clip(0.0, 255.0).round().astype(np.float32)


def _with_holes(image: FloatImage) -> FloatImage:
    image = image.copy()
    image[:, 3, 10:14, 20:24] = np.nan
    image[0, 5, 30, 30] = np.inf
    image[-1, 6, 31, 30] = -np.inf
    return image
