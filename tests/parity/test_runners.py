"""Programs that crash, hang, babble or are not there cost a row of the report, and never the run."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from instanseg_export.api.validate import validate
from instanseg_export.errors import PackageError, UnknownNameError
from instanseg_export.images.named import NamedImage
from instanseg_export.runtimes.outcome import Outcome
from instanseg_export.runtimes.process import run_runtime
from instanseg_export.runtimes.registry import builtin_folder, find_runtime, list_runtimes, read_runtime

Write = Callable[..., Path]

# A sound program in the fewest lines that the protocol takes: every value above 100 is instance 1.
PROGRAM = """
import argparse, json, os, signal, sys, time
import numpy as np
parser = argparse.ArgumentParser()
for name in ("model", "device", "repeat", "settings"):
    parser.add_argument("--" + name)
for name in ("input", "output"):
    parser.add_argument("--" + name, nargs="+")
parser.add_argument("--stages", action="store_true")
arguments = parser.parse_args()
{before}
for source, destination in zip(arguments.input, arguments.output):
    image = np.load(source)
    labels = (image[:, :1] > 100).astype(np.float32)
    {during}
    np.savez(destination, instance_segmentation=labels)
    print(json.dumps({{"input": source, "version": "1", "device": "cpu", "load_s": 0.0, "run_s": [0.0]}}), flush=True)
"""
ON_SECOND = "if image.max() == 222: "


def program(before: str = "", during: str = "") -> str:
    return PROGRAM.format(before=before, during=during)


def run(
    folder: Path, tmp_path: Path, time_limit: float = 20.0, stages: bool = False, model: Path | None = None
) -> list[Outcome]:
    """Run a runtime on three images of 8 x 8; the second can be told by its maximum of 222."""
    images = []
    for index, peak in enumerate((111.0, 222.0, 133.0)):
        image = np.zeros((1, 2, 8, 8), dtype=np.float32)
        image[:, :, 2:5, 2:5] = peak
        images.append(tmp_path / f"{index}.npy")
        np.save(images[-1], image)
    outputs = [path.with_suffix(".npz") for path in images]
    return run_runtime(
        read_runtime(folder), model or tmp_path / "model", images, outputs, time_limit=time_limit, stages=stages
    )


def test_a_sound_program(tmp_path: Path, write_runtime: Write) -> None:
    outcomes = run(write_runtime("sound", source=program()), tmp_path)
    assert [outcome.error for outcome in outcomes] == ["", "", ""]
    assert [int(outcome.labels().sum()) for outcome in outcomes] == [9, 9, 9]


@pytest.mark.parametrize(
    ("during", "reason"),
    [
        (ON_SECOND + "os.kill(os.getpid(), signal.SIGSEGV)", "the program crashed (SIGSEGV)"),
        (ON_SECOND + "os._exit(7)", "the program ended with status 7"),
        (ON_SECOND + "raise MemoryError('too many seeds')", "status 1: MemoryError: too many seeds"),
        (ON_SECOND + "print('Loading', flush=True); sys.exit(0)", "not the protocol: 'Loading'"),
        (ON_SECOND + "print(json.dumps({'input': source, 'run_s': 'soon'}), flush=True); sys.exit(0)", "run_s"),
        (ON_SECOND + "print(json.dumps({'input': source, 'load_s': float('nan')}), flush=True); sys.exit(0)", "load_s"),
        (ON_SECOND + "print(json.dumps({'input': source, 'peak_mb': -1}), flush=True); sys.exit(0)", "peak_mb"),
        (ON_SECOND + "print(json.dumps({'input': 7}), flush=True); sys.exit(0)", "input"),
        (ON_SECOND + "print('[' * 100000, flush=True); sys.exit(0)", "not the protocol"),
        (ON_SECOND + "print('9' * 6000, flush=True); sys.exit(0)", "not the protocol"),
        (ON_SECOND + "print('null', flush=True); sys.exit(0)", "not the protocol"),
        (ON_SECOND + "sys.exit('\\x1b[31mred')", "status 1: [31mred"),
    ],
)
def test_a_crash_costs_one_image(tmp_path: Path, write_runtime: Write, during: str, reason: str) -> None:
    first, second, third = run(write_runtime("fragile", source=program(during=during)), tmp_path)
    assert first.error == third.error == ""
    assert int(third.labels().sum()) == 9
    assert reason in second.error


def _out_of_memory() -> dict[str, str]:
    words = {
        "numpy": "raise MemoryError('Unable to allocate 37.3 GiB for an array')",
        "cpp": "os.write(2, b\"terminate called after throwing an instance of 'std::bad_alloc'\\n\"); os.abort()",
        "system": "os.kill(os.getpid(), signal.SIGKILL)",
        "onnxruntime": "sys.exit('bfc_arena.cc:376 Failed to allocate memory for requested buffer of size 4294967296')",
        "java": "sys.exit('java.lang.OutOfMemoryError: Java heap space')",
    }
    said = {
        "torch": "RuntimeError: DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes",
        "cuda": "OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB",
        "fork": "OSError: [Errno 12] Cannot allocate memory",
    }
    say = "print(json.dumps({{'input': source, 'error': {!r}}}), flush=True); continue"
    lines = {name: say.format(text) for name, text in said.items()}
    return {name: ON_SECOND + "\n        " + text for name, text in {**words, **lines}.items()}


@pytest.mark.parametrize("name", _out_of_memory())
def test_a_lack_of_memory_is_called_that(tmp_path: Path, write_runtime: Write, name: str) -> None:
    """However a program dies of it, neither the model nor the image is at fault, and the others are run."""
    first, second, third = run(write_runtime("hungry", source=program(during=_out_of_memory()[name])), tmp_path)
    assert first.error == third.error == ""
    assert second.out_of_memory
    assert second.error.startswith("there was not enough memory: ")
    assert not first.out_of_memory


def test_messages_of_programs_name_no_temporary_place(tmp_path: Path, write_runtime: Write) -> None:
    during = ON_SECOND + "\n        raise ValueError(f'{arguments.model} fails on {source}, nothing in {destination}')"
    _, second, _ = run(write_runtime("wordy", source=program(during=during)), tmp_path)
    assert second.error.endswith("model fails on 1.npy, nothing in 1.npz")


@pytest.mark.parametrize(
    "during",
    [
        ON_SECOND + "time.sleep(600)",
        ON_SECOND + "\n        while True: print('still busy', flush=True)",
        ON_SECOND + "\n        while True: sys.stdout.write('x' * 100000)",
        ON_SECOND + "os.close(1); os.close(2); time.sleep(600)",
    ],
    ids=["silent", "talking", "one endless line", "closed"],
)
def test_a_hang_costs_one_image_and_its_time_limit(tmp_path: Path, write_runtime: Write, during: str) -> None:
    start = time.monotonic()
    folder = write_runtime("slow", source=program(during=during), start_limit=10)
    first, second, third = run(folder, tmp_path, time_limit=2)
    assert first.error == third.error == ""
    assert "2 s, the time limit" in second.error or "did not end" in second.error
    assert time.monotonic() - start < 40


def test_what_a_hanging_program_started_is_ended_too(tmp_path: Path, write_runtime: Write) -> None:
    note = tmp_path / "child"
    child = "import subprocess; child = subprocess.Popen(['sleep', '600']); "
    child += f"open({str(note)!r}, 'w').write(str(child.pid)); child.wait()"
    run(write_runtime("parent", source=program(during=ON_SECOND + child), start_limit=10), tmp_path, time_limit=2)
    status = Path(f"/proc/{note.read_text()}/status")
    assert not status.exists() or "zombie" in status.read_text()


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        ("raise SystemExit('no licence')", "status 1: no licence"),
        ("print(json.dumps({'error': 'bad magic number', 'input': None}), flush=True)", "bad magic number"),
        ("time.sleep(600)", "the program did not start within 3 s"),
    ],
)
def test_a_program_that_cannot_start_is_not_tried_for_every_image(
    tmp_path: Path, write_runtime: Write, before: str, reason: str
) -> None:
    start = time.monotonic()
    outcomes = run(write_runtime("broken", source=program(before=before), start_limit=2), tmp_path, time_limit=1)
    assert [reason in outcome.error for outcome in outcomes] == [True, True, True]
    assert time.monotonic() - start < 20


@pytest.mark.parametrize(
    ("during", "reason"),
    [
        ("labels = labels * 0.5", "not whole numbers"),
        ("labels = -labels", "not whole numbers from 0 on"),
        ("labels = labels * np.nan", "not whole numbers"),
        ("labels = labels[0]", "not a label map"),
        ("labels = labels[..., 1:]", "shape .* for an image of shape"),
        ("labels = np.repeat(labels, 3, axis=0)", "shape .* for an image of shape"),
        ("labels = labels.astype('S9')", "be read"),
        ("labels = labels.astype(complex)", "be read"),
        ("labels = np.array([[[[{'a': 1}]]]], dtype=object)", "be read"),
        (
            "np.save(open(destination, 'wb'), labels); print(json.dumps({'input': source}), flush=True); continue",
            "be read",
        ),
        ("os.mkfifo(destination); print(json.dumps({'input': source}), flush=True); continue", "be read"),
        ("np.savez(destination, other=labels); print(json.dumps({'input': source}), flush=True); continue", "has no"),
        ("open(destination, 'w').write('PK'); print(json.dumps({'input': source}), flush=True); continue", "be read"),
        ("print(json.dumps({'input': source}), flush=True); continue", "be read"),
    ],
)
def test_an_output_that_is_no_label_map(tmp_path: Path, write_runtime: Write, during: str, reason: str) -> None:
    outcomes = run(write_runtime("sloppy", source=program(during=during)), tmp_path)
    with pytest.raises(ValueError, match=reason):
        outcomes[0].labels()


def test_bad_runtimes_are_rows_of_the_report(package: Path, write_runtime: Write, squares: NamedImage) -> None:
    crash = write_runtime("crashing", source=program(during="os.abort()"))
    hang = write_runtime("hanging", source=program(during="time.sleep(600)"), start_limit=1)
    garbage = write_runtime("babbling", source="print('hello')")
    absent = write_runtime("absent", source="", modules=("no_such_module",), hint="pip install no-such-module")
    no_command = write_runtime("no_command", source="", command=("no-such-program", "--version"))
    wrong_shape = write_runtime("cropping", source=program(during="labels = labels[..., 1:]"))
    no_file = write_runtime("no_file", source="", filename="model.bin")
    bad = [crash, hang, garbage, absent, no_command, wrong_shape, no_file]
    # The limit counts from the moment that the model is loaded, so that the start of PyTorch is not in it.
    report = validate(package, runtimes=["torchscript", *map(str, bad)], images=[squares], time_limit=5, trust=True)
    found = {runtime.name: (runtime.status, runtime.why) for runtime in report.runtimes}
    assert found["torchscript"][0] == "passed"
    assert report.status == "failed"
    for name, status, words in [
        ("crashing", "failed", "SIGABRT"),
        ("hanging", "failed", "the time limit"),
        ("babbling", "failed", "'hello'"),
        ("cropping", "failed", "its label map has shape (2, 1, 64, 79)"),
        ("absent", "not run", "Python does not find no_such_module"),
        ("no_command", "not run", "there is no program no-such-program"),
        ("no_file", "not run", "there is no model.bin here"),
    ]:
        assert found[name][0] == status
        assert words in found[name][1]
    row = next(runtime for runtime in report.runtimes if runtime.name == "absent")
    assert row.install == "pip install no-such-module"


def test_with_nothing_to_compare_the_report_does_not_pass(package: Path, squares: NamedImage) -> None:
    report = validate(package / "instanseg.pt", images=[squares], trust=True)
    assert report.status == "not run"
    assert not report.passed
    eager = next(runtime for runtime in report.runtimes if runtime.name == "torch_eager")
    assert (eager.status, "does not describe its network" in eager.why) == ("not run", True)
    assert "it takes two runtimes" in report.summary()


def test_runtimes_are_listed_and_found_by_name_or_folder(tmp_path: Path, write_runtime: Write) -> None:
    listed = {runtime.name: runtime for runtime in list_runtimes()}
    assert list(listed)[:4] == ["torch_eager", "torchscript", "onnxruntime", "onnxruntime_unoptimised"]
    assert all(runtime.install and runtime.description for runtime in listed.values())
    assert find_runtime(str(write_runtime("mine", source=""))).name == "mine"
    with pytest.raises(UnknownNameError) as caught:
        find_runtime("onnx-runtime")
    assert "Did you mean 'onnxruntime'?" in caught.value.hint
    (tmp_path / "runtime.toml").write_text("name = 'half'\ntitle = 'half'")
    with pytest.raises(PackageError, match=r"runtime\.toml is malformed at description: Field required"):
        find_runtime(str(tmp_path))


def test_runners_share_no_code_with_the_exporter() -> None:
    for path in builtin_folder().glob("*/*.py"):
        imported = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0
                imported.add(str(node.module).partition(".")[0])
        assert ("instanseg_export" in imported) == (path.parent.name == "torch_eager"), path


def test_the_torchscript_runner_runs_where_the_exporter_would_fail(tmp_path: Path, package: Path) -> None:
    poison = tmp_path / "poison" / "instanseg_export"
    poison.mkdir(parents=True)
    (poison / "__init__.py").write_text("raise ImportError('a runner imported the exporter')")
    np.save(tmp_path / "image.npy", np.full((1, 2, 9, 9), 200, dtype=np.float32))
    done = subprocess.run(
        [
            *(sys.executable, builtin_folder() / "torchscript" / "runner.py", "--model", package / "instanseg.pt"),
            *("--input", tmp_path / "image.npy", tmp_path / "none.npy"),
            *("--output", tmp_path / "a.npz", tmp_path / "b.npz"),
            *("--repeat", "2", "--stages"),
        ],
        env={**os.environ, "PYTHONPATH": str(poison.parent)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    ready, first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert ready["ready"] is True
    assert first["outputs"]["instance_segmentation"] == first["outputs"]["stage.labels"] == [1, 1, 9, 9]
    assert len(first["run_s"]) == 2
    assert first["device"] == "cpu"
    assert 10 < first["peak_mb"] < 20_000
    assert second["error"].startswith("FileNotFoundError")
    assert done.returncode == 1
