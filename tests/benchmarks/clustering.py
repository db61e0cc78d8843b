"""EmbedSeg's own clustering against our files of the same fields, in one process and in turns."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmarks.peers import ONNX, TORCHSCRIPT
from instanseg_export import build_forward
from instanseg_export.benchmark.measure import WARM_UP, Timing
from support.agreement import agreement
from support.embedseg_fields import drawn_fields, fields_checkpoint
from support.exported_models import OnnxModel, TorchScriptModel, write_both

__all__ = ["EMBEDSEG", "INSTALL", "take_clustering_turns"]

EMBEDSEG = "EmbedSeg"

INSTALL = "pip install --no-deps --target PEERS/EmbedSeg EmbedSeg==0.2.5, and PYTHONPATH=PEERS"
"""Its wheel holds the modules without the folder that they are imported from, so it is installed into such a folder."""

_DRAWN = 340
"""Of these objects about a tenth is hidden by others, or too small."""


def take_clustering_turns(folder: Path, turns: int, threads: int) -> dict[str, Timing]:
    """Cluster drawn fields of some 300 objects on 512 x 512 pixels.

    Ours are whole files without normalisation, from the fields to the label map; EmbedSeg's is its clustering alone.

    Args:
        folder: to write our files to; it is made.
        turns: counted runs of each program, after those that warm it up.
        threads: of each program.

    Returns:
        By program; one whose instances or pixels are not EmbedSeg's has an error instead of a result.

    Raises:
        ImportError: EmbedSeg is not installed.
    """
    from EmbedSeg.utils.utils import Cluster

    folder.mkdir()
    checkpoint = fields_checkpoint(2)
    write_both(checkpoint, build_forward(checkpoint, {"normalize": "never"}), folder)
    image = drawn_fields((512, 512), _DRAWN, 14)
    fields = torch.from_numpy(image[0])
    cluster = Cluster(1024, 1024, 1, 1, "cpu")
    torchscript, onnx = TorchScriptModel(folder), OnnxModel(folder, threads=threads)
    programs: dict[str, Callable[[], np.ndarray]] = {
        EMBEDSEG: lambda: np.asarray(cluster.cluster(fields, n_sigma=2, min_object_size=36)),
        TORCHSCRIPT: lambda: torchscript(image)[0, 0],
        ONNX: lambda: onnx(image)[0, 0],
    }
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        labels = {title: [program() for _ in range(WARM_UP)][-1] for title, program in programs.items()}
        timings = {title: Timing(objects=len(np.unique(found)) - 1) for title, found in labels.items()}
        for title, found in labels.items():
            if agreement(found, labels[EMBEDSEG]) != (1.0, 1.0):
                timings[title].error = "its instances are not those of EmbedSeg"
        for _ in range(turns):
            for title, program in programs.items():
                start = time.perf_counter()
                program()
                timings[title].seconds.append(time.perf_counter() - start)
    finally:
        torch.set_num_threads(before)
    return timings
