"""EmbedSeg's training runs: what is read from them, and each way in which they can be wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from instanseg_export import build_forward
from instanseg_export.checkpoints import load_checkpoint, save_checkpoint
from instanseg_export.errors import CheckpointError, SpecError
from instanseg_export.families.embedseg.spec import EmbedSeg3DSpec, EmbedSegSpec
from instanseg_export.targets import write_artifact
from support.embedseg_runs import PROPERTIES, embedseg_state, write_embedseg_run


def test_a_genuine_run(shared: Path) -> None:
    folder = shared / "checkpoints" / "embedseg_2d"
    checkpoint = load_checkpoint(folder)
    assert checkpoint.spec == EmbedSegSpec(
        name="embedseg_2d",
        channels=1,
        grid=(1024, 1024),
        extent=(1.0, 1.0),
        settings={"seed_threshold": 0.9, "fg_threshold": 0.5, "min_object_size": 36},
    )
    assert load_checkpoint(folder / "best_iou_model.pth").spec == checkpoint.spec


def test_an_image_run_as_the_notebooks_write_it(tmp_path: Path) -> None:
    spec = load_checkpoint(write_embedseg_run(tmp_path / "cells", state=embedseg_state(2, channels=3))).spec
    assert spec == EmbedSegSpec(
        name="cells", channels=3, grid=(640, 512), extent=(1.0, 1.0), settings={"min_object_size": 21}
    )


def test_a_volume_run_has_the_distance_of_slices_from_the_voxel_size(tmp_path: Path) -> None:
    spec = load_checkpoint(write_embedseg_run(tmp_path / "skull", 3)).spec
    assert isinstance(spec, EmbedSeg3DSpec)
    assert spec.dimensions == 3
    assert (spec.pixel_size, spec.slice_distance, spec.grid) == (0.073, 0.2, (512, 512, 128))
    # A step along z is a step along x times the anisotropy.
    steps = [extent / (grid - 1) for extent, grid in zip(spec.extent, spec.grid, strict=True)]
    assert steps[2] / steps[0] == pytest.approx(0.2 / 0.073)


@pytest.mark.parametrize(
    ("properties", "overrides"),
    [
        ({"grid_x": 64, "grid_y": 64, "grid_z": 16, "pixel_z": 0.5}, {}),
        ({"n_x": 64, "n_y": 64, "n_z": 16, "anisotropy_factor": 2.1}, {}),
        ({"n_x": 64, "n_y": 64, "n_z": 16}, {"anisotropy": "2.1"}),
        (False, {"grid": "64,64,16", "anisotropy": "2.1"}),
        (False, {"grid": "64 64 16", "extent": "1,1,0.5"}),
    ],
    ids=str,
)
def test_ways_to_state_the_grid_of_a_volume(tmp_path: Path, properties: Any, overrides: dict[str, str]) -> None:
    run = write_embedseg_run(tmp_path / "run", 3, properties=properties)
    spec = load_checkpoint(run, spec=overrides).spec
    assert isinstance(spec, EmbedSegSpec)
    assert spec.grid == (64, 64, 16)
    assert spec.extent == pytest.approx((1.0, 1.0, 0.5))


def test_fields_that_can_be_overridden(tmp_path: Path) -> None:
    run = write_embedseg_run(tmp_path / "run")
    spec = load_checkpoint(
        run, spec={"name": "worms", "structures": "worms", "pixel_size": "0.5", "grid": "99,98"}
    ).spec
    assert isinstance(spec, EmbedSegSpec)
    assert (spec.name, spec.structures, spec.pixel_size, spec.grid) == ("worms", ("worms",), 0.5, (99, 98))


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("axes", [2, 3])
def test_our_single_file_gives_the_same_network(tmp_path: Path, axes: int, suffix: str) -> None:
    checkpoint = load_checkpoint(write_embedseg_run(tmp_path / "run", axes))
    save_checkpoint(checkpoint, tmp_path / f"one{suffix}")
    again = load_checkpoint(tmp_path / f"one{suffix}")
    assert again.spec == checkpoint.spec
    image = torch.rand(1, 1, *[8, 16, 24][3 - axes :])
    with torch.inference_mode():
        assert torch.equal(again.network(image), checkpoint.network(image))


def test_an_exported_file_is_a_checkpoint_too(tmp_path: Path) -> None:
    checkpoint = load_checkpoint(write_embedseg_run(tmp_path / "run"))
    written = write_artifact("torchscript", build_forward(checkpoint), checkpoint, tmp_path / "instanseg.pt")
    again = load_checkpoint(written.path)
    assert again.spec == checkpoint.spec
    image = torch.rand(1, 1, 24, 16)
    with torch.inference_mode():
        torch.testing.assert_close(again.network(image), checkpoint.network(image), rtol=1e-4, atol=1e-4)


VOLUME = PROPERTIES[3]


@pytest.mark.parametrize(
    ("axes", "properties", "overrides", "message", "hint"),
    [
        (2, False, {}, "data_properties.json is not there", "--spec grid=1024,1024"),
        (2, {"n_x": 512}, {}, "does not state n_x, n_y", "--spec grid"),
        (2, "{", {}, "cannot be read", "Restore"),
        (2, "[]", {}, "no object", "Restore"),
        (2, {"n_x": "wide", "n_y": 1}, {}, "n_x is 'wide'", "Correct n_x"),
        (2, {"n_x": float("nan"), "n_y": 1}, {}, "n_x is nan", "Correct n_x"),
        (2, {"n_x": 1, "n_y": 1}, {}, "has no pixels", "--spec grid"),
        (2, {**PROPERTIES[2], "norm": "mean-std"}, {}, "'mean-std'", "min-max-percentile|default"),
        (2, {**PROPERTIES[2], "n_channels": 3}, {}, "n_channels 3, but the weights .* are for 1", "same training"),
        (2, {**PROPERTIES[2], "n_sigma": 3}, {}, "n_sigma 3", "same training"),
        (2, None, {"grid": "3"}, "--spec grid=3", "2 whole numbers, along x, y"),
        (2, None, {"extent": "1"}, "a number for each of 2 axes", "--spec"),
        (2, None, {"layers": "8"}, "no field 'layers'", "grid"),
        (3, False, {"grid": "64,64,16"}, "distance of their slices is unknown", "--spec anisotropy"),
        (3, {"n_x": 9, "n_y": 9, "n_z": 9, "pixel_size_x_microns": 1}, {}, "pixel_size_z_microns", "anisotropy"),
        (3, {k: v for k, v in VOLUME.items() if k != "n_z"}, {}, "does not state n_x, n_y, n_z", "1024,1024,32"),
        (3, None, {"anisotropy": "thick"}, "anisotropy=thick", "positive number"),
    ],
)
def test_wrong_or_missing_side_files(
    tmp_path: Path, axes: int, properties: Any, overrides: dict[str, str], message: str, hint: str
) -> None:
    run = write_embedseg_run(tmp_path / "run", axes, properties=properties)
    with pytest.raises(SpecError, match=message) as caught:
        load_checkpoint(run, spec=overrides)
    assert any(part in caught.value.hint for part in hint.split("|"))


@pytest.mark.parametrize("classes", [(6, 1), (4, 2), (4, 1, 3), (5,)])
def test_other_outputs_are_refused(tmp_path: Path, classes: tuple[int, ...]) -> None:
    run = write_embedseg_run(tmp_path / "run", state=embedseg_state(2, classes=classes))
    with pytest.raises(SpecError, match="EmbedSeg in 2D has") as caught:
        load_checkpoint(run)
    assert str(list(classes)) in caught.value.message


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    state = embedseg_state(2)
    del state["module.encoder.layers.3.conv1x3_2.weight"]
    with pytest.raises(CheckpointError, match=r"network of EmbedSeg: it lacks encoder\.4\.second\.2\.0\.weight"):
        load_checkpoint(write_embedseg_run(tmp_path / "lacking", state=state))
    state = embedseg_state(2)
    state["module.encoder.initial_block.conv.weight"][0] = torch.nan
    with pytest.raises(CheckpointError, match="NaN"):
        load_checkpoint(write_embedseg_run(tmp_path / "diverged", state=state))
