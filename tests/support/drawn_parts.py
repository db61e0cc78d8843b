"""Instances in many pieces and of many shapes, and what a plain reading of the rules keeps of them."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

__all__ = ["SHAPES", "broken_cells", "in_one_piece", "kept"]


def kept(numbers: np.ndarray, min_size: int = 0, nuclei: np.ndarray | None = None) -> np.ndarray:
    """Return an instance map (H, W) without the pixels that are to go.

    Args:
        numbers: 0 for background.
        min_size: of what stays.
        nuclei: a map in which the same number is this instance's nucleus, which stays in any case.
    """
    result = np.zeros_like(numbers)
    for number in np.unique(numbers[numbers > 0]):
        parts, _ = ndimage.label(numbers == number)
        areas = np.bincount(parts.ravel())
        areas[0] = -1
        # argmax gives the first of equals, and scipy counts the parts in raster order of their first pixels.
        part = areas.argmax()
        if nuclei is not None and ((nuclei == number) & (parts > 0)).any():
            (part,) = np.unique(parts[(nuclei == number) & (parts > 0)])
        if areas[part] >= min_size:
            result[parts == part] = number
    return result


def in_one_piece(labels: np.ndarray) -> bool:
    """Tell whether each instance of each plane (..., H, W) is connected over edges."""
    planes = labels.reshape(-1, *labels.shape[-2:])
    return all(ndimage.label(plane == number)[1] == 1 for plane in planes for number in np.unique(plane[plane > 0]))


def _spiral(size: int) -> np.ndarray:
    """One path, a pixel wide, that winds inwards with a pixel between its turns."""
    mask = np.zeros((size, size), dtype=np.int64)
    y, x, down, right = 0, 0, 0, 1
    mask[0, 0] = 1
    turned = 0
    while turned < 2:
        ahead, beyond = (y + down, x + right), (y + 2 * down, x + 2 * right)
        inside = 0 <= ahead[0] < size and 0 <= ahead[1] < size
        free = inside and not mask[ahead]
        if free and 0 <= beyond[0] < size and 0 <= beyond[1] < size:
            free = not mask[beyond]
        if free:
            y, x = ahead
            mask[y, x] = 1
            turned = 0
        else:
            down, right = right, -down
            turned += 1
    return mask


def _snake(height: int, width: int) -> np.ndarray:
    mask = np.zeros((height, width), dtype=np.int64)
    mask[::2] = 1
    mask[1::4, -1] = 1
    mask[3::4, 0] = 1
    return mask


def _comb(size: int) -> np.ndarray:
    mask = np.zeros((size, size), dtype=np.int64)
    mask[:, ::2] = 1
    mask[-1] = 1
    return mask


def _joined_at_random(size: int) -> np.ndarray:
    mask = np.zeros((size, size), dtype=np.int64)
    mask[:, ::2] = 1
    rows = np.random.default_rng(0).permutation(size)
    for column in range(0, size - 2, 2):
        mask[rows[column // 2], column + 1] = 1
    return mask


def _rings(size: int) -> np.ndarray:
    rows, columns = np.mgrid[:size, :size] - size // 2
    rings: np.ndarray = np.maximum(abs(rows), abs(columns)) // 2 % 2
    return rings


def _bridge(length: int) -> np.ndarray:
    mask = np.zeros((9, 10 + length), dtype=np.int64)
    mask[:, :5] = mask[:, -5:] = 1
    mask[4] = 1
    return mask


def _halves() -> np.ndarray:
    mask = np.zeros((5, 9), dtype=np.int64)
    mask[1:, :3] = mask[:4, -3:] = 1
    return mask


_square = np.ones((40, 33), dtype=np.int64)
_checkered = np.indices((31, 32)).sum(axis=0) % 2
_diagonal = np.eye(30, dtype=np.int64) + np.eye(30, k=9, dtype=np.int64) * 2

SHAPES: dict[str, np.ndarray] = {
    "spiral": _spiral(81),
    "spiral mirrored": np.ascontiguousarray(_spiral(80)[::-1]),
    "spiral transposed": np.ascontiguousarray(_spiral(82).T),
    "two spirals in one another": _spiral(64) + 2 * (1 - _spiral(64)),
    "snake": _snake(61, 40),
    "snake upright": np.ascontiguousarray(_snake(61, 40).T),
    "comb": _comb(50),
    "comb hanging": np.ascontiguousarray(_comb(50)[::-1]),
    "columns joined anywhere": _joined_at_random(70),
    "rings": _rings(51),
    "rings of two": _rings(50) + 1,
    "checkered": _checkered,
    "checkered in two": _checkered + 1,
    "diagonals": _diagonal,
    "bridge": _bridge(20),
    "bridge cut": _bridge(20) * (np.arange(30) != 12),
    "bridge of another": _bridge(20) + (np.arange(30) == 15) * np.eye(9, dtype=np.int64)[:, 4:5],
    "equal halves": _halves(),
    "equal halves upside down": np.ascontiguousarray(_halves()[::-1]),
    "everything": _square,
    "nothing": 0 * _square,
    "frame": _square - np.pad(_square[2:, 2:], 1),
    "one pixel": _square[:1, :1],
    "one row": np.array([[1, 1, 0, 2, 2, 1, 1, 1, 0, 2]]),
    "one column": np.array([[1], [0], [1], [1], [2], [1]]),
    "many numbers": np.arange(1, 43 * 37 + 1).reshape(43, 37) // 5,
}
"""Instance maps (H, W) int64, 0 for background."""


def broken_cells(rng: np.random.Generator, height: int, width: int, count: int, clumps: int = 3) -> np.ndarray:
    """Random instances (2, H, W), nuclei and cells of the same numbers, most in pieces; nuclei lie in their cells.

    Args:
        rng: of the random numbers.
        height: in pixels.
        width: in pixels.
        count: the largest number that can occur.
        clumps: pixels over which the noise is smooth.
    """
    noise = ndimage.uniform_filter(rng.random((2, count + 1, height, width)), (0, 0, clumps, clumps))
    nuclei, cells = noise.argmax(axis=1)
    return np.stack([nuclei, np.where(nuclei > 0, nuclei, cells)])
