"""Writes upstream's own TorchScript file of a network: the peer of the benchmarks (extra ``peer``)."""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

from instanseg_export.checkpoints import Checkpoint
from instanseg_export.families.instanseg.network import InstanSegNetwork
from instanseg_export.families.instanseg.spec import InstanSegSpec
from support.training_runs import upstream_state, write_run

__all__ = ["script_upstream", "upstream_classifier", "upstream_network"]


def upstream_network(checkpoint: Checkpoint, folder: Path) -> nn.Module:
    """Rebuild the checkpoint's network from upstream's modules, through a run folder in ``folder``."""
    from instanseg.utils.model_loader import load_model

    assert isinstance(checkpoint.spec, InstanSegSpec)
    assert isinstance(checkpoint.network, InstanSegNetwork)
    run = write_run(folder / "run", checkpoint.spec, state=upstream_state(checkpoint.network))
    model: nn.Module
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        model, _ = load_model(folder=run.name, path=str(run.parent))
    return model


def upstream_classifier(classifier: Any) -> nn.Module:
    """Return upstream's pixel classifier with the weights of ours."""
    from instanseg.utils.loss.instanseg_loss import ProbabilityNet

    first = classifier.fc1
    theirs: nn.Module = ProbabilityNet(embedding_dim=first.in_features, width=first.out_features)
    theirs.load_state_dict(classifier.state_dict())
    return theirs.eval().requires_grad_(False)


def script_upstream(network: nn.Module, spec: InstanSegSpec, path: Path) -> Path:
    """Export a network as upstream does: its forward around it, scripted.

    Args:
        network: made of upstream's modules, or one that maps (B, C, H, W) to fields and owns a ``pixel_classifier``.
        spec: its description.
        path: the file to write.
    """
    from instanseg.utils.loss.instanseg_loss import InstanSeg_Torchscript

    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        peer = InstanSeg_Torchscript(
            network,
            cells_and_nuclei=len(spec.structures) == 2,
            pixel_size=spec.pixel_size or 0.5,
            n_sigma=spec.n_sigma,
            dim_coords=spec.dim_coords,
            dim_seeds=spec.dim_seeds,
            backbone_dim_in=spec.channels or 3,
        )
        torch.jit.script(peer).save(str(path))
    return path
