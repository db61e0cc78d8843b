"""What is published of a package, and which packages are not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from instanseg_export.errors import InstansegExportError, PackageError, PublishError, UntrustedFileError
from instanseg_export.packaging import ZooCheck
from instanseg_export.publishing import package as package_module
from instanseg_export.publishing.package import checked_package


@pytest.fixture
def copied(demo_package: Path, tmp_path: Path) -> Path:
    """The demo's package, without its report, in which much more lies about."""
    folder = tmp_path / "package"
    shutil.copytree(demo_package, folder, ignore=shutil.ignore_patterns("parity"))
    (folder / ".env").write_text("HYPHA_TOKEN=secret")
    (folder / "private").mkdir()
    (folder / "private/patients.csv").write_text("names")
    return folder


@pytest.fixture
def change(copied: Path) -> Callable[..., Path]:
    """Change the description."""

    def apply(**changes: Any) -> Path:
        content = yaml.safe_load((copied / "rdf.yaml").read_text())
        for key, value in changes.items():
            content.pop(key) if value is None else content.__setitem__(key, value)
        (copied / "rdf.yaml").write_text(yaml.safe_dump(content))
        return copied

    return apply


def names_of(path: Path) -> set[str]:
    with checked_package(path, test=False) as package:
        assert [file.name for file in package.files if file.weights] == ["instanseg.pt", "model.onnx"]
        for file in package.files:
            assert file.path.stat().st_size == file.size
        return {file.name for file in package.files}


def test_only_what_the_description_names_is_published(copied: Path, demo_package: Path) -> None:
    """Of a folder and of its zip alike."""
    expected = {path.name for path in copied.iterdir() if path.is_file()} - {
        ".env",
        ".instanseg-export.json",
        "nuclei_dsb2018.zip",
        "rdf.yaml",
    }
    assert names_of(copied) == expected
    assert names_of(demo_package / "nuclei_dsb2018.zip") == expected


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"authors": None}, "who made the model"),
        ({"authors": [{"name": "unknown author"}]}, "who made the model"),
        ({"license": None}, "states no license"),
        ({"version": " "}, "states no version"),
        ({"name": 5}, "states no name"),
        ({"format_version": "0.4.10"}, "format"),
        ({"type": "dataset"}, "does not describe a model"),
        ({"documentation": "/etc/passwd"}, "absolute"),
        ({"covers": ["../../etc/passwd"]}, "leads out"),
        ({"attachments": [{"source": "gone.txt"}]}, "gone.txt"),
        ({"attachments": [{"source": "private"}]}, "a folder"),
        ({"attachments": ["a\\b"]}, "not every system"),
    ],
)
def test_what_is_not_fit_is_refused(change: Callable[..., Path], changes: dict[str, Any], words: str) -> None:
    path = change(**changes)
    with pytest.raises(InstansegExportError, match=words) as caught, checked_package(path, test=False):
        pass
    assert caught.value.hint


def test_a_link_out_of_the_package_is_not_followed(change: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    path = change(attachments=[{"source": "link.txt"}])
    (path / "link.txt").symlink_to(tmp_path / "secret")
    with pytest.raises(PackageError, match="leads out of the package"), checked_package(path, test=False):
        pass


def test_what_is_no_package(demo_package: Path, tmp_path: Path) -> None:
    for path in (demo_package / "model.onnx", tmp_path, tmp_path / "gone"):
        with pytest.raises(PackageError), checked_package(path):
            pass


def test_files_elsewhere_are_left_where_they_are(change: Callable[..., Path]) -> None:
    path = change(attachments=[{"source": "https://example.com/more.zip"}])
    assert not any("example" in name for name in names_of(path))


def test_a_file_that_was_changed_is_refused_before_anything_is_run(copied: Path) -> None:
    with (copied / "model.onnx").open("ab") as stream:
        stream.write(b"\x0a\x00")
    with pytest.raises(InstansegExportError, match=r"model\.onnx|sha256|SHA256"), checked_package(copied):
        pass


def test_a_program_of_others_is_not_run_without_trust(copied: Path) -> None:
    import torch

    class Foreign(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return image

    torch.jit.save(torch.jit.script(Foreign()), str(copied / "instanseg.pt"))
    with pytest.raises(UntrustedFileError, match="not written by instanseg-export"), checked_package(copied):
        pass


def test_the_zoo_s_verdict_decides(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test itself is run on real packages by tests/packaging, by each export, and below."""
    verdict = [
        ZooCheck("onnx", False, ("7 of 9 elements disagree", "b", "c", "d"), ()),
        ZooCheck("torchscript", True, (), ()),
    ]
    monkeypatch.setattr(package_module, "zoo_test", lambda folder: verdict)
    with (
        pytest.raises(PublishError, match=r"onnx: 7 of 9 elements disagree.*and 1 more") as caught,
        checked_package(copied),
    ):
        pass
    assert "Nothing was sent" in caught.value.hint


def test_a_package_whose_weights_give_something_else_fails(change: Callable[..., Path], copied: Path) -> None:
    """With hashes that fit, as from somebody who packed it by hand: only the run itself shows it."""
    import numpy as np

    from instanseg_export.files import sha256_of

    output = copied / "test-output-instance_segmentation.npy"
    np.save(output, np.load(output)[..., ::-1])
    content = yaml.safe_load((copied / "rdf.yaml").read_text())
    content["outputs"][0]["test_tensor"]["sha256"] = sha256_of(output)
    del content["weights"]["torchscript"]
    del content["weights"]["onnx"]["parent"]
    path = change(outputs=content["outputs"], weights=content["weights"])
    with pytest.raises(PublishError, match="fails the model zoo's own test: onnx") as caught, checked_package(path):
        pass
    assert "Nothing was sent" in caught.value.hint
