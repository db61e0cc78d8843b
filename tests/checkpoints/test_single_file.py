"""Our own checkpoint in one file: nothing is lost, the bytes repeat, damage is named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from instanseg_export.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from instanseg_export.errors import CheckpointError, OutputError, SpecError
from support.training_runs import channel_net_spec, small_spec, write_run

SUFFIXES = (".pt", ".safetensors")


def same_weights(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    first, second = one.state_dict(), other.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("spec", [small_spec(feature_engineering="3"), channel_net_spec("no_aggregation")])
def test_nothing_is_lost(tmp_path: Path, suffix: str, spec: Any) -> None:
    folder = write_run(tmp_path / "run", spec)
    (folder / "Results").mkdir()
    (folder / "Results" / "best_params.csv").write_text("seed_threshold,0.6\npeak_distance,7.0\n")
    original = load_checkpoint(folder)
    path = tmp_path / f"renamed{suffix}"
    save_checkpoint(original, path)
    copy = load_checkpoint(path)
    assert copy.spec == original.spec
    assert copy.spec.settings == {"seed_threshold": 0.6, "peak_distance": 7}
    assert copy.inferred == ()
    assert (copy.reader, copy.source) == ("single-file", path)
    assert same_weights(copy.network, original.network)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_checkpoint_gives_the_same_bytes(
    checkpoint: Checkpoint, run: Path, tmp_path: Path, suffix: str
) -> None:
    first, second, third = (tmp_path / folder / f"name{folder}{suffix}" for folder in "abc")
    save_checkpoint(checkpoint, first)
    save_checkpoint(load_checkpoint(run), second)
    save_checkpoint(load_checkpoint(first), third)
    assert first.read_bytes() == second.read_bytes() == third.read_bytes()


def test_the_file_holds_tensors_and_text_only(checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(checkpoint, path)
    content = torch.load(path, weights_only=True)
    assert sorted(content) == ["format", "spec", "version", "weights"]
    assert json.loads(content["spec"])["name"] == "my_run"
    numbers = sum(tensor.numel() for tensor in content["weights"].values())
    assert path.stat().st_size < 4 * numbers + 100_000


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_overrides_are_checked_against_the_weights(checkpoint: Checkpoint, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"checkpoint{suffix}"
    save_checkpoint(checkpoint, path)
    changed = load_checkpoint(path, spec={"pixel_size": "0.25", "name": "other"}).spec
    assert changed == checkpoint.spec.model_copy(update={"pixel_size": 0.25, "name": "other"})
    with pytest.raises(SpecError, match="--spec dim_seeds=2 says"):
        load_checkpoint(path, spec={"dim_seeds": "2"})


def test_existing_files_and_other_suffixes_are_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    path.write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        save_checkpoint(checkpoint, path)
    assert path.read_text() == "mine"
    with pytest.raises(OutputError, match="did not write it"):
        save_checkpoint(checkpoint, path, overwrite=True)
    assert path.read_text() == "mine"
    path.unlink()
    save_checkpoint(checkpoint, path)
    save_checkpoint(checkpoint, path, overwrite=True)
    assert load_checkpoint(path).spec == checkpoint.spec
    with pytest.raises(OutputError, match=r"checkpoint\.onnx"):
        save_checkpoint(checkpoint, tmp_path / "checkpoint.onnx")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["checkpoint.pt", "my_run"]


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        ({"version": 2}, "version 2 of the checkpoint format"),
        ({"format": "instanseg-export checkpoint, of sorts"}, "no checkpoint of this package"),
        ({"weights": [1]}, "weights or its description are missing"),
        ({"spec": "{"}, "its description is not valid JSON"),
        ({"spec": "[1, 2]"}, "description in .* is malformed"),
        ({"spec": None}, "description in .* is malformed"),
        ({"spec": '{"family": "stardist"}'}, "description in .* is of no known family"),
    ],
)
def test_files_with_other_contents_are_refused(
    checkpoint: Checkpoint, tmp_path: Path, change: dict[str, Any], fact: str
) -> None:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(checkpoint, path)
    torch.save({**torch.load(path, weights_only=True), **change}, path)
    with pytest.raises(CheckpointError, match=fact):
        load_checkpoint(path)


def test_a_description_of_other_weights_is_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(checkpoint, path)
    content = torch.load(path, weights_only=True)
    spec = json.loads(content["spec"])
    spec["backbone"]["layers"] = [4, 6, 9]
    torch.save({**content, "spec": json.dumps(spec)}, path)
    with pytest.raises(SpecError, match=r"description in .* says that .* but the weights"):
        load_checkpoint(path)


def test_structures_were_called_targets(checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(checkpoint, path)
    content = torch.load(path, weights_only=True)
    spec = json.loads(content["spec"])
    spec["targets"] = spec.pop("structures")
    torch.save({**content, "spec": json.dumps(spec)}, path)
    assert load_checkpoint(path).spec == checkpoint.spec


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_truncation_is_noticed(checkpoint: Checkpoint, tmp_path: Path, suffix: str) -> None:
    whole = tmp_path / f"checkpoint{suffix}"
    save_checkpoint(checkpoint, whole)
    data = whole.read_bytes()
    cut = tmp_path / f"cut{suffix}"
    for length in sorted({*range(0, 64, 7), *range(64, len(data), len(data) // 40), len(data) - 1}):
        cut.write_bytes(data[:length])
        with pytest.raises(CheckpointError) as caught:
            load_checkpoint(cut)
        assert str(cut) in caught.value.message


def test_foreign_safetensors_are_named(tmp_path: Path, checkpoint: Checkpoint) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "other.safetensors"
    save_file({"layer.weight": torch.zeros(3)}, path)
    with pytest.raises(CheckpointError, match="no description of a network that we know"):
        load_checkpoint(path)
    save_checkpoint(checkpoint, tmp_path / "ours.safetensors")
    shutil.move(tmp_path / "ours.safetensors", tmp_path / "ours.bin")
    assert load_checkpoint(tmp_path / "ours.bin").spec == checkpoint.spec
