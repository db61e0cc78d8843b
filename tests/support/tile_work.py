"""Work on tiles, as a run does it: pixels of a Zarr array through a session, and what can go wrong with it."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import zarr

from instanseg_export.errors import ImageError, PackageError
from instanseg_export.runtimes.registry import find_runtime
from instanseg_export.runtimes.session import RuntimeSession
from instanseg_export.slides.box import Box, Tile

__all__ = ["ArrayWork", "grid"]


@dataclass(frozen=True)
class ArrayWork:
    """Segments an image.

    Attributes:
        image: a Zarr array (C, H, W), float32.
        notes: a folder in which each worker notes its process.
        model: the file; empty for what needs no model: the tile's mean.
        runtime: that runs it.
        delay: seconds more for each tile.
        kills: tiles that end their worker.
        unreadable: tiles that cannot be read.
    """

    image: str
    notes: str
    model: str = ""
    runtime: str = "onnxruntime"
    delay: float = 0.0
    kills: frozenset[int] = frozenset()
    unreadable: frozenset[int] = frozenset()

    def open(self) -> OpenArrayWork:
        return OpenArrayWork(self)


class OpenArrayWork:
    def __init__(self, work: ArrayWork) -> None:
        self._work = work
        self._array = zarr.open_array(work.image, mode="r")
        self._folder = Path(tempfile.mkdtemp())
        self._stack = contextlib.ExitStack()
        self._session = None
        if work.model:
            session = RuntimeSession.open(find_runtime(work.runtime), Path(work.model), threads=1)
            self._session = self._stack.enter_context(session)
        (Path(work.notes) / str(os.getpid())).touch()

    def do(self, tile: Tile, path: Path) -> Mapping[str, float]:
        time.sleep(self._work.delay)
        if tile.index in self._work.kills:
            os.kill(os.getpid(), 9)
        if tile.index in self._work.unreadable:
            raise ImageError("its block is damaged.", hint="Copy the file again.")
        pixels = np.asarray(self._array[(slice(None), *tile.seen.slices)])
        if self._session is None:
            np.savez(path, mean=pixels.mean())
            return {"objects": 1}
        np.save(self._folder / "tile.npy", pixels[None])
        outcome = self._session.run(self._folder / "tile.npy", self._folder / "tile.npz")
        if outcome.error:
            raise PackageError(outcome.error, hint="")
        labels = outcome.labels()[0].astype(np.uint32)
        np.savez_compressed(path, labels=labels)
        return {"objects": int(labels.max())}

    def close(self) -> None:
        self._stack.close()
        shutil.rmtree(self._folder)


def grid(shape: tuple[int, ...], size: int, halo: int = 0) -> list[Tile]:
    """Return the tiles of an image (H, W) in cores of size x size."""
    whole, tiles = Box.of(shape), list[Tile]()
    for y in range(0, shape[0], size):
        for x in range(0, shape[1], size):
            core = Box((y, x), (y + size, x + size)).within(whole)
            tiles.append(Tile(len(tiles), core, core.grown(halo).within(whole)))
    return tiles
