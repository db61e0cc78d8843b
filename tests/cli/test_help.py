"""Help teaches, and comes without loading anything heavy; so does the package itself."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

import instanseg_export
from instanseg_export.cli.usage import COMMANDS
from support.paths import ROOT

Done = subprocess.CompletedProcess

HEAVY = ("torch", "onnx", "onnxruntime", "bioimageio", "skimage", "numpy", "pydantic", "tifffile", "yaml")


@pytest.fixture
def loaded_by(environment: dict[str, str], tmp_path: Path) -> Callable[[str], list[str]]:
    """The heavy modules that a program has imported by its end."""

    def run(code: str) -> list[str]:
        found = tmp_path / "modules"
        program = (
            f"import sys\n{code}\nopen({str(found)!r}, 'w').write(' '.join(n for n in {HEAVY} if n in sys.modules))"
        )
        subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True)
        return found.read_text().split()

    return run


@pytest.mark.parametrize(
    "command_line", [["--help"], *([name, "--help"] for name in COMMANDS), ["--version"], ["inspct"], ["a", "--otput"]]
)
def test_nothing_heavy_is_imported(loaded_by: Callable[[str], list[str]], command_line: list[str]) -> None:
    call = f"try: main({command_line})\nexcept SystemExit: pass"
    assert loaded_by(f"from instanseg_export.cli import main\n{call}") == []


def test_importing_the_package_imports_nothing_heavy(loaded_by: Callable[[str], list[str]]) -> None:
    assert loaded_by("import instanseg_export; instanseg_export.InstansegExportError; dir(instanseg_export)") == []


def test_a_heavy_import_would_be_noticed(loaded_by: Callable[[str], list[str]]) -> None:
    assert loaded_by("import numpy") == ["numpy"]


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_shows_options_and_examples(command: Callable[..., Done[str]], name: str) -> None:
    done = command(*filter(None, [name]), "--help")
    assert done.returncode == 0
    assert done.stderr == ""
    assert "Usage: instanseg-export" in done.stdout
    assert "--json" in done.stdout
    if name != "doctor":
        assert f"instanseg-export {name}".strip() in done.stdout.split("Typical calls:")[1]


def test_without_arguments_help_is_shown(command: Callable[..., Done[str]]) -> None:
    done = command()
    assert done.returncode == 2
    assert "Typical calls:" in done.stdout
    assert "CHECKPOINT" in done.stderr


def test_version(command: Callable[..., Done[str]]) -> None:
    assert command("--version").stdout.strip() == instanseg_export.__version__


def test_every_public_name_is_there_and_documented() -> None:
    for name in instanseg_export.__all__:
        member = getattr(instanseg_export, name)
        assert name == "__version__" or member.__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'exprot'"):
        instanseg_export.exprot  # noqa: B018


def test_names_are_functions_even_after_the_modules_are_imported() -> None:
    for module in {f"instanseg_export{path}" for path in instanseg_export._MODULE_OF.values()}:
        __import__(module)
    for name in instanseg_export._MODULE_OF:
        assert callable(getattr(instanseg_export, name)), name


def test_the_installed_command_is_this_main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"instanseg-export": "instanseg_export.__main__:main"}
    from instanseg_export.__main__ import main

    assert callable(main)
    for point in importlib.metadata.entry_points(group="console_scripts", name="instanseg-export"):
        assert point.value == "instanseg_export.__main__:main"
