"""A package's README: what it tells, and that what it tells is so."""

from __future__ import annotations

import filecmp
import re
from pathlib import Path
from typing import Any

import pytest

from instanseg_export.api.validate import validate
from instanseg_export.images.named import NamedImage
from support.packaged import Exported


def test_the_readme_tells_the_essentials(demo_folder: Path) -> None:
    text = (demo_folder / "nuclei_dsb2018_README.md").read_text(encoding="utf-8")
    for heading in (
        "# nuclei_dsb2018",
        "### QuPath",
        "### Fiji",
        "## Settings",
        "## Limits",
        "## Validation",
        "## Cite",
    ):
        assert f"\n{heading}\n" in f"\n{text}"
    assert "\n- **`seed_threshold` = 0.7:** " in text
    assert "choose `local/nuclei_dsb2018-0.1.0`" in text, "as QuPath's list shows it"
    assert "0.5 µm per pixel" in text
    assert "have not been compared" in text
    assert "instanseg-export contributors" in text
    assert "https://doi.org/10.48550/arXiv.2408.15954" in text
    assert "|" not in text, "QuPath's viewer knows no tables"
    assert "![" not in text, "nor pictures that lie beside the README"


def test_the_readme_of_an_unnamed_model_is_honest(channelnet_folder: Path) -> None:
    text = (channelnet_folder / "nuclei_cells_channelnet_README.md").read_text(encoding="utf-8")
    assert "Nobody has stated a licence" in text
    assert "- **Licence:** not stated, see below\n" in text
    assert "- **Channels:** any number\n" in text
    assert "- **Pixel size:** not known\n" in text
    assert "QuPath takes it for 1 µm" in text


def test_the_python_lines_of_the_readme_run(demo_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (demo_folder / "nuclei_dsb2018_README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len(blocks) == 2
    monkeypatch.chdir(demo_folder)
    for block in blocks:
        names: dict[str, Any] = {}
        exec(block, names)
        assert int(names["labels"].max()) > 10


def test_the_validation_section_comes_from_the_report(demo: Exported, demo_folder: Path, tmp_path: Path) -> None:
    image = NamedImage("corner", demo.samples[0].image[:, :96, :96], sample=True)
    report = validate(demo_folder, images=[image], runtimes=["torchscript", "onnxruntime"])
    folder = demo.package(tmp_path / "package", report=report)
    text = (folder / "nuclei_dsb2018_README.md").read_text(encoding="utf-8")
    assert report.summary() in text
    assert "have not been compared" not in text
    for runtime in report.runtimes:
        assert f"- **{runtime.title} {runtime.version}:** " in text
    # The report came later: the same folder, written again, is the same but for the README and its hash.
    demo.package(tmp_path / "before")
    comparison = filecmp.dircmp(tmp_path / "before", folder)
    assert comparison.diff_files == ["nuclei_dsb2018_README.md"]
