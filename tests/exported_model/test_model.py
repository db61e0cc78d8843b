"""What an exported model is on disk: a package's folder, its zip, one file, or one folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from instanseg_export.errors import PackageError
from instanseg_export.exported_model import open_model
from instanseg_export.runtimes import registry
from instanseg_export.runtimes.registry import list_runtimes, read_runtime
from support.hostile_models.parts import write_package


def test_a_package_brings_its_own_samples_folder_and_zip_alike(demo_package: Path) -> None:
    (packed,) = demo_package.glob("*.zip")
    with open_model(demo_package) as folder, open_model(packed) as unpacked:
        assert folder.channels == unpacked.channels == 3
        assert len(folder.samples) >= 2
        assert all(sample.sample for sample in folder.samples)
        for one, other in zip(folder.samples, unpacked.samples, strict=True):
            assert one.name == other.name
            assert np.array_equal(one.batch(), other.batch())
        assert len({sample.batch().tobytes() for sample in folder.samples}) == len(folder.samples)


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_a_runtime_says_whether_it_takes_a_folder(
    kind: str, tmp_path: Path, write_runtime: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of a format that no target here writes."""
    folder = write_runtime("theirs", filename="model.theirs")
    text = (folder / "runtime.toml").read_text()
    (folder / "runtime.toml").write_text(text.replace("[artefact]", f'[artefact]\nkind = "{kind}"'))
    runtimes = [*list_runtimes(), read_runtime(folder)]
    monkeypatch.setattr(registry, "list_runtimes", lambda: runtimes)
    write_package(tmp_path / "package")
    artefact = tmp_path / "package" / "model.theirs"
    artefact.mkdir()
    (artefact / "weights.bin").write_bytes(b"weights")
    if kind == "folder":
        for path in (tmp_path / "package", artefact):
            with open_model(path) as model:
                assert model.file("model.theirs") == artefact
                assert (model.file("model.onnx") is None) == (path == artefact)
    else:
        for path, words in ((tmp_path / "package", "is a folder, not a file"), (artefact, "holds no exported file")):
            with pytest.raises(PackageError, match=words), open_model(path):
                pass


def test_a_file_that_is_a_folder_is_none_and_the_reverse(tmp_path: Path) -> None:
    (tmp_path / "rdf.yaml").write_text("type: model")
    (tmp_path / "model.onnx").mkdir()
    with pytest.raises(PackageError, match=r"model\.onnx is a folder, not a file"), open_model(tmp_path):
        pass
