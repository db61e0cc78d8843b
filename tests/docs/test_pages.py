"""Pages for users of a program or a language begin with the shortest example, and examples agree with what there is."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from support.paths import ROOT

DOCS = ROOT / "docs"
PAGES = {
    "qupath.md": "groovy",
    "fiji.md": "ijm",
    "python.md": "python",
    "java.md": "java",
    "cpp.md": "cpp",
    "rust.md": "rust",
    "swift.md": "swift",
    "ci.md": "yaml",
    "servers.md": "console",
}


def _page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def _blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", _page(name), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(("name", "language"), PAGES.items())
def test_a_page_begins_with_an_example(name: str, language: str) -> None:
    assert re.match(rf"# [^\n]+\n\n```{language}\n", _page(name))
    assert f"(docs/{name})" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_qupaths_example_calls_what_the_script_calls() -> None:
    """The script ran in QuPath, and the Groovy compiler reads it in java_smoke/."""
    example, script = _blocks("qupath.md", "groovy")[0], _page("qupath_script.groovy")
    calls = re.findall(r"\.(\w+)\(", example)
    assert {"modelPath", "allInputChannels", "detectObjects"} <= set(calls)
    assert [call for call in calls if f".{call}(" not in script] == []
    assert "import qupath.ext.instanseg.core.InstanSeg\n" in script
    assert "qupath.ext.instanseg.core.InstanSeg.builder()" in example


def test_fijis_example_opens_what_run_writes_and_a_macro_that_packages_have(demo_package: Path, tmp_path: Path) -> None:
    (macro,) = _blocks("fiji.md", "ijm")
    (command,) = _blocks("fiji.md", "console")
    image, script = re.findall(r'"(.*?)"', macro)
    assert (demo_package.parent / script).is_file()
    shutil.copytree(demo_package, tmp_path / "nuclei_dsb2018")
    (tmp_path / "model_zoo").symlink_to(ROOT / "model_zoo")
    words = command.split()
    assert words[0] == "instanseg-export"
    done = subprocess.run([sys.executable, "-m", "instanseg_export", *words[1:]], cwd=tmp_path, check=False)
    assert done.returncode == 0
    assert (tmp_path / image).is_file()


def test_the_page_on_ci_gives_inputs_that_there_are() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/parity.yml").read_text(encoding="utf-8"))
    action = yaml.safe_load((ROOT / ".github/actions/parity/action.yml").read_text(encoding="utf-8"))
    called, stepped = (yaml.safe_load(block) for block in _blocks("ci.md", "yaml"))
    assert set(called["jobs"]["parity"]["with"]) <= set(workflow[True]["workflow_call"]["inputs"])
    assert set(stepped["steps"][1]["with"]) <= set(action["inputs"])
    rows = re.findall(r"^\| (`[^|]*`) \|", _page("ci.md").partition("| Input |")[2], re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`([\w-]+)`", row)} == set(action["inputs"])
    assert stepped["steps"][0]["uses"] in (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")


def test_the_caller_of_the_page_passes_actionlint(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("actionlint")
    if not program.exists():
        pytest.skip("needs actionlint: pip install 'instanseg-export[test]'")
    (tmp_path / "parity.yml").write_text(
        f"on: [push, pull_request]\npermissions: {{ contents: read }}\n{_blocks('ci.md', 'yaml')[0]}"
    )
    done = subprocess.run([program, tmp_path / "parity.yml"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
