"""Which runtimes there are, in which order, and what it takes to list them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from instanseg_export.errors import PackageError, UnknownNameError
from instanseg_export.runtimes.probe import probe
from instanseg_export.runtimes.registry import find_runtime, list_runtimes
from instanseg_export.runtimes.selection import preferred_runtimes

Write = Callable[..., Path]


def test_runtimes_are_listed_and_found_by_name_or_folder(tmp_path: Path, write_runtime: Write) -> None:
    listed = {runtime.name: runtime for runtime in list_runtimes()}
    ours = ["torch_eager", "torchscript", "onnxruntime", "onnxruntime_unoptimised"]
    assert list(listed)[: len(ours)] == ours
    assert all(runtime.install.hint and runtime.description for runtime in listed.values())
    assert find_runtime(str(write_runtime("mine", source=""))).name == "mine"
    with pytest.raises(UnknownNameError) as caught:
        find_runtime("onnx-runtime")
    assert "Did you mean 'onnxruntime'?" in caught.value.hint
    (tmp_path / "runtime.toml").write_text("name = 'half'\ntitle = 'half'")
    with pytest.raises(PackageError, match=r"runtime\.toml is malformed at description: Field required"):
        find_runtime(str(tmp_path))


def test_to_list_them_no_program_is_started_and_no_library_loaded() -> None:
    program = """
import subprocess, sys

def refuse(*arguments, **options):
    raise AssertionError(f"a program was started: {arguments}")

subprocess.Popen.__init__ = refuse
from instanseg_export.runtimes.registry import list_runtimes
assert all(runtime.filename and runtime.title for runtime in list_runtimes())
print(sorted({"torch", "onnx", "onnxruntime", "bioimageio", "scipy"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


def test_run_tries_them_by_what_they_prefer_and_by_rank() -> None:
    def first(device: str) -> list[str]:
        return [runtime.name for runtime in preferred_runtimes(device)][:3]

    assert first("cpu") == ["onnxruntime", "torchscript", "onnxruntime_unoptimised"]
    assert first("cuda:1") == ["torchscript", "onnxruntime", "onnxruntime_unoptimised"]
    assert "torch_eager" not in [runtime.name for runtime in preferred_runtimes("cpu")]


def test_a_third_party_adds_a_runtime_by_entry_point(
    tmp_path: Path, write_runtime: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_runtime("theirs", source="")
    (tmp_path / "their_module.py").write_text(f"from pathlib import Path\nFOLDER = Path({str(folder)!r})\n")
    metadata = tmp_path / "their_module-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: their-module\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[instanseg_export.runtimes]\ntheirs = their_module:FOLDER\nbroken = their_module:NOTHING\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    listed = {runtime.name: runtime for runtime in list_runtimes()}
    assert probe(listed["theirs"]) == ""
    assert "NOTHING" in probe(listed["broken"])
    assert {"torchscript", "onnxruntime"} <= set(listed)
