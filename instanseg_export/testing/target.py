"""What every target promises: an artefact as declared, reproducible, described, and honest about what it cannot do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

from .. import run
from ..errors import ImageError, PackageError, SettingError
from ..files import sha256_of
from ..metadata import LABELS, NETWORK, ModelMetadata
from ..runtimes.description import Runtime
from ..runtimes.outcome import Outcome
from ..runtimes.probe import probe
from ..runtimes.process import run_runtime
from ..runtimes.registry import list_runtimes
from ..targets import TARGETS, read_metadata, require_metadata, target_of
from ..targets.base import Target
from ..targets.capabilities import require_shape, require_stages, require_whole
from ..targets.metadata import describe
from ..targets.settings import is_fixed
from .small_forward import SmallForward, small_checkpoint, small_image

__all__ = ["TargetSuite"]

_WRITE = """
import sys
from pathlib import Path
from instanseg_export.targets import write_artifact
from instanseg_export.testing.small_forward import SmallForward, small_checkpoint
write_artifact(sys.argv[1], SmallForward(), small_checkpoint(), Path(sys.argv[2]))
"""


class TargetSuite:
    """Tests of a target. A subclass has its name in the registry::

        class TestMine(TargetSuite):
            name = "mine"

    What is written is a small forward, with a setting of each kind. Where a runtime is registered and ready that takes
    such files, they are run too.
    """

    name: str

    @pytest.fixture(scope="class")
    @classmethod
    def target(cls) -> Target:
        """The member itself."""
        target = TARGETS.get(cls.name)
        if reason := target.unavailable():
            pytest.skip(f"{cls.name} cannot be written on this machine: {reason}")
        return target

    @pytest.fixture(scope="class")
    @classmethod
    def artefact(cls, target: Target, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """A file or folder that another process wrote. Copy it before you change it."""
        return _write(target, tmp_path_factory.mktemp(cls.name), "1")

    @pytest.fixture(scope="class")
    @classmethod
    def metadata(cls, artefact: Path) -> ModelMetadata:
        """What it says of itself."""
        return require_metadata(artefact)

    @pytest.fixture(scope="class")
    @classmethod
    def image(cls, metadata: ModelMetadata) -> torch.Tensor:
        """An image (B, 3, H, W) that it takes."""
        batch, _, height, width = metadata.image_shape or (1, 3, 48, 64)
        return small_image(height, width, batch)

    @pytest.fixture(scope="class")
    @classmethod
    def runtime(cls, target: Target) -> Runtime:
        """The first runtime here that takes such files."""
        fitting = [one for one in list_runtimes() if one.target == target.name and not one.needs_exporter]
        ready = next((one for one in fitting if not probe(one)), None)
        if ready is None:
            pytest.skip(f"no runtime on this machine takes {cls.name} files")
        return ready

    @pytest.fixture
    def run_on(self, runtime: Runtime, artefact: Path, tmp_path: Path) -> Callable[..., Outcome]:
        """Run the artefact on an image (B, C, H, W), with options of ``run_runtime``."""

        def call(image: torch.Tensor, **options: object) -> Outcome:
            np.save(tmp_path / "image.npy", image.numpy())
            paths = [tmp_path / "image.npy"], [tmp_path / "image.npz"]
            (outcome,) = run_runtime(runtime, artefact, *paths, **options)  # type: ignore[arg-type]
            assert outcome.error == ""
            return outcome

        return call

    def test_it_is_found_by_its_name_and_by_that_of_its_artefacts(self, target: Target) -> None:
        assert target.name == self.name
        assert target.describes
        assert target_of(Path(target.filename)) is target
        assert [one.name for one in TARGETS if one.filename == target.filename] == [self.name]

    def test_it_writes_a_file_or_a_folder_as_declared_and_nothing_beside(self, target: Target, artefact: Path) -> None:
        assert artefact.is_dir() == (target.artefact == "folder")
        assert list(artefact.parent.iterdir()) == [artefact]

    def test_another_process_writes_the_same_bytes(self, target: Target, artefact: Path, tmp_path: Path) -> None:
        """In another folder, and with other hashes of strings."""
        assert sha256_of(_write(target, tmp_path, "2")) == sha256_of(artefact)

    def test_nothing_of_this_machine_is_in_it(self, artefact: Path) -> None:
        files = [path for path in artefact.rglob("*") if path.is_file()] if artefact.is_dir() else [artefact]
        for path in files:
            content = _unpacked(path)
            for place in (str(artefact.parent), str(Path(__file__).parents[1]), sys.prefix, "site-packages"):
                assert place.encode() not in content, f"{place} is in {path.name}"

    def test_it_reads_back_what_it_embedded(self, target: Target, metadata: ModelMetadata) -> None:
        expected = describe(target.name, SmallForward(), small_checkpoint())
        # A target adds what it alone knows.
        added = {
            name: getattr(metadata, name)
            for name in ("stages", "graph_sha256", "image_shape", "seed_capacity", "outputs")
        }
        assert metadata == expected.model_copy(update=added)

    def test_a_renamed_artefact_is_known_by_its_ending(self, target: Target, artefact: Path, tmp_path: Path) -> None:
        renamed = _copy(artefact, tmp_path / f"renamed{artefact.suffix}")
        assert require_metadata(renamed).target == target.name

    @pytest.mark.parametrize("damage", ["missing", "empty", "noise", "cut"])
    def test_damage_is_refused_in_words(self, target: Target, artefact: Path, tmp_path: Path, damage: str) -> None:
        path = tmp_path / target.filename
        if damage != "missing":
            content = artefact.read_bytes() if artefact.is_file() else b""
            inside = {"empty": b"", "noise": b"\x07\xff" * 500, "cut": content[: len(content) // 2]}[damage]
            if target.artefact == "folder":
                path.mkdir()
            if target.artefact == "file" or damage == "noise":
                (path / "noise" if target.artefact == "folder" else path).write_bytes(inside)
        with pytest.raises(PackageError) as caught:
            read_metadata(path)
        assert str(path) in caught.value.message
        assert caught.value.hint

    def test_it_says_which_settings_it_fixes(self, target: Target, metadata: ModelMetadata) -> None:
        fixed = {row.name for row in metadata.setting_rows if row.fixed}
        assert fixed == {setting.name for setting in SmallForward().settings if is_fixed(setting, target)}
        assert "mirror" in fixed, "it decides which forward is built"
        assert ("reach" in fixed) == (target.traces or not target.overridable)
        assert ("level" in fixed) != target.overridable

    def test_its_files_find_what_the_forward_finds(
        self, target: Target, run_on: Callable[..., Outcome], image: torch.Tensor
    ) -> None:
        if target.whole:
            _assert_labels(run_on(image), SmallForward()(image))
            return
        stages = SmallForward().stages(image)
        found = run_on(stages["normalize"]).further()
        assert list(found) == [NETWORK]
        np.testing.assert_allclose(found[NETWORK], stages[NETWORK].numpy(), rtol=1e-5, atol=1e-6)

    def test_flag_overridable(
        self,
        target: Target,
        runtime: Runtime,
        run_on: Callable[..., Outcome],
        artefact: Path,
        image: torch.Tensor,
        tmp_path: Path,
    ) -> None:
        if target.overridable:
            changed = SmallForward()(image, {"level": torch.tensor(0.85)})
            assert not torch.equal(changed, SmallForward()(image))
            _assert_labels(run_on(image, settings={"level": 0.85}), changed)
            return
        tifffile.imwrite(tmp_path / "image.tif", image[0].numpy(), photometric="minisblack")
        with pytest.raises(SettingError, match="has level fixed at export") as caught:
            run(artefact, tmp_path / "image.tif", runtime=runtime.name, output=tmp_path, settings={"level": 0.85})
        assert caught.value.hint

    def test_flag_dynamic_shapes(
        self, target: Target, metadata: ModelMetadata, artefact: Path, request: pytest.FixtureRequest
    ) -> None:
        image = small_image(17, 40, batch=3)
        assert (metadata.image_shape is None) == target.dynamic_shapes
        if target.dynamic_shapes:
            require_shape(target, artefact, image.shape)
            _assert_labels(request.getfixturevalue("run_on")(image), SmallForward()(image))
            return
        assert metadata.image_shape is not None
        require_shape(target, artefact, metadata.image_shape)
        with pytest.raises(ImageError, match=r"takes images of .* only") as caught:
            require_shape(target, artefact, image.shape)
        assert caught.value.hint

    def test_flag_exposes_stages(self, target: Target, image: torch.Tensor, request: pytest.FixtureRequest) -> None:
        if not target.exposes_stages:
            with pytest.raises(PackageError, match="do not give the stages"):
                require_stages(target)
            return
        require_stages(target)
        found = request.getfixturevalue("run_on")(image, stages_from=0).stages()
        expected = SmallForward().stages(image)
        assert set(found) == set(expected)
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value.numpy(), rtol=1e-5, atol=1e-6, err_msg=name)

    def test_flag_whole(
        self,
        target: Target,
        metadata: ModelMetadata,
        artefact: Path,
        image: torch.Tensor,
        tmp_path: Path,
        request: pytest.FixtureRequest,
    ) -> None:
        assert (metadata.outputs[0].name, metadata.outputs[0].role) == (
            (LABELS, "labels") if target.whole else (NETWORK, "network")
        )
        if target.whole:
            require_whole(target, artefact)
            return
        runtime = request.getfixturevalue("runtime")
        tifffile.imwrite(tmp_path / "image.tif", image[0].numpy(), photometric="minisblack")
        with pytest.raises(PackageError, match="holds the network alone") as caught:
            run(artefact, tmp_path / "image.tif", runtime=runtime.name, output=tmp_path / "results")
        assert caught.value.hint


def _write(target: Target, folder: Path, seed: str) -> Path:
    """Write the small forward in a process of its own: in one that compiled before, TorchScript gives other names."""
    path = folder / target.filename
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONHASHSEED": seed}
    command = [sys.executable, "-W", "ignore", "-c", _WRITE, target.name, str(path)]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return path


def _unpacked(path: Path) -> bytes:
    """Return the bytes of a file; of a zip, as many formats are, those of its records."""
    if not zipfile.is_zipfile(path):
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        return b"".join(archive.read(name) for name in archive.namelist())


def _copy(artefact: Path, path: Path) -> Path:
    return Path(shutil.copytree(artefact, path) if artefact.is_dir() else shutil.copy(artefact, path))


def _assert_labels(outcome: Outcome, expected: torch.Tensor) -> None:
    assert expected.any()
    np.testing.assert_array_equal(outcome.labels(), expected.numpy())
