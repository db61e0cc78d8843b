"""Each setting has the effect that its name says: baked in, and overridden at run time in each format."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage

from instanseg_export import build_forward
from instanseg_export.errors import SettingError
from instanseg_export.families.outputs import label_map
from support.drawn_parts import in_one_piece, kept
from support.exported_models import MODELS
from support.synthetic import cells_image

Run = Callable[..., dict[str, np.ndarray]]


@pytest.fixture(scope="module")
def image(synthetic: Callable[..., Any]) -> np.ndarray:
    return cells_image(synthetic().checkpoint.spec, 130, 120, 21)


@pytest.fixture(params=[*MODELS, "baked"])
def run(request: pytest.FixtureRequest, synthetic: Callable[..., Any], image: np.ndarray) -> Run:
    """Give the stages under some settings: overridden in a file of each format, or baked into the forward."""
    model = synthetic()

    def stages(**settings: Any) -> dict[str, np.ndarray]:
        if request.param != "baked":
            found: dict[str, np.ndarray] = getattr(model, request.param).stages(image, **settings)
            return found
        with torch.inference_mode():
            forward = build_forward(model.checkpoint, settings)
            return {name: value.numpy() for name, value in forward.stages(torch.from_numpy(image)).items()}

    return stages


def scores(stages: dict[str, np.ndarray], channel: int) -> np.ndarray:
    """The network's output in a channel of each seed's structure."""
    planes, rows, columns = stages["seeds"].T
    values: np.ndarray = stages["network"][0, planes * 6 + channel, rows, columns]
    return values


def test_seed_threshold(run: Run) -> None:
    few, many = run(seed_threshold=0.8), run(seed_threshold=0.6)
    assert 0 < len(few["seeds"]) < len(many["seeds"])
    assert (scores(few, 4) / 15 + 0.5 > 0.8).all()
    assert {tuple(seed) for seed in few["seeds"]} <= {tuple(seed) for seed in many["seeds"]}


def test_fg_threshold(run: Run) -> None:
    strict, lenient = (1 / (1 + np.exp(-scores(run(fg_threshold=value), 5))) for value in (0.85, 0.2))
    assert len(strict) > 0
    assert strict.min() > 0.85 > lenient.min() > 0.2


def test_peak_distance(run: Run) -> None:
    counts = []
    for distance in (1, 4, 12):
        seeds = run(peak_distance=distance)["seeds"].astype(np.int64)
        apart = np.abs(seeds[:, None, 1:] - seeds[None, :, 1:]).max(axis=2) + 999 * (seeds[:, None, 0] != seeds[:, 0])
        np.fill_diagonal(apart, 999)
        assert apart.min() > distance
        counts.append(len(seeds))
    assert counts[0] > counts[1] > counts[2] > 1


def test_mask_threshold(run: Run) -> None:
    wide, narrow = run(mask_threshold=0.3)["cluster"], run(mask_threshold=0.6)["cluster"]
    assert wide.shape == narrow.shape
    assert (wide >= narrow).all()
    assert wide.sum() > 1.3 * narrow.sum() > 0


def test_overlap_threshold(run: Run) -> None:
    never, always = (run(overlap_threshold=value, min_size=0, connected=False)["labels"] for value in (1.0, 0.0))
    assert never.max() > always.max() > 0
    np.testing.assert_array_equal(never > 0, always > 0)


def test_min_size(run: Run) -> None:
    labels = run(min_size=80, resolve_cell_and_nucleus=False)["labels"][0]
    for structure in labels:
        areas = np.bincount(structure.astype(int).ravel())[1:]
        assert len(areas) > 0
        assert areas.min() >= 80
    assert run(min_size=0)["labels"].max() > labels.max()


def test_cleanup_fragments(run: Run) -> None:
    settings = {"overlap_threshold": 1.0, "mask_threshold": 0.4, "seed_threshold": 0.8, "peak_distance": 12}
    on, off = run(cleanup_fragments=True, **settings), run(cleanup_fragments=False, **settings)
    assert (on["cluster"] != off["cluster"]).any()
    eight = np.ones((3, 3))
    pieces = [
        ndimage.label(off["paint"][0, plane] == number + 1, eight)[1]
        for number, (plane, _, _) in enumerate(on["seeds"])
    ]
    assert max(pieces) > 1


@pytest.mark.parametrize("min_size", [0, 12, 70])
def test_connected(run: Run, min_size: int) -> None:
    apart = {"resolve_cell_and_nucleus": False, "overlap_threshold": 1.0}
    pieces = run(connected=False, min_size=0, **apart)["labels"][0]
    whole = run(connected=True, min_size=min_size, **apart)["labels"][0]
    assert not in_one_piece(pieces)
    for before, after in zip(pieces.astype(int), whole, strict=True):
        left = kept(before, min_size)
        # Ids close up, and keep their order.
        _, expected = np.unique(left, return_inverse=True)
        np.testing.assert_array_equal(after, expected.reshape(left.shape))


def test_connected_nuclei_stay_in_connected_cells(run: Run) -> None:
    loose = {"seed_threshold": 0.6, "mask_threshold": 0.35}
    assert not in_one_piece(run(connected=False, **loose)["labels"])
    labels = run(connected=True, **loose)["labels"][0]
    assert in_one_piece(labels)
    nuclei, cells = labels
    np.testing.assert_array_equal(cells[nuclei > 0], nuclei[nuclei > 0])
    np.testing.assert_array_equal(np.unique(labels), np.arange(labels.max() + 1))
    areas = np.bincount(cells.astype(int).ravel())[1:]
    assert areas.min() >= 10
    assert len(np.setdiff1d(cells, nuclei)) > 0, "no cell without a nucleus"
    apart = run(connected=True, resolve_cell_and_nucleus=False, **loose)["labels"][0]
    np.testing.assert_array_equal(nuclei > 0, apart[0] > 0)


def test_resolve_cell_and_nucleus(run: Run) -> None:
    apart = run(resolve_cell_and_nucleus=False)["labels"][0]
    together = run(resolve_cell_and_nucleus=True)["labels"][0]
    for structure in apart:
        ids = np.unique(structure)
        np.testing.assert_array_equal(ids, np.arange(len(ids)))
    nuclei, cells = together
    np.testing.assert_array_equal(cells[nuclei > 0], nuclei[nuclei > 0])
    assert (apart[1][nuclei > 0] != apart[0][nuclei > 0]).any()
    np.testing.assert_array_equal(nuclei > 0, apart[0] > 0)


@pytest.mark.parametrize(("number", "mode"), list(enumerate(("auto", "always", "never"))))
def test_normalize_is_a_number_at_run_time(
    synthetic: Callable[..., Any], image: np.ndarray, number: int, mode: str
) -> None:
    model = synthetic()
    baked = build_forward(model.checkpoint, {"normalize": mode})
    raw = image * 0.4 if mode == "always" else image * 10
    expected = baked.stages(torch.from_numpy(raw))["normalize"].numpy()
    for target in MODELS:
        np.testing.assert_array_equal(getattr(model, target).stages(raw, normalize=number)["normalize"], expected)
    assert (expected == raw.clip(-2, 3)).all() == (mode == "never")


@pytest.mark.parametrize("target", ["torchscript", "baked"])
def test_window_size_where_it_can_be_set(synthetic: Callable[..., Any], image: np.ndarray, target: str) -> None:
    model = synthetic()
    settings = {"window_size": 5, "mask_threshold": 0.2}
    if target == "baked":
        found = build_forward(model.checkpoint, settings).stages(torch.from_numpy(image))["cluster"].numpy()
    else:
        found = model.torchscript.stages(image, **settings)["cluster"]
    assert 0 < found.max() <= 100
    assert model.torchscript.stages(image, mask_threshold=0.2)["cluster"].max() > 100


@pytest.mark.parametrize("target", ["torchscript", "baked"])
def test_target_segmentation_picks_structures(synthetic: Callable[..., Any], image: np.ndarray, target: str) -> None:
    model = synthetic()
    both = model.torchscript(image, resolve_cell_and_nucleus=False)
    for place, flags in enumerate(([1, 0], [0, 1])):
        if target == "baked":
            forward = build_forward(model.checkpoint, {"target_segmentation": flags})
            labels = label_map(forward(torch.from_numpy(image))).numpy()
        else:
            labels = model.torchscript(image, target_segmentation=flags)
        np.testing.assert_array_equal(labels, both[:, place : place + 1])
    np.testing.assert_array_equal(model.torchscript(image, target_segmentation=[1, 1]), model.torchscript(image))


def test_choosing_no_structure_is_refused(synthetic: Callable[..., Any], image: np.ndarray) -> None:
    model = synthetic()
    with pytest.raises(torch.jit.Error, match="chooses no structure"):
        model.torchscript(image, target_segmentation=[0, 0])
    with pytest.raises(SettingError):
        build_forward(model.checkpoint, {"target_segmentation": [0, 0]})


def test_unknown_and_oddly_shaped_arguments_of_clients_are_taken(
    synthetic: Callable[..., Any], image: np.ndarray
) -> None:
    """QuPath sends names of its own and arrays of one element, of whatever type."""
    module = synthetic().torchscript.module
    expected = module(torch.from_numpy(image), {"min_size": torch.tensor(60), "cleanup_fragments": torch.tensor(False)})
    odd = {
        "min_size": torch.tensor([60.0], dtype=torch.float64),
        "cleanup_fragments": torch.tensor([[0]], dtype=torch.int32),
        "mean_threshold": torch.tensor(0.4),
        "None": torch.tensor([0]),
    }
    assert torch.equal(module(torch.from_numpy(image), odd), expected)


def test_checkpoints_settings_give_way_to_the_callers(synthetic: Callable[..., Any]) -> None:
    from dataclasses import replace

    checkpoint = synthetic().checkpoint
    tuned = replace(
        checkpoint, spec=checkpoint.spec.model_copy(update={"settings": {"min_size": 33, "peak_distance": 7}})
    )
    baked = build_forward(tuned, {"min_size": 44}).baked
    assert (baked["min_size"], baked["peak_distance"], baked["seed_threshold"]) == (44, 7, 0.7)


def test_settings_without_effect_are_not_offered(synthetic: Callable[..., Any]) -> None:
    everything = {setting.name for setting in synthetic().forward.settings}
    assert {"fg_threshold", "resolve_cell_and_nucleus", "target_segmentation"} <= everything
    from support.synthetic import synthetic_checkpoint

    plain = {setting.name for setting in build_forward(synthetic_checkpoint(("nuclei",), dim_seeds=1)).settings}
    assert everything - plain == {"fg_threshold", "resolve_cell_and_nucleus", "target_segmentation"}
