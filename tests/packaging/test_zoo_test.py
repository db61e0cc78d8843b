"""The zoo's own test of packages: what it accepts without a word, and what it sees."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from instanseg_export.errors import PackageError
from instanseg_export.packaging import ZooCheck, zoo_test
from instanseg_export.packaging.rdf_file import write_rdf
from support.packaged import Exported, rdf_of

NO_MAINTAINER = "Missing `maintainers` or any author in `authors` with a specified `github_user` name."


def assert_passes(checks: list[ZooCheck]) -> None:
    assert [check.weights for check in checks] == ["torchscript", "onnx"]
    for check in checks:
        assert check.passed, check.failures
        assert check.failures == ()
        # Nobody may be named on GitHub but by the card: the only remark that cannot be avoided.
        assert [warning for warning in check.warnings if NO_MAINTAINER not in warning] == []


def test_the_zoo_accepts_the_demo_without_a_word(demo_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert_passes(zoo_test(demo_folder))
    out, err = capfd.readouterr()
    assert out == ""
    assert "onnxruntime" not in err


def test_a_description_that_the_zoo_cannot_read_is_refused_in_words(demo_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(demo_folder, tmp_path, dirs_exist_ok=True)
    with pytest.raises(PackageError, match=r"refuses the description.*inputs") as caught:
        write_rdf(tmp_path, rdf_of(demo_folder) | {"inputs": []})
    assert ": :" not in caught.value.message
    assert "Correct the card" in caught.value.hint


@pytest.mark.slow
def test_the_zoo_accepts_any_number_of_channels(channelnet_folder: Path) -> None:
    assert_passes(zoo_test(channelnet_folder))


@pytest.mark.slow
def test_the_zoo_accepts_rare_options(multihead_folder: Path) -> None:
    assert_passes(zoo_test(multihead_folder))


def test_with_a_maintainer_no_warning_is_left(demo: Exported, tmp_path: Path) -> None:
    card = demo.card.model_validate(
        demo.card.model_dump() | {"maintainers": [{"github_user": "ada"}], "git_repo": "https://example.com/x"}
    )
    folder = demo.only("torchscript").package(tmp_path / "package", card=card)
    assert [check.warnings for check in zoo_test(folder)] == [()]


def test_the_zoo_test_sees_another_result(demo: Exported, tmp_path: Path) -> None:
    folder = demo.only("onnx").package(tmp_path / "package")
    path = folder / "test-output-instance_segmentation.npy"
    labels = np.load(path)
    labels[labels == 3] = 0
    np.save(path, labels)
    content = rdf_of(folder)
    del content["outputs"][0]["test_tensor"]["sha256"]
    (folder / "rdf.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    (check,) = zoo_test(folder)
    assert not check.passed
    assert "elements disagree with expected values" in check.failures[0]


def test_the_zoo_test_sees_a_changed_file(demo_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(demo_folder, tmp_path / "package")
    (folder / "model.onnx").write_bytes((folder / "model.onnx").read_bytes() + b"\0")
    checks = zoo_test(folder)
    assert not any(check.passed for check in checks)
    assert any("sha256" in failure.lower() for failure in checks[0].failures)


@pytest.mark.parametrize("text", ["a: [", "- x", "type: dataset", ""])
def test_the_zoo_test_refuses_what_is_no_model(tmp_path: Path, text: str) -> None:
    with pytest.raises(PackageError, match=r"has no rdf\.yaml"):
        zoo_test(tmp_path)
    (tmp_path / "rdf.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(PackageError, match=r"not valid YAML|does not describe a model"):
        zoo_test(tmp_path)
