"""The facts about a checkpoint, against counts made by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from instanseg_export.checkpoints import load_checkpoint
from instanseg_export.checkpoints.summary import summarise
from instanseg_export.families.instanseg.spec import UNetSpec
from support.training_runs import channel_net_spec, small_spec, write_run


def encoder_macs(inputs: int, outputs: int) -> int:
    return inputs * outputs * (1 + 9) + outputs * outputs * 27


def decoder_weights(coarse: int, fine: int) -> int:
    return coarse * fine * (1 + 9) + fine * fine * (1 + 27)


def decoder_macs(coarse: int, fine: int) -> float:
    # The shortcut from the coarser level has a quarter of the pixels.
    return coarse * fine * (1 / 4 + 9) + fine * fine * (1 + 27)


def test_parameters_and_cost_of_a_small_network(tmp_path: Path) -> None:
    spec = small_spec(
        backbone=UNetSpec(in_channels=3, layers=(4, 6), norm="none", heads=((2, 2, 1),)),
    )
    summary = summarise(load_checkpoint(write_run(tmp_path / "run", spec)))
    per_pixel = encoder_macs(3, 4) + encoder_macs(4, 6) / 4 + decoder_macs(6, 4) + 4 * 5
    assert summary.gflop_per_megapixel == pytest.approx(2 * per_pixel * 1e6 / 1e9)
    weights = encoder_macs(3, 4) + encoder_macs(4, 6) + decoder_weights(6, 4) + 4 * 5
    biases = 5 * 4 + 5 * 6 + 6 * 4 + 5
    classifier = (4 * 5 + 5) + (5 * 5 + 5) + (5 + 1)
    assert summary.parameters == weights + biases + classifier


def test_the_rest_is_taken_from_the_description(tmp_path: Path) -> None:
    checkpoint = load_checkpoint(write_run(tmp_path / "run", channel_net_spec()), spec={"name": "both"})
    summary = summarise(checkpoint)
    assert (summary.family, summary.name) == ("instanseg", "both")
    assert (summary.structures, summary.channels, summary.pixel_size) == (("nuclei", "cells"), None, 0.5)
    assert summary.architecture == "ChannelNet and U-Net 4 6 8, instance normalisation"
    assert (summary.sha256, summary.inferred) == (checkpoint.sha256, checkpoint.inferred)


def test_the_network_stays_where_it_is(tmp_path: Path) -> None:
    checkpoint = load_checkpoint(write_run(tmp_path / "run"))
    summarise(checkpoint)
    assert {parameter.device.type for parameter in checkpoint.network.parameters()} == {"cpu"}
