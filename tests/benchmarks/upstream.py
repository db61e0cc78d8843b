"""Writes upstream's own TorchScript file of a checkpoint: the peer of the benchmarks (extra ``peer``)."""

from __future__ import annotations

import contextlib
import io
import sys
import warnings
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from training_runs import upstream_state, write_run

from instanseg_export.checkpoints import Checkpoint

__all__ = ["write_upstream"]


def write_upstream(checkpoint: Checkpoint, folder: Path) -> Path:
    """Rebuild the checkpoint's network from upstream's modules and export it as upstream does.

    Args:
        checkpoint: whose weights are taken.
        folder: where a run folder and ``upstream.pt`` are written.
    """
    from instanseg.utils.loss.instanseg_loss import InstanSeg_Torchscript
    from instanseg.utils.model_loader import load_model

    spec = checkpoint.spec
    run = write_run(folder / "run", spec, state=upstream_state(checkpoint.network))
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        model, _ = load_model(folder=run.name, path=str(run.parent))
        peer = InstanSeg_Torchscript(
            model,
            cells_and_nuclei=len(spec.targets) == 2,
            pixel_size=spec.pixel_size or 0.5,
            n_sigma=spec.n_sigma,
            dim_coords=spec.dim_coords,
            dim_seeds=spec.dim_seeds,
            backbone_dim_in=spec.channels or 3,
        )
        scripted = torch.jit.script(peer)
        scripted.save(str(folder / "upstream.pt"))
    return folder / "upstream.pt"
