"""Labels against upstream's own package, live: random weights of every variant, through a run folder and our reader.

Upstream's flood stops after 64 steps, it ignores min_size and leaves instances in pieces: the masks here are round,
min_size is 0, and connected is off.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from instanseg_export import build_forward, load_checkpoint

pytest.importorskip("instanseg", reason="needs upstream's package: pip install '.[peer]'")

from support.training_runs import instanseg_spec
from support.upstream_models import BASE, assert_same_instances, export, image_of, model_of, save_run

pytestmark = pytest.mark.peer

AS_UPSTREAM = {"min_size": 0, "connected": False}

VARIANTS: dict[str, dict[str, Any]] = {
    "batch norm": {},
    "instance norm": {"norm": "INSTANCE"},
    "no norm": {"norm": None, "layers": (8, 16)},
    "two structures": {"cells_and_nuclei": True},
    "two structures, multihead": {"cells_and_nuclei": True, "multihead": True, "norm": "INSTANCE"},
    "multihead, two seed channels": {"multihead": True, "dim_seeds": 2, "dim_coords": 4, "n_sigma": 3, "mlp_width": 10},
    "three coordinates, one sigma": {"dim_coords": 3, "n_sigma": 1},
    "two structures, two seed channels": {"cells_and_nuclei": True, "dim_seeds": 2},
    "narrow classifier": {"mlp_width": 4, "layers": (6, 8, 10, 12)},
    "norm of the difference": {"feature_engineering": "2"},
    "sigma ignored": {"feature_engineering": "3"},
    "feature engineering 7": {"feature_engineering": "7", "n_sigma": 3},
    "one channel": {"dim_in": 1},
    "ChannelNet": {"channel_invariant": True, "norm": "INSTANCE", "cells_and_nuclei": True},
}


Runs = Callable[[str], tuple[Any, Any, Path]]


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Give a variant's scripted forward of upstream's, an image, and the run folder."""
    made: dict[str, tuple[Any, Any, Path]] = {}

    def run(name: str) -> tuple[Any, Any, Path]:
        if name not in made:
            args = {**BASE, **VARIANTS[name]}
            image = image_of(args["dim_in"], 144, 160)
            model = model_of(args, image)
            made[name] = (export(model, args), image, save_run(model, args, tmp_path_factory.mktemp("run")))
        return made[name]

    return run


@pytest.mark.parametrize("name", VARIANTS)
def test_labels_equal_upstreams(upstream: Runs, name: str) -> None:
    theirs, image, folder = upstream(name)
    ours = build_forward(load_checkpoint(folder), AS_UPSTREAM)
    expected = theirs(image.clone())
    assert_same_instances(ours(image)[0].numpy(), expected[0].numpy(), at_least=10)


@pytest.mark.parametrize(
    "settings",
    [
        {"cleanup_fragments": False},
        {"peak_distance": 3, "seed_threshold": 0.75},
        {"mask_threshold": 0.4, "overlap_threshold": 0.1},
        {"window_size": 16},
        {"resolve_cell_and_nucleus": False, "fg_threshold": 0.8},
        {"target_segmentation": [0, 1]},
        {"target_segmentation": [1, 0]},
    ],
    ids=str,
)
def test_arguments_mean_what_they_mean_to_upstream(upstream: Runs, settings: dict[str, Any]) -> None:
    theirs, image, folder = upstream("two structures, two seed channels")
    ours = build_forward(load_checkpoint(folder))
    args = {name: torch.tensor(value) for name, value in settings.items()}
    expected = theirs(image.clone(), args)
    found = ours(image, {**args, "min_size": torch.tensor(0), "connected": torch.tensor(False)})
    assert_same_instances(found[0].numpy(), expected[0].numpy(), at_least=5)


@pytest.mark.parametrize("shape", [(131, 97), (64, 200)], ids=str)
def test_odd_sizes_and_batches(upstream: Runs, shape: tuple[int, int]) -> None:
    theirs, _, folder = upstream("batch norm")
    ours = build_forward(load_checkpoint(folder), AS_UPSTREAM)
    images = torch.cat([image_of(3, *shape, seed=seed) for seed in (1, 2)])
    expected, found = theirs(images.clone()), ours(images)
    for image in range(2):
        assert_same_instances(found[image].numpy(), expected[image].numpy(), at_least=3)


@pytest.mark.parametrize(
    "name", ["batch norm", "two structures, multihead", "multihead, two seed channels", "ChannelNet"]
)
def test_exported_file_of_upstream_goes_through_our_reader(upstream: Runs, tmp_path: Path, name: str) -> None:
    theirs, image, _ = upstream(name)
    path = tmp_path / "instanseg.pt"
    torch.jit.save(theirs, path)
    args = {**BASE, **VARIANTS[name]}
    checkpoint = load_checkpoint(path)
    spec = instanseg_spec(checkpoint)
    assert (spec.dim_coords, spec.dim_seeds) == (args["dim_coords"], args["dim_seeds"])
    assert (spec.channels is None) == args["channel_invariant"]
    ours = build_forward(checkpoint, AS_UPSTREAM)
    expected = torch.jit.load(path)(image.clone())
    assert_same_instances(ours(image)[0].numpy(), expected[0].numpy(), at_least=10)
