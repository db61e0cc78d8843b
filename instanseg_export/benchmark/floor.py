"""The least time that a network could take here: its operations over what the machine computes at best."""

from __future__ import annotations

import time
from pathlib import Path

from ..errors import InstansegExportError
from .rows import Floor

__all__ = ["floor_of", "gflop_of", "matrix_peak"]

_SIDE = 2048
_TRIES = 5


def matrix_peak(threads: int) -> float:
    """Return the machine's measured peak in GFLOP/s: the best of a few float32 products of 2048 x 2048 matrices.

    Args:
        threads: to use.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        matrix = torch.rand(_SIDE, _SIDE)
        best = float("inf")
        for _ in range(_TRIES):
            start = time.perf_counter()
            torch.matmul(matrix, matrix)
            best = min(best, time.perf_counter() - start)
    finally:
        torch.set_num_threads(before)
    return 2 * _SIDE**3 / best / 1e9


def gflop_of(file: Path | None, shape: tuple[int, ...]) -> float | None:
    """Return thousand million operations of a model's network for an image.

    Args:
        file: the model as TorchScript, which is the format that carries the network's layers; None where there is none.
        shape: of the image, (B, C, H, W). Padding to the network's multiple is not counted.

    Returns:
        None where it cannot be told.
    """
    from ..checkpoints import load_checkpoint
    from ..checkpoints.summary import gflop_per_megapixel

    if file is None:
        return None
    try:
        network = load_checkpoint(file).network
    except InstansegExportError:
        return None
    batch, channels, height, width = shape
    return gflop_per_megapixel(network, channels) * batch * height * width / 1e6


def floor_of(file: Path | None, model: str, image: str, shape: tuple[int, ...], peak: float | None) -> Floor:
    """Return the least time that a model's network could take on an image.

    Args:
        file: as :func:`gflop_of` takes it.
        model: its name.
        image: its name.
        shape: of the image, (B, C, H, W).
        peak: of the machine in GFLOP/s; None where it was not measured.
    """
    gflop = gflop_of(file, shape)
    seconds = None if gflop is None or peak is None else gflop / peak
    return Floor(model, image, gflop, seconds)
