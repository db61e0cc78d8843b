"""Families as single objects: what the package asks of them, and how another package adds one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
import torch
from torch import nn

from instanseg_export import build_forward, load_checkpoint, save_checkpoint
from instanseg_export.checkpoints import READERS, Checkpoint
from instanseg_export.errors import CheckpointError, SettingError, SpecError
from instanseg_export.exported_model import open_model
from instanseg_export.families.checkpoint import Load
from instanseg_export.families.family import Family
from instanseg_export.families.registry import FAMILIES
from instanseg_export.families.settings import parse_settings
from instanseg_export.families.signatures import WeightSignature
from instanseg_export.families.spec import ModelSpec
from instanseg_export.families.spec_family import restore_by_spec
from support.training_runs import channel_net_spec, small_spec, write_run

DEMO = Path(__file__).parents[2] / "model_zoo/nuclei_dsb2018/checkpoint.pt"


def test_each_family_is_registered_under_the_name_in_its_descriptions() -> None:
    for name in FAMILIES.names():
        assert FAMILIES.get(name).spec.model_fields["family"].default == name


def test_a_reader_that_two_families_share_is_asked_once() -> None:
    assert len(READERS.names()) == len(set(READERS.names()))
    named = {reader.name for family in FAMILIES for reader in family.readers}
    assert named < set(READERS.names())


def test_listing_families_and_recognising_files_imports_no_torch() -> None:
    program = f"""
import sys
from pathlib import Path
import instanseg_export
from instanseg_export.checkpoints import READERS
from instanseg_export.families.registry import FAMILIES
assert [family.spec.title for family in FAMILIES]
assert [reader.name for reader in READERS if reader.recognises(Path({str(DEMO)!r}))][0] == "single-file"
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


class DotSpec(ModelSpec):
    """A network of one convolution."""

    title: ClassVar[str] = "Dots"
    family: Literal["dots"] = "dots"
    structures: tuple[str, ...] = ("dots",)
    channels: int = 1
    width: int

    @property
    def architecture(self) -> str:
        return f"{self.width} filters"

    @property
    def tags(self) -> tuple[str, ...]:
        return ("dots",)

    @property
    def citations(self) -> tuple[tuple[str, str], ...]:
        return ()


class DotReader:
    """Reads a file with the bare weights."""

    name = "dot-weights"
    describes = "weights of dots"

    def recognises(self, path: Path) -> bool:
        return path.suffix == ".dots"

    def read(self, path: Path, overrides: dict[str, str], load: Load) -> Checkpoint:
        network = _network(DotSpec(name="read", width=3))
        return Checkpoint(DotSpec(name="read", width=3), network, path, "0" * 64, self.name)


def _network(spec: DotSpec) -> nn.Module:
    network = nn.Sequential(nn.Conv2d(1, spec.width, 1))
    network.multiple = 1  # type: ignore[assignment]
    return network.eval()


def _forward(checkpoint: Checkpoint, settings: Mapping[str, Any]) -> Any:
    return ("forward of dots", checkpoint.spec.name, dict(settings))


DOTS = Family(
    spec=DotSpec,
    restore=restore_by_spec(_network, {"width": int}),
    build_forward=_forward,
    readers=(DotReader(),),
    run_files=("dots.weights",),
    signatures=(WeightSignature(b"dot_filter", "an older kind of dots"),),
)


@pytest.fixture
def dots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another package has registered a family."""

    class Point:
        name = "dots"

        def load(self) -> Family:
            return DOTS

    def points(group: str) -> list[Point]:
        return [Point()] if group == "instanseg_export.families" else []

    monkeypatch.setattr("instanseg_export.registry.members_of_others", points)


@pytest.mark.usefixtures("dots")
@pytest.mark.parametrize("name", ["checkpoint.pt", "checkpoint.safetensors"])
def test_checkpoints_of_an_added_family_are_saved_and_read(tmp_path: Path, name: str) -> None:
    spec = DotSpec(name="mine", width=5)
    network = _network(spec)
    save_checkpoint(Checkpoint(spec, network, tmp_path, "0" * 64, "test"), tmp_path / name)
    again = load_checkpoint(tmp_path / name, spec={"name": "theirs"})
    assert again.spec == spec.model_copy(update={"name": "theirs"})
    assert torch.equal(again.network.state_dict()["0.weight"], network.state_dict()["0.weight"])
    built: object = build_forward(again, {"a": 1})
    assert built == ("forward of dots", "theirs", {"a": 1})
    with pytest.raises(CheckpointError, match="do not fit a network of Dots"):
        load_checkpoint(tmp_path / name, spec={"width": "4"})
    with pytest.raises(SpecError, match="description of Dots has no field 'wide'") as caught:
        load_checkpoint(tmp_path / name, spec={"wide": "4"})
    assert "'width'" in caught.value.hint


@pytest.mark.usefixtures("dots")
def test_readers_and_names_of_an_added_family_are_known(tmp_path: Path) -> None:
    (tmp_path / "x.dots").write_bytes(b"dots")
    assert load_checkpoint(tmp_path / "x.dots").reader == "dot-weights"
    older = tmp_path / "older.pth"
    torch.save({"dot_filter.weight": torch.zeros(1)}, older)
    with pytest.raises(CheckpointError, match="another family: an older kind of dots") as caught:
        load_checkpoint(older)
    assert "weights of dots" in caught.value.hint
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(CheckpointError, match=r"or dots\.weights that fits"):
        load_checkpoint(empty)


def test_a_family_that_nobody_has_is_named(tmp_path: Path) -> None:
    spec = DotSpec(name="mine", width=5)
    save_checkpoint(Checkpoint(spec, _network(spec), tmp_path, "0" * 64, "test"), tmp_path / "checkpoint.pt")
    with pytest.raises(SpecError, match="no known family"):
        load_checkpoint(tmp_path / "checkpoint.pt")


class Scaled(nn.Module):
    """Multiplies an image."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image * 2


class LikeUpstream(nn.Module):
    """Has the modules by which files of InstanSeg's own exporter are told."""

    def __init__(self) -> None:
        super().__init__()
        self.fcn = Scaled()
        self.pixel_classifier = Scaled()

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        first: torch.Tensor = self.fcn(image)
        second: torch.Tensor = self.pixel_classifier(image)
        return first + second


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_settings_of_files_of_others_are_those_that_their_family_knows(tmp_path: Path) -> None:
    for module, name in ((LikeUpstream(), "theirs.pt"), (Scaled(), "odd.pt")):
        torch.jit.script(module.eval()).save(tmp_path / name)
    with open_model(tmp_path / "theirs.pt") as model:
        assert parse_settings({"seed_threshold": "0.6"}, model.settings) == {"seed_threshold": 0.6}
    with open_model(tmp_path / "odd.pt") as model, pytest.raises(SettingError) as caught:
        parse_settings({"seed_threshold": "0.6"}, model.settings)
    assert caught.value.hint == "This file does not name any settings."


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_a_file_of_upstreams_without_weights_is_refused(tmp_path: Path) -> None:
    torch.jit.script(LikeUpstream().eval()).save(tmp_path / "theirs.pt")
    with pytest.raises(CheckpointError, match=r"no InstanSeg network: .* no weights under fcn\. or pixel_cl"):
        load_checkpoint(tmp_path / "theirs.pt")


def test_folders_with_weights_under_another_reader_s_name(tmp_path: Path) -> None:
    """``checkpoint.pth`` is what one training calls its weights; here they are those of another."""
    run = write_run(tmp_path / "run", small_spec())
    (run / "model_weights.pth").rename(run / "checkpoint.pth")
    with pytest.raises(CheckpointError, match="holds no training run") as caught:
        load_checkpoint(run)
    assert str(run / "checkpoint.pth") in caught.value.hint


def test_a_network_for_any_number_of_channels_keeps_more_for_more_channels() -> None:
    """ChannelNet sees each channel by itself; a U-Net joins them in its first layer."""
    numbers: Any = FAMILIES.get("instanseg").numbers_per_pixel
    three, nine = (numbers(channel_net_spec(), "onnx", channels) for channels in (3, 9))
    assert 1.5 * three < nine < 3 * three
    assert numbers(small_spec(), "onnx", 3) == numbers(small_spec(), "onnx", 9) > 0
