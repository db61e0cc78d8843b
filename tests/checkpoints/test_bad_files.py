"""Files that are no checkpoint, or worse: one message each, and nothing executed."""

from __future__ import annotations

import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from instanseg_export.checkpoints import READERS, load_checkpoint
from instanseg_export.errors import CheckpointError, UnsafeFileError
from support.training_runs import random_network, small_spec, upstream_state, write_run


class Attack:
    """Pickles into a call of os.system."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.witness}",)


def refused(path: Path, kind: type[CheckpointError] = CheckpointError) -> CheckpointError:
    """The error of loading ``path``, which names the file and has a hint."""
    with pytest.raises(kind) as caught:
        load_checkpoint(path)
    assert str(path) in caught.value.message
    assert caught.value.hint.endswith(".")
    return caught.value


def test_missing_files_and_folders_without_weights(tmp_path: Path) -> None:
    assert "no file or folder" in refused(tmp_path / "nothing.pt").message
    assert "no model_weights.pth" in refused(tmp_path).message
    with pytest.raises(CheckpointError, match=r"no file or folder .*nul\\x00l"):
        load_checkpoint(tmp_path / "nul\0l")
    (tmp_path / "a.pt").touch()
    (tmp_path / "b.pt").touch()
    assert "a.pt" in refused(tmp_path).hint


def test_empty_files(tmp_path: Path) -> None:
    for name in ("model_weights.pth", "checkpoint.safetensors"):
        path = tmp_path / name
        path.touch()
        assert "is empty" in refused(path).message
    with pytest.raises(CheckpointError, match=r"model_weights\.pth is empty"):
        load_checkpoint(tmp_path)


def test_dangling_links_and_devices(tmp_path: Path) -> None:
    (tmp_path / "link.pt").symlink_to(tmp_path / "gone.pt")
    refused(tmp_path / "link.pt")


@pytest.mark.parametrize("new_form", [True, False])
def test_every_truncation_is_noticed(tmp_path: Path, new_form: bool) -> None:
    state = upstream_state(random_network(small_spec()))
    torch.save({"model_state_dict": state}, tmp_path / "w.pth", _use_new_zipfile_serialization=new_form)
    data = (tmp_path / "w.pth").read_bytes()
    cut = tmp_path / "cut.pth"
    for length in sorted({*range(1, 64, 9), *range(64, len(data), len(data) // 40), len(data) - 1}):
        cut.write_bytes(data[:length])
        refused(cut)


@pytest.mark.parametrize("new_form", [True, False])
def test_flipped_bytes_end_in_our_errors_or_in_other_weights(tmp_path: Path, new_form: bool) -> None:
    state = upstream_state(random_network(small_spec()))
    torch.save({"model_state_dict": state}, tmp_path / "w.pth", _use_new_zipfile_serialization=new_form)
    data = bytearray((tmp_path / "w.pth").read_bytes())
    generator = np.random.default_rng(0)
    places = [*generator.integers(0, 4000, 40), *generator.integers(0, len(data), 20)]
    for place in places:
        broken = bytearray(data)
        broken[place] ^= int(generator.integers(1, 256))
        (tmp_path / "broken.pth").write_bytes(broken)
        try:
            load_checkpoint(tmp_path / "broken.pth")
        except CheckpointError as error:
            assert error.hint  # noqa: PT017 - most bytes matter, some are only padding


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("form", ["zip", "legacy", "pickle"])
def test_pickles_that_would_run_a_command(tmp_path: Path, protocol: int, form: str) -> None:
    path, witness = tmp_path / "model_weights.pth", tmp_path / "witness"
    content = {"model_state_dict": upstream_state(random_network(small_spec())), "extra": Attack(witness)}
    if form == "pickle":
        path.write_bytes(pickle.dumps(Attack(witness), protocol))
    else:
        torch.save(content, path, pickle_protocol=protocol, _use_new_zipfile_serialization=form == "zip")
    error = refused(path, UnsafeFileError)
    assert "system, which is code" in error.message
    assert not witness.exists()


def test_whole_pickled_models_are_refused_by_name(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "model.pth")
    assert "torch.nn.modules.linear.Linear" in refused(tmp_path / "model.pth", UnsafeFileError).message


@pytest.mark.parametrize(
    "name", ["../outside", "a/../../outside", "/absolute", "..\\outside", "C:\\outside", "\\\\host\\share"]
)
def test_archives_with_paths_that_climb(run: Path, tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(run / "model_weights.pth", "a") as archive:
        archive.writestr(name, b"x")
    before = sorted(tmp_path.rglob("*"))
    assert "leaves the archive" in refused(run / "model_weights.pth", UnsafeFileError).message
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archives_with_two_entries_of_one_name(run: Path) -> None:
    with zipfile.ZipFile(run / "model_weights.pth", "a") as archive:
        archive.writestr(archive.namelist()[0], b"x")
    assert "two entries" in refused(run / "model_weights.pth", UnsafeFileError).message


def test_archives_that_unpack_to_more_than_they_are(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/data.pkl", bytes(50_000_000))
    assert path.stat().st_size < 100_000
    assert "claims to unpack to 50,000,000 bytes" in refused(path, UnsafeFileError).message


def rewrite_sizes(data: bytes, size: int) -> bytes:
    """Let every entry of the archive's table of contents claim ``size`` bytes."""
    place = data.find(b"PK\x01\x02")
    changed = bytearray(data)
    while place >= 0:
        changed[place + 20 : place + 28] = struct.pack("<II", size, size)
        place = data.find(b"PK\x01\x02", place + 4)
    return bytes(changed)


def test_archives_that_claim_absurd_sizes(run: Path) -> None:
    path = run / "model_weights.pth"
    path.write_bytes(rewrite_sizes(path.read_bytes(), 0xFFFF_0000))
    assert "but is only" in refused(path, UnsafeFileError).message


def test_tensors_that_claim_absurd_sizes(tmp_path: Path) -> None:
    torch.save({"encoder.0.conv0.0.weight": torch.zeros(4)}, tmp_path / "w.pth")
    with zipfile.ZipFile(tmp_path / "w.pth") as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    place = next(name for name in entries if name.endswith("data.pkl"))
    claims = entries[place].replace(b"K\x04", b"\x8a\x06" + (10**13).to_bytes(6, "little"))
    assert claims != entries[place]
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
        for name, data in {**entries, place: claims}.items():
            archive.writestr(name, data)
    assert "claims a tensor of 10,000,000,000,000 elements" in refused(tmp_path / "w.pth", UnsafeFileError).message


CONTENTS: dict[str, Callable[[], Any]] = {
    "a dict of numbers": lambda: {"a": 1, "b": 2},
    "a list": lambda: [1, 2, 3],
    "a number": lambda: 3,
    "None": lambda: None,
    "a tensor": lambda: torch.zeros(3),
    "another network": lambda: torch.nn.Linear(2, 2).state_dict(),
}


@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.parametrize("new_form", [True, False])
def test_contents_that_are_no_network_of_ours(tmp_path: Path, name: str, new_form: bool) -> None:
    path = tmp_path / "x.pth"
    torch.save(CONTENTS[name](), path, _use_new_zipfile_serialization=new_form)
    error = refused(path)
    assert "not the weights of a network that we know" in error.message
    assert "training run of InstanSeg" in error.hint


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "JPEG"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"II*\x00", "TIFF"),
        (b"\x89HDF\r\n", "HDF5"),
        (b"hello", "not a checkpoint"),
        (b"\x80\x02", "damaged"),
        (b"PK\x03\x04", "damaged"),
    ],
)
def test_files_of_other_kinds(tmp_path: Path, head: bytes, words: str) -> None:
    path = tmp_path / "x.pt"
    path.write_bytes(head + bytes(100))
    assert words in refused(path).message


def test_zip_files_of_other_kinds(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("folder/readme.txt", "hello")
    assert "none that torch wrote" in refused(path).message


@pytest.mark.parametrize(
    ("key", "family"),
    [
        ("image_encoder.encoder.neck.0.weight", "(sam)"),
        ("prompt_encoder.no_mask_embed.weight", "Segment Anything"),
    ],
)
@pytest.mark.parametrize("new_form", [True, False])
def test_other_families_are_named(tmp_path: Path, key: str, family: str, new_form: bool) -> None:
    names = ("encoder.0.conv0.0.weight", "pixel_classifier.fc1.weight", key)
    state = {name: torch.zeros(2, 2) for name in names}
    path = tmp_path / "model_weights.pth"
    torch.save({"model_state_dict": state}, path, _use_new_zipfile_serialization=new_form)
    error = refused(path)
    assert "another family" in error.message
    assert family in error.message
    assert "training run of InstanSeg" in error.hint


def test_empty_training_states(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", state={})
    (run / "experiment_log.csv").unlink()
    assert "not the weights of a network" in refused(run / "model_weights.pth").message


def test_readers_recognise_by_looking_only(tmp_path: Path, run: Path) -> None:
    """No reader raises or claims a file that is not its own."""
    odd = tmp_path / "odd"
    odd.mkdir()
    for name, data in {"a": b"", "b": b"PK", "c": b"\x80\x02", "d": b"\x10" + bytes(7) + b"{}", "e": b"x" * 99}.items():
        (odd / name).write_bytes(data)
    paths = [odd, odd / "missing", *odd.iterdir()]
    assert READERS.names() == [
        *("single-file", "torchscript", "instanseg-torchscript", "training-run", "embedseg", "recipe"),
    ]
    for reader in READERS:
        assert not any(reader.recognises(path) for path in paths)
        assert reader.recognises(run) == (reader.name == "training-run")


def test_third_parties_can_add_a_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        name = "stardist"

        def load(self) -> Any:
            class StarDistReader:
                name = "stardist"
                describes = "StarDist"

                def recognises(self, path: Path) -> bool:
                    return b"stardist_unet" in path.read_bytes()

                def read(self, path: Path, overrides: dict[str, str], load: Any) -> Any:
                    return "read by the third party"

            return StarDistReader()

    monkeypatch.setattr(
        "instanseg_export.registry.members_of_others",
        lambda group: [Point()] if group == "instanseg_export.readers" else [],
    )
    path = tmp_path / "weights_best.pth"
    torch.save({"model_state_dict": {"stardist_unet.conv.weight": torch.zeros(1)}}, path)
    found: object = load_checkpoint(path)
    assert found == "read by the third party"
