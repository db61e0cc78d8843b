"""``--spec key=value``: what the user says wins over the files, and never over the weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from instanseg_export.checkpoints import load_checkpoint
from instanseg_export.errors import SpecError
from support.training_runs import instanseg_spec, random_network, small_spec, upstream_state


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("name", "better name", "better name"),
        ("structures", "cells", ("cells",)),
        ("structures", "C", ("cells",)),
        ("pixel_size", "0.325", 0.325),
        ("pixel_size", "none", None),
        ("dim_coords", "2", 2),
        ("n_sigma", "2", 2),
        ("dim_seeds", "1", 1),
        ("channels", "3", 3),
        ("mlp_width", "5", 5),
        ("feature_engineering", "3", "3"),
        ("source_datasets", "one, two", ("one", "two")),
    ],
)
def test_overrides_win_over_the_log(run: Path, key: str, text: str, value: object) -> None:
    plain = load_checkpoint(run).spec
    assert load_checkpoint(run, spec={key: text}).spec == plain.model_copy(update={key: value})


def test_a_former_name_of_a_field_still_counts(run: Path) -> None:
    assert load_checkpoint(run, spec={"targets": "cells"}).spec.structures == ("cells",)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("channels", "4"),
        ("channels", "any"),
        ("dim_coords", "3"),
        ("n_sigma", "1"),
        ("dim_seeds", "2"),
        ("mlp_width", "6"),
        ("norm", "instance"),
        ("feature_engineering", "2"),
        ("structures", "nuclei,cells"),
    ],
)
def test_overrides_that_the_weights_contradict_are_refused(run: Path, key: str, text: str) -> None:
    with pytest.raises(SpecError, match=f"--spec {key}={text} says .* but the weights in .*model_weights.pth have"):
        load_checkpoint(run, spec={key: text})


@pytest.mark.parametrize(
    ("key", "guess"), [("pixelsize", "pixel_size"), ("dim_coord", "dim_coords"), ("Structures", "structures")]
)
def test_unknown_fields_suggest_the_closest(run: Path, key: str, guess: str) -> None:
    with pytest.raises(SpecError, match=f"no field '{key}'") as caught:
        load_checkpoint(run, spec={key: "1"})
    assert f"Did you mean '{guess}'?" in caught.value.hint


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("dim_coords", "two"),
        ("pixel_size", "-1"),
        ("pixel_size", "inf"),
        ("pixel_size", "small"),
        ("structures", "vessels"),
        ("structures", ""),
        ("feature_engineering", "5"),
        ("norm", "layer"),
        ("aggregation", "mean"),
        ("channels", "RGB"),
        ("name", " "),
    ],
)
def test_malformed_overrides_are_refused(run: Path, key: str, text: str) -> None:
    with pytest.raises(SpecError, match=f"--spec {key}={text} cannot be read"):
        load_checkpoint(run, spec={key: text})


def test_overrides_say_what_one_joint_output_block_does_not(tmp_path: Path) -> None:
    """Networks whose decoder ends in a single block have the same shapes for every split of its channels."""
    network = random_network(small_spec())
    state = {name: tensor for name, tensor in upstream_state(network).items() if "final_block" not in name}
    for kind in ("0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var"):
        parts = [network.state_dict()[f"backbone.decoders.0.final_block.{block}.{kind}"] for block in range(3)]
        state[f"decoders.0.final_block.0.{kind}"] = torch.cat(parts)
    torch.save(state, tmp_path / "joint.pth")
    with pytest.raises(SpecError, match="dim_coords, n_sigma, dim_seeds") as caught:
        load_checkpoint(tmp_path / "joint.pth")
    assert "--spec n_sigma=" in caught.value.hint
    split = {"dim_coords": "2", "n_sigma": "2", "dim_seeds": "1"}
    joint = load_checkpoint(tmp_path / "joint.pth", spec=split)
    assert instanseg_spec(joint).backbone.heads == ((5,),)
    image = torch.randn(1, 3, 32, 32)
    torch.testing.assert_close(joint.network(image), network(image))
    with pytest.raises(SpecError, match="give 5 in all"):
        load_checkpoint(tmp_path / "joint.pth", spec={**split, "n_sigma": "4"})
    with pytest.raises(SpecError, match="takes 4 features"):
        load_checkpoint(tmp_path / "joint.pth", spec={"dim_coords": "2", "n_sigma": "0", "dim_seeds": "3"})
