"""The training log: every way in which it can be malformed ends in one message with file and line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from instanseg_export.checkpoints import load_checkpoint
from instanseg_export.errors import CheckpointError, SpecError
from support.training_runs import log_of, small_spec, write_log


@pytest.mark.parametrize("key", ["model_str", "dim_in", "dim_coords", "n_sigma", "layers"])
def test_a_missing_key_is_named(run: Path, key: str) -> None:
    write_log(run, {name: value for name, value in log_of(small_spec()).items() if name != key})
    with pytest.raises(SpecError, match=f"experiment_log.csv lacks {key}") as caught:
        load_checkpoint(run)
    assert f"Add the line {key}," in caught.value.hint


@pytest.mark.parametrize("key", ["dim_seeds", "norm", "multihead", "feature_engineering", "mlp_width", "dim_out"])
def test_keys_that_older_logs_lack_are_inferred(run: Path, key: str) -> None:
    whole = load_checkpoint(run)
    write_log(run, {name: value for name, value in log_of(small_spec()).items() if name != key})
    assert load_checkpoint(run).spec == whole.spec


def test_a_key_that_stands_twice_is_named_with_both_lines(run: Path) -> None:
    log = run / "experiment_log.csv"
    lines = log.read_text().splitlines()
    log.write_text("\n".join([*lines, "n_sigma,3"]))
    first = next(number for number, line in enumerate(lines, start=1) if line.startswith("n_sigma"))
    with pytest.raises(SpecError, match=f"n_sigma twice, in lines {first} and {len(lines) + 1}"):
        load_checkpoint(run)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("dim_coords", "two"),
        ("dim_coords", "2.5"),
        ("n_sigma", "__import__('os').system('false')"),
        ("layers", "[4, 6, 8"),
        ("layers", "(lambda: [4, 6, 8])()"),
        ("layers", "[4, 'six', 8]"),
        ("layers", "4"),
        ("norm", "LAYER"),
        ("multihead", "perhaps"),
        ("target_segmentation", "vessels"),
        ("requested_pixel_size", "-1"),
        ("requested_pixel_size", "half"),
        ("dim_in", "[" * 10_000),
    ],
)
def test_a_malformed_value_is_named_with_its_line(run: Path, key: str, value: str) -> None:
    write_log(run, {**log_of(small_spec()), key: value})
    line = list(log_of(small_spec())).index(key) + 1
    with pytest.raises(SpecError, match=f"experiment_log.csv, line {line}: {key} is ") as caught:
        load_checkpoint(run)
    assert len(caught.value.message) < 400


@pytest.mark.parametrize("text", ["model_str", "a,b,c", ",x", 'model_str,"InstanSeg'])
def test_lines_that_are_no_pair_are_named(run: Path, text: str) -> None:
    (run / "experiment_log.csv").write_text(text + "\n")
    with pytest.raises(SpecError, match=r"experiment_log\.csv"):
        load_checkpoint(run)


@pytest.mark.parametrize("data", [b"\xff\xfe\x00\x01", b"a,b\n" * 300_000, b"\x00,\x00"])
def test_files_that_are_no_table_are_refused(run: Path, data: bytes) -> None:
    (run / "experiment_log.csv").write_bytes(data)
    with pytest.raises(SpecError, match=r"experiment_log\.csv"):
        load_checkpoint(run)


@pytest.mark.parametrize(("value", "size"), [("0.25", 0.25), ("nan", None), ("", None), ("None", None)])
def test_pixel_sizes(run: Path, value: str, size: float | None) -> None:
    write_log(run, {**log_of(small_spec()), "requested_pixel_size": value})
    assert load_checkpoint(run).spec.pixel_size == size


@pytest.mark.parametrize(
    ("value", "names"), [("all", ()), ("['a', 'b']", ("a", "b")), ("[a,b]", ("a", "b")), ("one", ("one",))]
)
def test_source_datasets(run: Path, value: str, names: tuple[str, ...]) -> None:
    write_log(run, {**log_of(small_spec()), "source_dataset": value})
    assert load_checkpoint(run).spec.source_datasets == names


@pytest.mark.parametrize("zero", ["0", "", "nan"])
def test_an_open_number_of_channels_is_taken_from_the_weights(run: Path, zero: str) -> None:
    write_log(run, {**log_of(small_spec()), "dim_in": zero})
    assert load_checkpoint(run).spec.channels == 3


def test_columns_about_structures_must_agree(run: Path) -> None:
    write_log(run, {**log_of(small_spec()), "target_segmentation": "NC"})
    with pytest.raises(SpecError, match=r"cells_and_nuclei.* is False, but .*target_segmentation.* is nuclei, cells"):
        load_checkpoint(run)


@pytest.mark.parametrize("backbone", ["sam", "AttentionUNet"])
def test_other_backbones_are_named(run: Path, backbone: str) -> None:
    write_log(run, {**log_of(small_spec()), "model_str": backbone})
    with pytest.raises(CheckpointError, match=backbone) as caught:
        load_checkpoint(run)
    assert "model_str" in caught.value.message
    assert "instanseg_unet, sam_unet" in caught.value.hint


def test_nothing_in_a_log_is_executed(run: Path, tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    code = f"__import__('pathlib').Path({str(witness)!r}).touch()"
    for key in log_of(small_spec()):
        rows: dict[str, Any] = {**log_of(small_spec()), key: code}
        write_log(run, rows)
        if key in ("experiment_str", "dropprob", "source_dataset", "adaptor_net_str"):
            load_checkpoint(run)
        else:
            with pytest.raises(CheckpointError):
                load_checkpoint(run)
    assert not witness.exists()
