"""Networks out of exported TorchScript files: ours, and those that upstream's own exporter writes."""

from __future__ import annotations

import io
import json
import math
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from training_runs import channel_net_spec, small_spec, write_run

from instanseg_export import build_forward, load_checkpoint
from instanseg_export.checkpoints import Checkpoint
from instanseg_export.errors import CheckpointError, SpecError, UnsafeFileError
from instanseg_export.families.instanseg.spec import UNetSpec
from instanseg_export.layers.folding import for_inference
from instanseg_export.targets import write_artifact

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkpoint, Path]:
    """A checkpoint and the file that this package exported from it."""
    folder = tmp_path_factory.mktemp("exported")
    checkpoint = load_checkpoint(write_run(folder / "run", channel_net_spec()))
    path = folder / "instanseg.pt"
    write_artifact("torchscript", build_forward(checkpoint), checkpoint, path)
    return checkpoint, path


def rewrite(source: Path, target: Path, change: Callable[[dict[str, bytes]], None], compression: int = 0) -> Path:
    """Copy a zip archive after changing its entries, whose names are given without the top folder."""
    with zipfile.ZipFile(source) as archive:
        root = archive.namelist()[0].partition("/")[0]
        entries = {name.removeprefix(f"{root}/"): archive.read(name) for name in archive.namelist()}
    change(entries)
    with zipfile.ZipFile(target, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(f"{root}/{name}", data)
    return target


def same_weights(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    first, second = one.state_dict(), other.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(("norm", "left"), [("instance", "instance"), ("batch", "none"), ("none", "none")])
def test_our_own_file_turns_back_into_the_checkpoint_with_its_batch_norms_folded(
    tmp_path: Path, norm: str, left: str
) -> None:
    checkpoint = load_checkpoint(write_run(tmp_path / "run", channel_net_spec(norm=norm)))
    path = tmp_path / "instanseg.pt"
    write_artifact("torchscript", build_forward(checkpoint), checkpoint, path)
    copy = load_checkpoint(path)
    parts = {name: getattr(checkpoint.spec, name).model_copy(update={"norm": left}) for name in ("backbone", "adaptor")}
    assert copy.spec == checkpoint.spec.model_copy(update=parts)
    assert copy.inferred == (f"norm is {left}: concluded from the shapes of the weights.",)
    assert copy.reader == "torchscript"
    assert same_weights(copy.network, for_inference(checkpoint.network))


def test_nothing_is_compiled_or_executed(exported: tuple[Checkpoint, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any, **__: Any) -> None:
        raise AssertionError("the file must not be given to torch's own loader")

    for name in ("torch.jit.load", "torch.load", "torch._C.import_ir_module", "torch._C.import_ir_module_from_buffer"):
        monkeypatch.setattr(name, forbidden)
    assert load_checkpoint(exported[1]).spec.name == exported[0].spec.name


def test_damaged_code_in_the_archive_is_never_looked_at(exported: tuple[Checkpoint, Path], tmp_path: Path) -> None:
    def spoil(entries: dict[str, bytes]) -> None:
        for name in entries:
            if name.startswith("code/"):
                entries[name] = b"import os; os.abort()"

    assert load_checkpoint(rewrite(exported[1], tmp_path / "x.pt", spoil)).spec == exported[0].spec


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        (b"{", "embedded description is not valid JSON"),
        (b"[]", "cannot be read"),
        (b'{"spec": {"name": 3}}', "malformed"),
    ],
)
def test_a_damaged_description_is_named(
    exported: tuple[Checkpoint, Path], tmp_path: Path, text: bytes, fact: str
) -> None:
    path = rewrite(exported[1], tmp_path / "x.pt", lambda e: e.update({"extra/instanseg_export.json": text}))
    with pytest.raises(CheckpointError, match=fact):
        load_checkpoint(path)


def test_a_description_of_another_network_is_refused(exported: tuple[Checkpoint, Path], tmp_path: Path) -> None:
    def swap(entries: dict[str, bytes]) -> None:
        other = small_spec(name="other").model_dump(mode="json")
        entries["extra/instanseg_export.json"] = json.dumps({"spec": other}).encode()

    with pytest.raises(SpecError, match=r"The description in .* says"):
        load_checkpoint(rewrite(exported[1], tmp_path / "x.pt", swap))


def test_pickles_that_name_code_are_refused(exported: tuple[Checkpoint, Path], tmp_path: Path) -> None:
    class Attack:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {tmp_path / 'witness'}",)

    for protocol in (2, 4):
        data = pickle.dumps({"network": Attack()}, protocol)
        path = rewrite(exported[1], tmp_path / f"{protocol}.pt", lambda e, d=data: e.update({"data.pkl": d}))
        with pytest.raises(UnsafeFileError, match=r"(posix|nt)\.system"):
            load_checkpoint(path)
    assert not (tmp_path / "witness").exists()


class Bare(pickle.Pickler):
    """Writes what TorchScript writes: an object of a compiled class, and tensors as views of storages."""

    def persistent_id(self, obj: Any) -> Any:
        return obj.pid if isinstance(obj, Storage) else None


class Storage:
    def __init__(self, *pid: Any) -> None:
        self.pid = pid


def tensor_pickle(offset: Any, size: Any, stride: Any, elements: int = 4) -> bytes:
    """A module with one attribute, a tensor of those claims."""
    storage = Storage("storage", torch.FloatStorage, "0", "cpu", elements)

    class View:
        def __reduce__(self) -> Any:
            return torch._utils._rebuild_tensor_v2, (storage, offset, size, stride, False, {})

    stream = io.BytesIO()
    Bare(stream, 2).dump(View())
    body = stream.getvalue()[2:-1]
    return b"\x80\x02c__torch__\nModule\n)\x81}U\x01w" + body + b"sb."


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [
        (0, (5,), (1,)),
        (1, (4,), (1,)),
        (0, (2, 3), (3, 1)),
        (0, (10**12,), (0,)),
        (0, (2, 2), (10**15, 1)),
        (-1, (2,), (1,)),
        (0, (-2,), (1,)),
        (0, (2,), (-1,)),
        (0, (2,), (1, 1)),
        (0, ("2",), (1,)),
        (None, (2,), (1,)),
    ],
)
def test_tensors_that_reach_beyond_their_data_are_refused(
    exported: tuple[Checkpoint, Path], tmp_path: Path, offset: Any, size: Any, stride: Any
) -> None:
    def plant(entries: dict[str, bytes]) -> None:
        entries["data.pkl"] = tensor_pickle(offset, size, stride)
        entries["data/0"] = bytes(16)

    with pytest.raises(CheckpointError, match="pickle cannot be read"):
        load_checkpoint(rewrite(exported[1], tmp_path / "x.pt", plant))


def test_the_planted_pickle_is_fine_when_its_claims_are_true(exported: tuple[Checkpoint, Path], tmp_path: Path) -> None:
    def plant(entries: dict[str, bytes]) -> None:
        entries["data.pkl"] = tensor_pickle(0, (2, 2), (2, 1))
        entries["data/0"] = bytes(16)

    with pytest.raises(CheckpointError, match="no weights under network"):
        load_checkpoint(rewrite(exported[1], tmp_path / "x.pt", plant))


def test_modules_that_contain_each_other_end_in_an_error(exported: tuple[Checkpoint, Path], tmp_path: Path) -> None:
    ring = b"\x80\x02c__torch__\nModule\n)\x81q\x00}(U\x01ah\x00U\x01bh\x00ub."
    path = rewrite(exported[1], tmp_path / "x.pt", lambda e: e.update({"data.pkl": ring}))
    with pytest.raises(CheckpointError, match="contain each other"):
        load_checkpoint(path)


@pytest.mark.parametrize("missing", ["data/0", "data/3"])
def test_missing_data_is_named(exported: tuple[Checkpoint, Path], tmp_path: Path, missing: str) -> None:
    path = rewrite(exported[1], tmp_path / "x.pt", lambda e: e.pop(missing) and None)
    with pytest.raises(CheckpointError, match=f"no entry {missing}"):
        load_checkpoint(path)


def test_compressed_data_is_refused(exported: tuple[Checkpoint, Path], tmp_path: Path) -> None:
    path = rewrite(exported[1], tmp_path / "x.pt", lambda _: None, zipfile.ZIP_DEFLATED)
    with pytest.raises(UnsafeFileError, match="claims to unpack to"):
        load_checkpoint(path)


def test_other_torchscript_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "other.pt"
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(path))
    with pytest.raises(CheckpointError, match="of no network that we know"):
        load_checkpoint(path)


def test_every_truncation_is_noticed(exported: tuple[Checkpoint, Path], tmp_path: Path) -> None:
    data = exported[1].read_bytes()
    for length in range(1, len(data), len(data) // 40):
        (tmp_path / "cut.pt").write_bytes(data[:length])
        with pytest.raises(CheckpointError):
            load_checkpoint(tmp_path / "cut.pt")


MULTIHEAD = small_spec(
    backbone=UNetSpec(in_channels=3, layers=(4, 6, 8), norm="none", heads=((4,), (3,), (2,))),
    dim_coords=4,
    n_sigma=3,
    dim_seeds=2,
)


def upstream_export(run: Path, path: Path, params: dict[str, Any] | None = None, **changes: Any) -> None:
    """Export a run as upstream does, by upstream's own code."""
    from instanseg.utils.loss.instanseg_loss import InstanSeg_Torchscript
    from instanseg.utils.model_loader import load_model

    model, args = load_model(folder=run.name, path=str(run.parent))
    names = ("cells_and_nuclei", "pixel_size", "n_sigma", "dim_coords", "dim_seeds")
    options = {name: args[name] for name in names} | {"backbone_dim_in": 3} | changes
    module = InstanSeg_Torchscript(model, params=params, **options)
    torch.jit.save(torch.jit.script(module), str(path))


@pytest.mark.peer
def test_upstreams_own_export_turns_back_into_the_checkpoint(tmp_path: Path) -> None:
    run = write_run(tmp_path / "my_model", MULTIHEAD)
    path = tmp_path / "published" / "instanseg.pt"
    path.parent.mkdir()
    params = {"seed_threshold": 0.6, "peak_distance": 4.7, "mean_threshold": 0.1, "cleanup_fragments": False}
    upstream_export(run, path, params)
    original, copy = load_checkpoint(run), load_checkpoint(path)
    assert copy.spec == original.spec.model_copy(
        update={
            "name": "published",
            "source_datasets": (),
            "settings": {"seed_threshold": 0.6, "peak_distance": 4, "cleanup_fragments": False},
        }
    )
    assert same_weights(copy.network, original.network)
    said = " ".join(copy.inferred)
    assert "layers is 4, 6, 8" in said
    assert "mean_threshold = 0.1" in said
    assert "dim_coords" not in said


@pytest.mark.peer
def test_an_unset_pixel_size_is_unknown(tmp_path: Path) -> None:
    run = write_run(tmp_path / "my_model")
    upstream_export(run, tmp_path / "plain.pt", pixel_size=math.nan)
    checkpoint = load_checkpoint(tmp_path / "plain.pt")
    assert (checkpoint.spec.name, checkpoint.spec.pixel_size, checkpoint.spec.settings) == ("plain", None, {})
    assert load_checkpoint(tmp_path / "plain.pt", spec={"pixel_size": "0.5"}).spec.pixel_size == 0.5


@pytest.mark.peer
def test_attributes_that_contradict_the_weights_need_the_users_word(tmp_path: Path) -> None:
    """Upstream's export function forgets to pass dim_coords and dim_seeds on, so files with false ones exist."""
    run = write_run(tmp_path / "my_model", MULTIHEAD)
    path = tmp_path / "forgetful.pt"
    upstream_export(run, path, dim_coords=2, dim_seeds=1)
    with pytest.raises(SpecError, match=r"attribute dim_coords of .* is 2, but the weights in .* have 4"):
        load_checkpoint(path)
    spec = load_checkpoint(path, spec={"dim_coords": "4", "dim_seeds": "2"}).spec
    assert (spec.dim_coords, spec.n_sigma, spec.dim_seeds) == (4, 3, 2)


@pytest.mark.peer
def test_a_genuine_channel_net_survives_upstreams_export(shared: Path, tmp_path: Path) -> None:
    run = shared / "checkpoints" / "nuclei_cells_channelnet"
    upstream_export(run, tmp_path / f"{run.name}.pt")
    original, copy = load_checkpoint(run), load_checkpoint(tmp_path / f"{run.name}.pt")
    assert copy.spec == original.spec.model_copy(update={"source_datasets": ()})
    assert same_weights(copy.network, original.network)
