"""Makes small InstanSeg networks with SAM's image encoder, and their training runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from instanseg_export.families.instanseg.backbone_spec import CellposeSamSpec, CellSamSpec, SamEncoderSpec, SamUNetSpec
from instanseg_export.families.instanseg.network import InstanSegNetwork
from instanseg_export.families.instanseg.spec import InstanSegSpec
from support.training_runs import log_of, random_network, small_spec, write_run

__all__ = ["KINDS", "encoder", "sam_log", "sam_network", "sam_run", "sam_spec", "smooth_image", "upstream_sam_state"]

KINDS = ("sam_unet", "cellposesam", "cellsam")


def encoder(**changes: Any) -> SamEncoderSpec:
    fields: dict[str, Any] = {"in_channels": 3, "patch": 4, "grid": 8, "width": 16, "head_width": 8}
    fields |= {"mlp_width": 32, "neck": 8, "attention_windows": (0, 0)}
    return SamEncoderSpec(**{**fields, **changes})


def sam_spec(kind: str, **changes: Any) -> InstanSegSpec:
    """A description of a small network that sees tiles of 64 (sam_unet), 32 (cellposesam) or 24 pixels (cellsam)."""
    backbone: Any
    if kind == "sam_unet":
        heads = ((2, 2, 1),) * len(changes.get("structures", ("nuclei",)))
        vit = encoder(in_channels=8)
        backbone = SamUNetSpec(in_channels=3, layers=(6, 8), norm="instance", heads=heads, vit=vit)
    elif kind == "cellposesam":
        backbone = CellposeSamSpec(heads=((5,),), vit=encoder())
    else:
        vit = encoder(attention_windows=(3, 0))
        backbone = CellSamSpec(heads=((5,),), hidden=6, window=24, vit=vit)
    return small_spec(**{"backbone": backbone, **changes})


def smooth_image(batch: int, channels: int, height: int, width: int, seed: int = 0) -> Tensor:
    """Blobs of some ten pixels in the range of normalised images."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(batch, channels, height // 8 + 2, width // 8 + 2, generator=generator)
    smooth = nn.functional.interpolate(coarse, (height, width), mode="bicubic")
    return (smooth + 0.05 * torch.rand(batch, channels, height, width, generator=generator)).clamp(0, 1)


def sam_network(spec: InstanSegSpec, seed: int = 0) -> InstanSegNetwork:
    """A network with random weights whose last layers are scaled so that it finds objects."""
    network = random_network(spec, seed)
    tile = network.window
    features = network(smooth_image(4 if tile <= 64 else 1, spec.channels or 3, tile, tile, seed=9))
    wanted = [(0.0, 0.5)] * spec.dim_coords + [(0.0, 1.0)] * spec.n_sigma + [(0.0, 4.0)]
    for channel, (weight, bias) in enumerate(_outputs(network.backbone)):
        mean, spread = wanted[channel % len(wanted)]
        factor = spread / features[:, channel].std()
        weight.mul_(factor)
        bias.copy_((bias - features[:, channel].mean()) * factor + mean)
    _round_masks(network.pixel_classifier)
    return network


def _outputs(backbone: Any) -> list[tuple[Tensor, Tensor]]:
    """Weight and bias of the last layer, for each channel of the output."""
    if hasattr(backbone, "decoders"):
        blocks = [block[0] for decoder in backbone.decoders for block in decoder.final_block]
        return [(block.weight[c], block.bias[c]) for block in blocks for c in range(len(block.bias))]
    if hasattr(backbone, "out"):
        pixels = backbone.patch**2
        rows = [slice(first, first + pixels) for first in range(0, len(backbone.out.bias), pixels)]
        return [(backbone.out.weight[row], backbone.out.bias[row]) for row in rows]
    last = backbone.mask_decoder[5]
    return [(last.weight[:, c], last.bias[c]) for c in range(len(last.bias))]


def _round_masks(classifier: Any) -> None:
    """Make the classifier's answer fall with the distance between embeddings."""
    for layer in (classifier.fc1, classifier.fc2, classifier.fc3):
        layer.weight.mul_(0.05)
        layer.bias.mul_(0.05)
    for unit, (axis, sign) in enumerate([(0, 1.0), (0, -1.0), (1, 1.0), (1, -1.0)]):
        classifier.fc1.weight[unit, axis] += sign
        classifier.fc2.weight[unit, unit] += 1.0
        classifier.fc3.weight[0, unit] -= 1.0
    classifier.fc3.bias += 0.9


def upstream_sam_state(network: InstanSegNetwork, kind: str) -> dict[str, Tensor]:
    """The weights under the names, and with the additions, of upstream's training."""
    place = {"sam_unet": "vit_model.model.", "cellposesam": "model.", "cellsam": "model."}[kind]
    state = {}
    for name, tensor in network.state_dict().items():
        plain = name.removeprefix("backbone.")
        if kind == "sam_unet":
            plain = plain.replace("vit.", place, 1)
        elif not plain.startswith("pixel_classifier."):
            plain = place + plain
        state[plain] = tensor.clone()
    if kind != "cellsam":
        out = state[f"{place}out.weight"]
        patch = state[f"{place}encoder.patch_embed.proj.weight"].shape[-1]
        state[f"{place}W2"] = torch.eye(len(out)).view(len(out), -1, patch, patch)
        state[f"{place}diam_labels"] = torch.tensor([30.0])
    return state


def sam_log(spec: InstanSegSpec, kind: str) -> dict[str, Any]:
    """The log of such a run; where there is no U-Net, its layers and norm stand there all the same."""
    return {**log_of(spec), "model_str": kind, "tile_size": spec.backbone.window}


def sam_run(folder: Path, kind: str, **changes: Any) -> tuple[Path, InstanSegNetwork]:
    """Write a run folder, and return the network that is in it."""
    spec = sam_spec(kind, **changes)
    network = sam_network(spec)
    return write_run(folder, spec, state=upstream_sam_state(network, kind), log=sam_log(spec, kind)), network
