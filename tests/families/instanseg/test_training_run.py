"""Reading run folders: what the log says, what the weights say, and where the two disagree."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from instanseg_export.checkpoints import load_checkpoint
from instanseg_export.errors import CheckpointError, SpecError
from instanseg_export.families.instanseg.spec import ChannelNetSpec, UNetSpec
from support.training_runs import (
    channel_net_spec,
    instanseg_spec,
    log_of,
    random_network,
    small_spec,
    upstream_state,
    write_log,
    write_run,
)


def same_output(one: torch.nn.Module, other: torch.nn.Module, channels: int = 3) -> bool:
    image = torch.randn(1, channels, 32, 32)
    return torch.equal(one(image), other(image))


def test_a_run_folder_is_read_whole(run: Path) -> None:
    checkpoint = load_checkpoint(run)
    expected = small_spec(name="my_run", pixel_size=0.5, source_datasets=("first", "second"))
    assert checkpoint.spec == expected
    assert checkpoint.inferred == ()
    assert checkpoint.reader == "training-run"
    assert checkpoint.source == run / "model_weights.pth"
    assert checkpoint.sha256 == hashlib.sha256((run / "model_weights.pth").read_bytes()).hexdigest()
    assert not checkpoint.network.training
    assert not any(parameter.requires_grad for parameter in checkpoint.network.parameters())
    assert same_output(checkpoint.network, random_network(small_spec()))


def test_the_weights_may_be_named_instead_of_the_folder(run: Path) -> None:
    assert load_checkpoint(str(run / "model_weights.pth")).spec == load_checkpoint(run).spec


def test_without_a_log_everything_is_inferred_and_said(run: Path) -> None:
    stated = load_checkpoint(run).spec
    (run / "experiment_log.csv").unlink()
    checkpoint = load_checkpoint(run)
    assert checkpoint.spec == stated.model_copy(update={"pixel_size": None, "source_datasets": ()})
    said = " ".join(checkpoint.inferred)
    for field in ("layers", "norm", "channels", "dim_coords", "n_sigma", "dim_seeds", "mlp_width", "structures"):
        assert f"{field} is " in said
    assert "feature_engineering is 0" in said
    assert "engineering 3 has the same shapes" in said
    assert "pixel size is not stated" in said


@pytest.mark.parametrize("aggregation", ["concat", "sum", "no_aggregation"])
@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
def test_channel_net_is_recognised(tmp_path: Path, aggregation: Any, norm: Any) -> None:
    spec = channel_net_spec(aggregation, norm)
    log = log_of(spec) if aggregation != "sum" else {k: v for k, v in log_of(spec).items() if k != "adaptor_net_str"}
    checkpoint = load_checkpoint(write_run(tmp_path / "run", spec, log=log))
    assert checkpoint.spec.channels is None
    assert instanseg_spec(checkpoint).adaptor == ChannelNetSpec(
        out_channels=3, layers=(4, 6, 8), norm=norm, aggregation=aggregation
    )
    assert same_output(checkpoint.network, random_network(spec), channels=5)


def test_weights_that_upstream_saves_and_never_uses_are_no_surplus(tmp_path: Path) -> None:
    state = upstream_state(random_network(channel_net_spec()))
    state["model.AdaptorNet.upcat_1.reduce_block.0.weight"] = torch.zeros(4, 8, 3, 3)
    run = write_run(tmp_path / "run", channel_net_spec(), state=state)
    assert load_checkpoint(run).spec.channels is None


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "model."])
def test_wrappers_around_names_are_taken_off(tmp_path: Path, prefix: str) -> None:
    state = {prefix + name: tensor for name, tensor in upstream_state(random_network(small_spec())).items()}
    checkpoint = load_checkpoint(write_run(tmp_path / "run", state=state))
    assert same_output(checkpoint.network, random_network(small_spec()))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_float32(tmp_path: Path, dtype: torch.dtype) -> None:
    state = {
        name: tensor.to(dtype) if tensor.is_floating_point() else tensor
        for name, tensor in upstream_state(random_network(small_spec())).items()
    }
    network = load_checkpoint(write_run(tmp_path / "run", state=state)).network
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    weight = network.state_dict()["backbone.encoder.0.conv1.0.weight"]
    assert torch.equal(weight, state["encoder.0.conv1.0.weight"].to(torch.float32))


def test_legacy_files_and_bare_state_dicts_and_numpy_scores_are_read(tmp_path: Path) -> None:
    state = upstream_state(random_network(small_spec()))
    for name, content in {
        "bare": state,
        "wrapped": {"state_dict": state},
        "scored": {"f1_score": np.float64(0.5), "epoch": np.int64(3), "model_state_dict": state},
    }.items():
        for new in (True, False):
            path = tmp_path / f"{name}_{new}.pth"
            torch.save(content, path, _use_new_zipfile_serialization=new)
            checkpoint = load_checkpoint(path)
            assert checkpoint.spec.name == path.stem
            assert same_output(checkpoint.network, random_network(small_spec()))


def test_tuned_settings_become_defaults(run: Path) -> None:
    (run / "Results").mkdir()
    table = "mask_threshold,0.61\nseed_threshold,0.7\npeak_distance,6.83\nmean_threshold,0.2\n"
    (run / "Results" / "best_params.csv").write_text(table)
    checkpoint = load_checkpoint(run)
    assert checkpoint.spec.settings == {"mask_threshold": 0.61, "peak_distance": 6}
    assert len(checkpoint.inferred) == 1
    assert "mean_threshold" in checkpoint.inferred[0]


@pytest.mark.parametrize(("row", "fact"), [("mask_threshold,7", "mask_threshold"), ("peak_distance,x()", "number")])
def test_malformed_tuned_settings_are_refused(run: Path, row: str, fact: str) -> None:
    (run / "Results").mkdir()
    (run / "Results" / "best_params.csv").write_text(row)
    with pytest.raises(SpecError, match=r"best_params\.csv") as caught:
        load_checkpoint(run)
    assert fact in caught.value.message


@pytest.mark.parametrize(
    ("row", "weights_have"),
    [
        ({"dim_in": 4}, "3"),
        ({"dim_coords": 3}, "2"),
        ({"n_sigma": 1}, "2"),
        ({"dim_seeds": 2}, "1"),
        ({"dim_out": 10}, "5"),
        ({"layers": "[4, 6]"}, "4, 6, 8"),
        ({"norm": "INSTANCE"}, "batch"),
        ({"multihead": True}, "False"),
        ({"channel_invariant": True}, "no AdaptorNet"),
        ({"target_segmentation": "NC", "cells_and_nuclei": True}, "1"),
        ({"mlp_width": 10}, "5"),
        ({"feature_engineering": "2"}, "shapes of 0"),
        ({"feature_engineering": "10"}, "shapes of 0"),
    ],
)
def test_a_log_that_contradicts_the_weights_is_refused(run: Path, row: dict[str, Any], weights_have: str) -> None:
    write_log(run, {**log_of(small_spec()), **row})
    with pytest.raises(SpecError) as caught:
        load_checkpoint(run)
    field = list(row)[-1]
    assert f"({field})" in caught.value.message
    assert "experiment_log.csv, line " in caught.value.message
    assert "model_weights.pth have" in caught.value.message
    assert weights_have in caught.value.message.rpartition("model_weights.pth")[2]


def test_single_structure_logs_do_not_fit_weights_for_two(tmp_path: Path) -> None:
    spec = small_spec(
        structures=("nuclei", "cells"),
        backbone=UNetSpec(in_channels=3, layers=(4, 6, 8), norm="batch", heads=((2, 2, 1),) * 2),
    )
    log = {key: value for key, value in log_of(spec).items() if key != "target_segmentation"}
    run = write_run(tmp_path / "run", spec, log={**log, "cells_and_nuclei": False})
    with pytest.raises(SpecError, match="structure_count is 1, but the weights"):
        load_checkpoint(run)
    write_log(run, log)
    assert load_checkpoint(run).spec.structures == ("nuclei", "cells")


def test_cells_alone(run: Path) -> None:
    write_log(run, {**log_of(small_spec()), "target_segmentation": "C"})
    assert load_checkpoint(run).spec.structures == ("cells",)


@pytest.mark.parametrize("change", ["missing", "extra", "shape", "level", "block"])
def test_weights_that_do_not_fit_are_named(tmp_path: Path, change: str) -> None:
    state = upstream_state(random_network(small_spec()))
    if change == "missing":
        del state["encoder.1.conv3.1.running_mean"]
        named = "backbone.encoder.1.conv3.1.running_mean"
    elif change == "extra":
        state["encoder.1.attention.weight"] = torch.zeros(3)
        named = "backbone.encoder.1.attention.weight"
    elif change == "shape":
        state["decoders.0.decoder.0.conv2.0.weight"] = torch.zeros(6, 6, 5, 5)
        named = r"backbone.decoders.0.decoder.0.conv2.0.weight (6, 6, 5, 5) instead of (6, 6, 3, 3)"
    elif change == "level":
        del state["encoder.1.conv0.0.weight"]
        named = "backbone.encoder.1.conv0.0.weight"
    else:
        state = {name: tensor for name, tensor in state.items() if not name.startswith("pixel_classifier")}
        named = "pixel_classifier.fc1.weight"
    run = write_run(tmp_path / "run", state=state)
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(run)
    assert named in caught.value.message
    assert str(run) in caught.value.message


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_not_finite_are_refused(tmp_path: Path, value: float) -> None:
    state = upstream_state(random_network(small_spec()))
    state["encoder.2.conv1.0.weight"][0, 0, 0, 0] = value
    with pytest.raises(CheckpointError, match=r"encoder\.2\.conv1\.0\.weight contains NaN or infinite"):
        load_checkpoint(write_run(tmp_path / "run", state=state))


@pytest.mark.parametrize("value", [torch.ones(4, dtype=torch.int64), torch.ones(4).to_sparse(), 3, "text"])
def test_weights_that_are_no_dense_numbers_are_refused(tmp_path: Path, value: Any) -> None:
    state: dict[str, Any] = dict(upstream_state(random_network(small_spec())))
    state["encoder.0.conv0.0.bias"] = value
    with pytest.raises(CheckpointError, match=r"encoder\.0\.conv0\.0\.bias"):
        load_checkpoint(write_run(tmp_path / "run", state=state))


def test_guided_classifiers_need_the_waves_that_upstream_loses(tmp_path: Path) -> None:
    spec = small_spec(feature_engineering="10")
    network = random_network(spec)
    complete = upstream_state(network)
    lost = {name: tensor for name, tensor in complete.items() if "positional" not in name}
    with pytest.raises(CheckpointError, match="positional_embedding_params") as caught:
        load_checkpoint(write_run(tmp_path / "lost", spec, state=lost))
    assert "feature engineering 10" in caught.value.message
    checkpoint = load_checkpoint(write_run(tmp_path / "complete", spec, state=complete))
    windows = torch.randn(2, 4, 20, 20)
    classifier = checkpoint.network.get_submodule("pixel_classifier")
    assert torch.equal(classifier(windows), network.pixel_classifier(windows))


@pytest.mark.parametrize("engineering", ["0", "2", "3", "7"])
def test_feature_engineering_of_the_log(tmp_path: Path, engineering: str) -> None:
    spec = small_spec(feature_engineering=engineering)
    run = write_run(tmp_path / "run", spec)
    assert instanseg_spec(load_checkpoint(run)).feature_engineering == engineering
    (run / "experiment_log.csv").unlink()
    assert instanseg_spec(load_checkpoint(run)).feature_engineering == ("2" if engineering == "2" else "0")
    if engineering != "2":
        given = load_checkpoint(run, spec={"feature_engineering": engineering})
        assert instanseg_spec(given).feature_engineering == engineering


def test_genuine_runs_are_read_as_they_were_trained(shared: Path) -> None:
    folder = shared / "checkpoints"
    multihead = instanseg_spec(load_checkpoint(folder / "multihead_seeds2_coords4"))
    assert (multihead.dim_coords, multihead.n_sigma, multihead.dim_seeds, multihead.mlp_width) == (4, 3, 2, 10)
    assert isinstance(multihead.backbone, UNetSpec)
    assert multihead.backbone.heads == ((4,), (3,), (2,))
    assert multihead.backbone.norm == "none"
    nuclei = instanseg_spec(load_checkpoint(folder / "nuclei_batchnorm"))
    assert isinstance(nuclei.backbone, UNetSpec)
    assert nuclei.backbone.layers == (16, 32, 64, 128)
    assert (nuclei.name, nuclei.structures, nuclei.channels) == ("nuclei_batchnorm", ("nuclei",), 3)
    both = load_checkpoint(folder / "nuclei_cells_channelnet").spec
    assert (both.structures, both.channels, both.source_datasets) == (("nuclei", "cells"), None, ("dsb_2018",))


@pytest.mark.parametrize("variant", ["multihead_seeds2_coords4", "nuclei_batchnorm", "nuclei_cells_channelnet"])
def test_logs_of_genuine_runs_agree_with_what_is_inferred_without_them(
    shared: Path, tmp_path: Path, variant: str
) -> None:
    source = shared / "checkpoints" / variant
    (tmp_path / variant).mkdir()
    shutil.copy(source / "model_weights.pth", tmp_path / variant)
    alone, stated = load_checkpoint(tmp_path / variant), load_checkpoint(source)
    assert alone.spec == stated.spec.model_copy(update={"source_datasets": ()})
    assert len(alone.inferred) > len(stated.inferred)
