"""The static form of the forward finds what the forward finds, in PyTorch and in its files, or says why it cannot."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import tifffile
import torch
from torch import Tensor

from instanseg_export import (
    ExportOptions,
    RunOptions,
    bench,
    build_forward,
    export,
    inspect,
    load_checkpoint,
    read_image,
    run,
    validate,
)
from instanseg_export.api.inspect import CheckpointFacts, ModelFacts
from instanseg_export.checkpoints import Checkpoint
from instanseg_export.errors import ExportError, ImageError, SettingError
from instanseg_export.families.base import SegmentationForward
from instanseg_export.images.named import NamedImage
from instanseg_export.images.synthetic import draw_nuclei
from instanseg_export.targets import require_metadata, write_artifact
from instanseg_export.targets.static import StaticShape
from support.embedseg_runs import write_embedseg_run
from support.paths import DEMO, DEMO_IMAGES, VARIANTS
from support.two_stage_models import classified_recipe

SIZE, SEEDS = 160, 256
NO_LOOPS = {"Loop", "Scan", "If", "NonZero", "Compress", "Unique"}
"""Operators whose results have sizes that depend on values, or that repeat a graph."""


def real_image(shared: Path, name: str, channels: int) -> np.ndarray:
    """A piece (1, C, 160, 160) of one of upstream's example images."""
    array = read_image(shared / "data/examples" / name).array[:, 100 : 100 + SIZE, 200 : 200 + SIZE]
    array = np.concatenate([array] * channels)[:channels]
    return np.ascontiguousarray(array[None], dtype=np.float32)


def check(forward: SegmentationForward, image: np.ndarray, seeds: int = SEEDS) -> Tensor:
    """Compare the static form with the forward; return the labels."""
    height, width = image.shape[2:]
    before = image.copy()
    with torch.inference_mode():
        expected: Tensor = forward(torch.from_numpy(image))
        labels, count, incomplete = forward.static_form(height, width, seeds)(torch.from_numpy(image))
        assert incomplete.tolist() == [0]
        assert count.item() == len(forward.stages(torch.from_numpy(image))["seeds"])
    assert torch.equal(labels, expected)
    np.testing.assert_array_equal(image, before)
    return expected


@pytest.mark.parametrize("name", ["Fluorescence_example.tif", "HE_example.tif"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_genuine_networks_on_real_images(shared: Path, variant: str, name: str) -> None:
    forward = build_forward(load_checkpoint(shared / "checkpoints" / variant))
    found = check(forward, real_image(shared, name, forward.channels or 3)).max()
    # The last network was trained too little to find anything in stained tissue.
    assert found > 3 or (variant, name) == (VARIANTS[-1], "HE_example.tif")


@pytest.mark.parametrize(
    "settings",
    [
        {"connected": False},
        {"cleanup_fragments": False},
        {"resolve_cell_and_nucleus": False},
        {"target_segmentation": "0 1"},
        {"peak_distance": 2, "overlap_threshold": 0.1, "min_size": 40, "mask_threshold": 0.4, "seed_threshold": 0.5},
        {"window_size": 60, "normalize": "always"},
    ],
    ids=str,
)
def test_baked_settings_hold(shared: Path, settings: dict[str, Any]) -> None:
    forward = build_forward(load_checkpoint(shared / "checkpoints/nuclei_cells_channelnet"), settings)
    image = real_image(shared, "Fluorescence_example.tif", 3)[:, :, :96, :96]
    assert check(forward, np.ascontiguousarray(image)).max() > 3


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (70, 1), (31, 33), (64, 40), (65, 65)], ids=str)
def test_odd_sizes_and_odd_numbers(shape: tuple[int, int]) -> None:
    forward = build_forward(load_checkpoint(DEMO))
    image = np.random.default_rng(0).normal(100, 60, (1, 3, *shape)).astype(np.float32)
    check(forward, image)
    image[:, :, ::3, ::2] = np.nan
    image[:, 0, ::2] = np.inf
    check(forward, image)


@pytest.mark.parametrize("seeds", [1, 3])
def test_more_seeds_than_there_is_room_for_are_told(shared: Path, seeds: int) -> None:
    forward = build_forward(load_checkpoint(DEMO))
    image = torch.from_numpy(real_image(shared, "HE_example.tif", 3))
    with torch.inference_mode():
        found = len(forward.stages(image)["seeds"])
        _, count, incomplete = forward.static_form(SIZE, SIZE, seeds)(image)
        _, _, just_complete = forward.static_form(SIZE, SIZE, found)(image)
    assert (count.item(), incomplete.item(), just_complete.item()) == (found, 1, 0)


def test_a_static_onnx_file_finds_what_the_forward_finds(demo_static: Path, shared: Path) -> None:
    forward = build_forward(load_checkpoint(DEMO))
    session = onnxruntime.InferenceSession(str(demo_static), providers=["CPUExecutionProvider"])
    for name in ("Fluorescence_example.tif", "HE_example.tif"):
        image = np.ascontiguousarray(real_image(shared, name, 3)[:, :, :96, :128])
        labels, count, incomplete = session.run(None, {"image": image})
        assert incomplete.tolist() == [0]
        assert 0 < count.item() <= 40
        np.testing.assert_array_equal(labels, forward(torch.from_numpy(image)).numpy())


def test_a_static_onnx_file_has_fixed_sizes_and_no_loops_and_stores_no_index(demo_static: Path) -> None:
    model = onnx.shape_inference.infer_shapes(onnx.load(demo_static), strict_mode=True)
    assert not NO_LOOPS & {node.op_type for node in model.graph.node}
    values = [*model.graph.input, *model.graph.value_info, *model.graph.output]
    assert len(values) > 500
    for value in values:
        assert all(size.HasField("dim_value") for size in value.type.tensor_type.shape.dim), value.name
    weights = sum(tensor.numel() for tensor in load_checkpoint(DEMO).network.state_dict().values())
    assert sum(np.prod(tensor.dims) for tensor in model.graph.initializer) < 1.2 * weights
    metadata = require_metadata(demo_static)
    assert (metadata.image_shape, metadata.seed_capacity) == ((1, 3, 96, 128), 40)


def test_run_takes_the_size_and_refuses_what_has_no_room(demo_static: Path, shared: Path, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="takes images of 1 x 3 x 96 x 128 only"):
        run(demo_static, DEMO_IMAGES / "histology.png", output=tmp_path / "a")
    image, options = DEMO_IMAGES / "histology.png", RunOptions(region=(0, 0, 128, 96), pixel_size=0.5)
    assert run(demo_static, image, replace(options, output=tmp_path / "b")).found[0].instances > 3
    crowded = tmp_path / "crowded.tif"
    tifffile.imwrite(
        crowded, draw_nuclei(1, 3, 96, 128).astype(np.uint8), photometric="minisblack", metadata={"axes": "CYX"}
    )
    with pytest.raises(ImageError, match=r"has \d+ seeds, more than the file has room for") as caught:
        run(demo_static, crowded, replace(options, output=tmp_path / "c", region=None))
    assert "--static-seeds" in (caught.value.hint or "")
    assert not (tmp_path / "c").exists()


def test_other_sizes_are_rows_that_were_not_run(demo_static: Path) -> None:
    """In a benchmark and in a report, whose words name no place where a file lies."""
    generator = np.random.default_rng(0)
    images = [
        NamedImage(f"{height} x {width}", generator.uniform(0, 255, (3, height, width)).astype(np.float32))
        for height, width in ((96, 128), (64, 64))
    ]
    measured = bench(demo_static, images=images, turns=1, runtimes=["onnxruntime_static"])
    report = validate(demo_static, images=images, runtimes=["onnxruntime_static", "torchscript"])
    found = {row.image: (row.status, row.why) for row in measured.rows}
    takes = f"{demo_static.name} takes images of 1 x 3 x 96 x 128 only (batch, channels, sizes)"
    why = f"{takes}, and the image has 1 x 3 x 64 x 64"
    assert found["96 x 128"][0] == "measured"
    assert found["64 x 64"] == ("not run", why)
    assert next((one.status, one.why) for one in report.results if one.image == "64 x 64") == ("not run", why)
    assert str(demo_static.parent) not in report.model_dump_json()


def test_inspect_says_the_size_and_the_room(demo_static: Path) -> None:
    facts = inspect(demo_static)
    assert isinstance(facts, ModelFacts)
    assert (facts.image_shape, facts.seed_capacity) == ((1, 3, 96, 128), 40)
    assert ("image size", "96 x 128 only, with room for 40 seeds; all settings are fixed") in facts.rows()


def test_inspect_lists_the_formats_that_the_network_can_have(tmp_path: Path) -> None:
    demo, embedseg = inspect(DEMO), inspect(write_embedseg_run(tmp_path / "run", 2))
    assert isinstance(demo, CheckpointFacts)
    assert isinstance(embedseg, CheckpointFacts)
    assert "onnx_static" in demo.exports_to
    assert "onnx_static" not in embedseg.exports_to
    assert "onnx" in embedseg.exports_to


def test_an_export_refuses_before_it_writes_anything(tmp_path: Path) -> None:
    told: list[str] = []
    run_folder = write_embedseg_run(tmp_path / "run", 2)
    options = ExportOptions(targets=["torchscript", "onnx_static"], output=tmp_path / "out")
    with pytest.raises(ExportError, match="fixed sizes"):
        export(run_folder, options, progress=lambda what, done, total: told.append(what))
    assert not [what for what in told if what.startswith("writing")]
    with pytest.raises(SettingError, match="takes 3 channels, not 2"):
        export(DEMO, replace(options, static_channels=2))
    with pytest.raises(ExportError, match="takes too much memory"):
        export(DEMO, replace(options, static_seeds=8192, settings={"window_size": 100}))
    assert not (tmp_path / "out").exists()


def _checkpoint(kind: str, folder: Path) -> tuple[Checkpoint, dict[str, Any]]:
    if kind == "classified":
        pytest.importorskip("torchvision")
        return load_checkpoint(classified_recipe(folder)), {}
    if kind == "embedseg":
        return load_checkpoint(write_embedseg_run(folder / "run", 2)), {}
    return load_checkpoint(DEMO), {"tta": True}


@pytest.mark.parametrize("kind", ["classified", "embedseg", "tta"])
def test_what_has_no_static_form_is_refused_in_words(kind: str, tmp_path: Path) -> None:
    checkpoint, settings = _checkpoint(kind, tmp_path)
    with pytest.raises(ExportError, match="fixed sizes") as caught:
        write_artifact("onnx_static", build_forward(checkpoint, settings), checkpoint, tmp_path / "model_static.onnx")
    assert caught.value.hint
    assert not (tmp_path / "model_static.onnx").exists()


def test_a_network_of_any_number_of_channels_asks_for_one(shared: Path, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(shared / "checkpoints/nuclei_cells_channelnet")
    with pytest.raises(SettingError, match="any number of channels") as caught:
        write_artifact("onnx_static", build_forward(checkpoint), checkpoint, tmp_path / "model_static.onnx")
    assert "--static-channels" in (caught.value.hint or "")


@pytest.mark.parametrize("wrong", [(0, 5, 5), (5, 5000, 5), (5, 5, 0), (5, 5, 10**6)], ids=str)
def test_shapes_out_of_range_are_refused(wrong: tuple[int, int, int]) -> None:
    with pytest.raises(SettingError, match="out of range"):
        StaticShape(*wrong)
