"""The documentation does what it says: commands and programs run, tables agree with the code, links lead somewhere."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from instanseg_export import __version__
from instanseg_export.families.instanseg.settings import INSTANSEG_SETTINGS
from instanseg_export.runtimes.build import CACHE_VARIABLE
from instanseg_export.targets import TARGETS
from instanseg_export.targets.settings import is_fixed
from support.paths import ROOT
from support.processes import environment
from support.warm_commands import WarmCommands
from support.web_page import LACKING

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
EXPORTING = ("augmentation.md", "ci.md", "coreml.md", "executorch.md", "openvino.md", "precision.md", "static.md")
"""Pages that begin with an export or a comparison of their own, half a minute each; other tests do the same."""

BLOCKS = [
    pytest.param(
        match[1],
        match[2],
        id=f"{page.name}-{index}",
        marks=[pytest.mark.slow] if page.name in EXPORTING and index == 0 else [],
    )
    for page in PAGES
    for index, match in enumerate(re.finditer(r"```(console|bash|python)\n(.*?)```", page.read_text(), re.DOTALL))
]
RUN_BY_CI = ("pip ", "python -m venv", "python -m pytest", ".venv/", "ruff ", "mypy")
"""Commands that install this package or check its sources: .ci/run does so, and a test must not do so again."""


@pytest.fixture(scope="module")
def workplace(demo_package: Path, demo_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like a checkout in which the demo has been exported."""
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "model_zoo").symlink_to(ROOT / "model_zoo")
    shutil.copytree(demo_package, folder / "nuclei_dsb2018")
    shutil.copy(demo_program, folder)
    return folder


@pytest.mark.parametrize(("language", "text"), BLOCKS)
def test_block_runs(
    language: str, text: str, workplace: Path, warm_commands: WarmCommands, request: pytest.FixtureRequest
) -> None:
    if language == "python":
        program = [sys.executable, "-c", text]
        done = subprocess.run(program, cwd=workplace, env=environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        return
    for command in re.split(r"&&|\n", text):
        words = shlex.split(command)
        if not words or command.strip().startswith(RUN_BY_CI):
            continue
        assert words[0] == "instanseg-export", f"nobody runs {command!r}"
        if words[1:] == ["model_zoo/nuclei_dsb2018/checkpoint.pt", "--targets", "torchscript", "onnx"]:
            continue  # the fixture ran it: demo_package is made by this very command
        if words[1] == "serve":
            continue  # it runs until it is interrupted: tests/cli/test_web_commands.py does both
        more = {}
        if words[1] == "export-web":
            if LACKING:
                pytest.skip(f"needs {' and '.join(LACKING)}")
            more = {CACHE_VARIABLE: str(request.getfixturevalue("web_page"))}
        done = warm_commands.run(words[1:], workplace, environment(**more))
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def test_the_readme_has_the_two_commands_and_ci_runs_them() -> None:
    readme = (ROOT / "README.md").read_text()
    assert (
        "pip install . && instanseg-export model_zoo/nuclei_dsb2018/checkpoint.pt --targets torchscript onnx" in readme
    )
    assert "pip install '.[test]' && python -m pytest" in readme
    script = (ROOT / ".ci/run").read_text()
    places = [
        script.index(step)
        for step in (
            "pip install --quiet .\n",
            "instanseg-export model_zoo/nuclei_dsb2018/checkpoint.pt --targets torchscript onnx",
            "pip install --quiet '.[test]'",
            "ruff format --check .",
            "ruff check .",
            "mypy",
            "python -m pytest",
        )
    ]
    assert places == sorted(places), "the main job first, with nothing installed that only the tests need"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_exist(page: Path) -> None:
    targets = [t for t in re.findall(r"\]\(([^)#]+)", page.read_text()) if not t.startswith("http")]
    assert [target for target in targets if not (page.parent / target).exists()] == []


def _default(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def settings_table() -> str:
    """The table of docs/settings.md, from the code."""
    lines = ["| Setting | Default | Values | What it does |", "|---|---|---|---|"]
    for setting in INSTANSEG_SETTINGS:
        values = {
            "choice": ", ".join(setting.choices),
            "bool": "true, false",
            "flags": "0 or 1 per structure",
            "float": f"{setting.minimum:g} to {setting.maximum:g}",
            "int": f"{setting.minimum:.0f} to {setting.maximum:.0f}",
        }[setting.kind]
        stuck = [target.name for target in TARGETS if target.overridable and is_fixed(setting, target)]
        fixed = f" Fixed at export in {', '.join(stuck)}." if stuck else ""
        text = f"{setting.help[0].upper()}{setting.help[1:]}{fixed}"
        lines.append(f"| `{setting.name}` | {_default(setting.default)} | {values} | {text} |")
    return "\n".join(lines)


def test_the_table_of_settings_is_the_code_s() -> None:
    page = (ROOT / "docs/settings.md").read_text()
    found = re.search(r"<!-- table: begin -->\n(.*)\n<!-- table: end -->", page, re.DOTALL)
    assert found is not None
    assert found[1] == settings_table(), "put this into docs/settings.md:\n" + settings_table()


def test_one_version_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == __version__
    assert f"## {__version__} " in (ROOT / "CHANGELOG.md").read_text()
