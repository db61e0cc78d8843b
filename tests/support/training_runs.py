"""Makes training runs of small InstanSeg networks with random weights, in the form that upstream's training leaves."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from instanseg_export.checkpoints import Checkpoint
from instanseg_export.families.instanseg.network import InstanSegNetwork
from instanseg_export.families.instanseg.spec import ChannelNetSpec, InstanSegSpec, UNetSpec


def small_spec(**changes: Any) -> InstanSegSpec:
    """A description of a small network for nuclei in three channels."""
    fields: dict[str, Any] = {
        "name": "small",
        "structures": ("nuclei",),
        "channels": 3,
        "backbone": UNetSpec(in_channels=3, layers=(4, 6, 8), norm="batch", heads=((2, 2, 1),)),
        "dim_coords": 2,
        "n_sigma": 2,
        "dim_seeds": 1,
        "mlp_width": 5,
    }
    return InstanSegSpec(**{**fields, **changes})


def instanseg_spec(checkpoint: Checkpoint) -> InstanSegSpec:
    """Return a checkpoint's description, which is an InstanSeg's."""
    assert isinstance(checkpoint.spec, InstanSegSpec)
    return checkpoint.spec


def channel_net_spec(aggregation: Any = "concat", norm: Any = "instance") -> InstanSegSpec:
    """A description of a small network for nuclei and cells in any number of channels."""
    return small_spec(
        structures=("nuclei", "cells"),
        channels=None,
        backbone=UNetSpec(in_channels=3, layers=(4, 6, 8), norm=norm, heads=((2, 2, 1, 2, 2, 1),)),
        adaptor=ChannelNetSpec(out_channels=3, layers=(4, 6, 8), norm=norm, aggregation=aggregation),
    )


def random_network(spec: InstanSegSpec, seed: int = 0) -> InstanSegNetwork:
    """A network whose every number is random, running statistics included."""
    network = InstanSegNetwork(spec)
    randomise(network, seed)
    return network.eval().requires_grad_(False)


def randomise(network: torch.nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point():
            noise = torch.randn(tensor.shape, generator=generator)
            scale = 1 / max(1, tensor[0].numel()) ** 0.5 if tensor.ndim > 1 else 0.2
            tensor.copy_(noise.abs() + 0.5 if name.endswith(("running_var", ".1.weight")) else noise * scale)


def upstream_state(network: InstanSegNetwork) -> dict[str, Tensor]:
    """The network's weights under the names that upstream's training gives them."""
    wrapped = any(name.startswith("adaptor.") for name in network.state_dict())
    state = {}
    for name, tensor in network.state_dict().items():
        plain = name.removeprefix("backbone.").replace("adaptor.", "AdaptorNet.", 1)
        state[f"model.{plain}" if wrapped else plain] = tensor.clone()
    return state


def log_of(spec: InstanSegSpec) -> dict[str, Any]:
    """The lines of experiment_log.csv that describe a network."""
    norms = {"batch": "BATCH", "instance": "INSTANCE", "none": ""}
    both = len(spec.structures) == 2
    adaptor = spec.adaptor.aggregation if isinstance(spec.adaptor, ChannelNetSpec) else ""
    return {
        "model_str": "InstanSeg_UNet",
        "experiment_str": spec.name,
        "source_dataset": "['first', 'second']",
        "target_segmentation": "NC" if both else spec.structures[0][0].upper(),
        "cells_and_nuclei": both,
        "requested_pixel_size": 0.5,
        "dim_in": spec.backbone.in_channels,
        "dim_out": spec.backbone.out_channels,
        "dim_coords": spec.dim_coords,
        "n_sigma": spec.n_sigma,
        "dim_seeds": spec.dim_seeds,
        "layers": str(list(getattr(spec.backbone, "layers", (32, 64, 128, 256)))),
        "norm": norms[getattr(spec.backbone, "norm", "batch")],
        "multihead": len(spec.backbone.heads) > 1,
        "channel_invariant": spec.channels is None,
        "adaptor_net_str": "1_ablated" if adaptor == "no_aggregation" else "1",
        "mlp_width": spec.mlp_width,
        "feature_engineering": spec.feature_engineering,
        "dropprob": 0.0,
    }


def write_log(folder: Path, rows: Mapping[str, Any]) -> Path:
    path = folder / "experiment_log.csv"
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows(rows.items())
    return path


def write_run(
    folder: Path,
    spec: InstanSegSpec | None = None,
    *,
    state: Mapping[str, Any] | None = None,
    log: Mapping[str, Any] | None = None,
) -> Path:
    """Write a run folder; without arguments, of the small network with matching log."""
    spec = spec or small_spec()
    folder.mkdir(parents=True, exist_ok=True)
    weights = upstream_state(random_network(spec)) if state is None else dict(state)
    content: dict[str, Any] = {"model_state_dict": weights, "optimizer_state_dict": {"state": {}}}
    torch.save({"f1_score": 0.5, "epoch": 3, **content}, folder / "model_weights.pth")
    write_log(folder, log_of(spec) if log is None else log)
    return folder
