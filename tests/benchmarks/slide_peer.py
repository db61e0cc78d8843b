"""Upstream's eval_whole_slide_image on a slide, and what it and we lose of what the network finds without seams."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # as pytest does for tests
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import numpy.typing as npt

from benchmarks.process_tree import Cost, cost_of
from benchmarks.seam_errors import errors
from benchmarks.upstream import script_upstream, upstream_network
from instanseg_export import load_checkpoint
from instanseg_export.families.instanseg.spec import InstanSegSpec
from support.paths import DEMO

__all__ = ["Compared", "compare_with_upstream"]

_TILE, _HALO = 2560, 512
"""Of the run that both are compared with: what seams decide there lies deep inside of what a tile sees."""


@dataclass(frozen=True)
class Compared:
    """Upstream's run.

    Attributes:
        cost: of it.
        ours, upstream: lost / duplicated / merged objects, and of how many.
    """

    cost: Cost
    ours: str
    upstream: str


def compare_with_upstream(slide: Path, model: Path, ours: Path, folder: Path) -> Compared:
    """Segment a slide with upstream, and once more with large tiles, and compare upstream's result and ours with that.

    Args:
        slide: an SVS.
        model: the demo's ONNX file.
        ours: our label map of the slide.
        folder: to work in.
    """
    checkpoint = load_checkpoint(DEMO)
    assert isinstance(checkpoint.spec, InstanSegSpec)
    scripted = script_upstream(upstream_network(checkpoint, folder / "peer"), checkpoint.spec, folder / "upstream.pt")
    cost = cost_of([sys.executable, __file__, str(scripted), str(slide)])
    reference = folder / "reference"
    command = [sys.executable, "-m", "instanseg_export", "run", str(model), str(slide), "--tiled", "--workers", "2"]
    command += ["--tile", str(_TILE), "--halo", str(_HALO), "--output", str(reference)]
    cost_of(command)
    truth = _labels(reference / "labels.zarr")
    shutil.rmtree(reference)
    theirs = _labels(slide.with_name(f"{slide.stem}_instanseg_prediction.zarr"))
    return Compared(cost, _words(truth, _labels(ours)), _words(truth, theirs))


def _labels(path: Path) -> npt.NDArray[np.int64]:
    """Read the finest label map of a zarr file."""
    import zarr

    found: Any = zarr.open(path, mode="r")
    while not isinstance(found, zarr.Array):
        found = found[min(name for name, _ in found.members())]
    array: Any = np.asarray(found)
    return np.ascontiguousarray(array.reshape(array.shape[-2:]), dtype=np.int64)


def _words(truth: npt.NDArray[np.int64], found: npt.NDArray[np.int64]) -> str:
    height, width = (min(sizes) for sizes in zip(truth.shape, found.shape, strict=True))
    numbers = errors(truth[:height, :width], found[:height, :width])
    return f"{' / '.join(map(str, numbers))} of {np.unique(truth).size - 1:,}"


def _run_upstream(model: Path, slide: Path) -> None:
    import torch
    from instanseg import InstanSeg

    torch.set_num_threads(os.cpu_count() or 1)
    program = InstanSeg(torch.jit.load(str(model)), device="cpu", image_reader="tiffslide", verbosity=0)
    program.eval_whole_slide_image(str(slide))


if __name__ == "__main__":
    _run_upstream(*map(Path, sys.argv[1:]))
