"""Training runs of networks with SAM's image encoder: what is read, what is concluded, and what is refused."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from instanseg_export import load_checkpoint
from instanseg_export.checkpoints import save_checkpoint
from instanseg_export.checkpoints.summary import summarise
from instanseg_export.errors import CheckpointError, SpecError
from support.sam_models import KINDS, sam_log, sam_run, sam_spec, smooth_image, upstream_sam_state
from support.training_runs import channel_net_spec, instanseg_spec, random_network, write_log, write_run

WINDOWS = {"sam_unet": 64, "cellposesam": 32, "cellsam": 24}


def changed(run: Path, **weights: Tensor | None) -> Path:
    """Replace (or, with None, remove) weights; ``__`` stands for a dot."""
    content = torch.load(run / "model_weights.pth")
    for name, tensor in weights.items():
        key = name.replace("__", ".")
        if tensor is None:
            del content["model_state_dict"][key]
        else:
            content["model_state_dict"][key] = tensor
    torch.save(content, run / "model_weights.pth")
    return run


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("with_log", [True, False], ids=["with log", "without log"])
def test_a_run_is_read_as_what_it_is(tmp_path: Path, kind: str, with_log: bool) -> None:
    run, network = sam_run(tmp_path / "run", kind)
    overrides = {}
    if not with_log:
        (run / "experiment_log.csv").unlink()
        if kind != "sam_unet":  # one block gives all channels
            overrides = {"dim_coords": "2", "n_sigma": "2", "dim_seeds": "1"}
        if kind == "cellsam":
            overrides["window"] = "24"
    checkpoint = load_checkpoint(run, spec=overrides)
    assert instanseg_spec(checkpoint).backbone == sam_spec(kind).backbone
    image = smooth_image(2, 3, WINDOWS[kind], WINDOWS[kind])
    assert torch.equal(checkpoint.network(image), network(image))


@pytest.mark.parametrize("form", ["checkpoint.pt", "checkpoint.safetensors"])
@pytest.mark.parametrize("kind", KINDS)
def test_our_own_file_brings_it_back(tmp_path: Path, kind: str, form: str) -> None:
    first = load_checkpoint(sam_run(tmp_path / "run", kind)[0])
    save_checkpoint(first, tmp_path / form)
    second = load_checkpoint(tmp_path / form)
    assert second.spec == first.spec
    image = smooth_image(1, 3, WINDOWS[kind], WINDOWS[kind])
    assert torch.equal(second.network(image), first.network(image))


def test_one_decoder_for_each_structure_whatever_multihead_says(tmp_path: Path) -> None:
    run, _ = sam_run(tmp_path / "run", "sam_unet", structures=("nuclei", "cells"))
    rows = {**sam_log(sam_spec("sam_unet", structures=("nuclei", "cells")), "sam_unet"), "multihead": False}
    write_log(run, rows)
    checkpoint = load_checkpoint(run)
    assert checkpoint.spec.structures == ("nuclei", "cells")
    assert instanseg_spec(checkpoint).backbone.heads == ((2, 2, 1), (2, 2, 1))


def test_behind_a_channelnet(tmp_path: Path) -> None:
    spec = channel_net_spec().model_copy(
        update={"backbone": sam_spec("cellposesam").backbone, "structures": ("nuclei",)}
    )
    network = random_network(spec)
    state = {}
    for name, tensor in upstream_sam_state(network, "cellposesam").items():
        adaptor = name.removeprefix("model.adaptor.")
        state[f"AdaptorNet.{adaptor}" if adaptor != name else f"model.{name}"] = tensor
    run = write_run(tmp_path / "run", spec, state=state, log=sam_log(spec, "cellposesam"))
    checkpoint = load_checkpoint(run)
    assert checkpoint.spec.channels is None
    image = smooth_image(1, 5, 32, 32)
    assert torch.equal(checkpoint.network(image), network(image))


@pytest.mark.parametrize("kind", ["sam_unet", "cellposesam"])
def test_a_readout_map_that_is_not_the_identity_counts(tmp_path: Path, kind: str) -> None:
    run, network = sam_run(tmp_path / "run", kind)
    place = "vit_model.model." if kind == "sam_unet" else "model."
    content = torch.load(run / "model_weights.pth")["model_state_dict"]
    shape = content[f"{place}W2"].shape
    w2 = torch.randn(shape, generator=torch.Generator().manual_seed(3))
    checkpoint = load_checkpoint(changed(run, **{f"{place}W2".replace(".", "__"): w2}))
    place = "backbone.vit" if kind == "sam_unet" else "backbone"
    readout: Any = network.get_submodule(place)
    found = checkpoint.network.get_submodule(place)
    image = torch.rand(1, 8 if kind == "sam_unet" else 3, 32, 32)
    expected = F.conv_transpose2d(readout.out(readout.encoder(image)), w2, stride=4)
    torch.testing.assert_close(found(image), expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


@pytest.mark.parametrize("rows", [27, 127])
def test_tables_of_positions_are_brought_to_the_grid(tmp_path: Path, rows: int) -> None:
    """A ramp stays a ramp: interpolation as of an image whose ends stay where they are."""
    run, _ = sam_run(tmp_path / "run", "cellposesam")
    ramp = ((torch.arange(rows) + 0.5) / rows)[:, None].expand(rows, 8).clone()
    checkpoint = load_checkpoint(changed(run, model__encoder__blocks__1__attn__rel_pos_h=ramp))
    table = checkpoint.network.get_parameter("backbone.encoder.blocks.1.attn.rel_pos_h")
    expected = ((torch.arange(15) + 0.5) / 15)[:, None].expand(15, 8)
    torch.testing.assert_close(table.detach(), expected, rtol=0, atol=1e-6)


def test_the_training_size_is_stated_or_assumed(tmp_path: Path) -> None:
    run, _ = sam_run(tmp_path / "run", "cellsam")
    assert instanseg_spec(load_checkpoint(run)).backbone.window == 24
    assert instanseg_spec(load_checkpoint(run, spec={"window": "96"})).backbone.window == 96
    save_checkpoint(load_checkpoint(run), tmp_path / "checkpoint.pt")
    again = load_checkpoint(tmp_path / "checkpoint.pt", spec={"window": "96"})
    assert instanseg_spec(again).backbone.window == 96
    log = dict(csv.reader((run / "experiment_log.csv").read_text().splitlines()))
    write_log(run, {name: value for name, value in log.items() if name != "tile_size"})
    checkpoint = load_checkpoint(run)
    assert instanseg_spec(checkpoint).backbone.window == 256
    assert any(sentence.startswith("window is 256") for sentence in checkpoint.inferred)


@pytest.mark.parametrize(
    ("kind", "log", "spec", "part"),
    [
        ("sam_unet", {"model_str": "cellposesam"}, {}, "model_str is cellposesam, but the weights .* have sam_unet"),
        ("cellposesam", {"model_str": "InstanSeg_UNet"}, {}, "have cellposesam"),
        ("sam_unet", {"tile_size": 128}, {}, "window is 128, but the weights .* have 64"),
        ("cellposesam", {}, {"window": "64"}, "window is 64, but the weights .* have 32"),
        ("cellsam", {}, {"window": "0"}, "expected are pixels"),
        ("sam_unet", {"layers": "[6, 9]"}, {}, "layers is 6, 9"),
        ("cellposesam", {"dim_out": 7}, {}, "dim_out is 7"),
    ],
    ids=str,
)
def test_contradictions_are_named(
    tmp_path: Path, kind: str, log: dict[str, Any], spec: dict[str, str], part: str
) -> None:
    run, _ = sam_run(tmp_path / "run", kind)
    write_log(run, {**sam_log(sam_spec(kind), kind), **log})
    with pytest.raises(SpecError, match=part) as caught:
        load_checkpoint(run, spec=spec)
    assert caught.value.hint


def test_a_u_net_has_no_window(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"window is 64, but the weights .* have no fixed size"):
        load_checkpoint(write_run(tmp_path / "run"), spec={"window": "64"})


@pytest.mark.parametrize(
    ("kind", "name", "shape", "part"),
    [
        ("cellposesam", "model__W2", (80, 4, 4, 4), "W2 has the shape"),
        ("cellposesam", "model__encoder__pos_embed", None, "lack backbone.encoder.pos_embed"),
        ("cellposesam", "model__out__bias", None, "lack backbone.out.bias"),
        ("cellsam", "model__image_encoder__blocks__0__attn__rel_pos_h", (6, 8), "do not fit a grid of 8"),
        ("cellsam", "model__image_encoder__blocks__0__attn__rel_pos_w", (7, 8), "wrong shape"),
        ("cellsam", "model__image_encoder__blocks__0__attn__rel_pos_h", (15, 5), "heads of 5"),
        ("sam_unet", "vit_model__model__encoder__blocks__1__mlp__lin2__bias", None, "lacks backbone.vit.encoder"),
        ("sam_unet", "vit_model__model__encoder__patch_embed__proj__weight", (16, 9, 4, 4), "9 channels"),
        ("sam_unet", "pixel_classifier__fc1__weight", None, "lack pixel_classifier.fc1.weight"),
    ],
    ids=str,
)
def test_damaged_weights_are_refused(
    tmp_path: Path, kind: str, name: str, shape: tuple[int, ...] | None, part: str
) -> None:
    run, _ = sam_run(tmp_path / "run", kind)
    with pytest.raises(CheckpointError, match=part) as caught:
        load_checkpoint(changed(run, **{name: None if shape is None else torch.zeros(shape)}))
    assert caught.value.hint


def test_parameters_and_cost(tmp_path: Path) -> None:
    """Against counts made by hand; the cost is that of a tile's pixels."""
    summary = summarise(load_checkpoint(sam_run(tmp_path / "run", "cellposesam")[0]))
    tokens, width, hidden, neck = 64, 16, 32, 8
    block = 4 * width * (width + 1) + 2 * 15 * 8 + 4 * width + 2 * width * hidden + width + hidden
    patches, positions = width * (3 * 16 + 1), tokens * width
    head = width * neck + 9 * neck * neck + 4 * neck + (neck + 1) * 80
    classifier = (4 * 5 + 5) + (5 * 5 + 5) + (5 + 1)
    assert summary.parameters == patches + positions + 2 * block + head + classifier
    per_token = 3 * 16 * width + 2 * (4 * width**2 + 2 * width * hidden + 2 * tokens * width + 2 * 8 * width)
    per_token += width * neck + 9 * neck**2 + neck * 80
    assert summary.gflop_per_megapixel == pytest.approx(2 * per_token * tokens / 32**2 * 1e6 / 1e9)
    assert summary.architecture == (
        "SAM ViT of 2 blocks and 16 channels, 8 x 8 tokens of 4 x 4, with Cellpose-SAM's readout"
    )
