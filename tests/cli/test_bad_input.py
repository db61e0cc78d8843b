"""Bad input ends with one message of ours that names the file, the fact and the remedy, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile

from support.paths import DEMO

Done = subprocess.CompletedProcess
Command = Callable[..., Done[str]]
Refused = Callable[..., None]


@pytest.fixture(autouse=True)
def _nothing_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Temporary files go to a folder of the test's own, which is empty at the end, like all hidden names."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    yield
    left = [path for path in scratch.rglob("*") if path.is_file()]
    assert left == [], "temporary files are left"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == [], "a staging folder is left"


@pytest.fixture
def environment(environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    return {**environment, "TMPDIR": str(tmp_path / "scratch")}


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"scratch"}


# Typos


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["inspct", "x.pt"], ["'inspct'", "Did you mean 'inspect'?"]),
        (["doctr"], ["'doctr'", "Did you mean 'doctor'?"]),
        (["ck.pt", "--target", "onnx"], ["--target", "Did you mean --targets?"]),
        (["ck.pt", "--overwrit"], ["--overwrit", "Did you mean --overwrite?"]),
        (["ck.pt", "--targets", "onx"], ["'onx'", "Did you mean 'onnx'?"]),
        (["ck.pt", "--targets", "Torchscript"], ["'Torchscript'", "Did you mean 'torchscript'?"]),
        (["ck.pt", "--targets"], ["--targets needs at least one name", "torchscript, onnx"]),
        (["ck.pt", "--static-size", "256"], ["--static-size takes 2 values, and there is 1"]),
        (["run", "model", "a.tif", "--region", "1", "2", "3"], ["--region takes 4 values, and there are 3"]),
        (["--targets", "onnx"], ["CHECKPOINT", "--help"]),
        (["a.pt", "b.pt"], ["'b.pt'", "--help"]),
        (["run", "model"], ["IMAGE", "instanseg-export run --help"]),
        (["run", "model", "image.tif", "--pixel-size", "half"], ["--pixel-size", "half"]),
        (["validate", "--jsn", "x"], ["--jsn", "Did you mean --json?"]),
        (["validate", "x", "--baseline", "none.json"], ["no baseline at none.json", "--output baseline"]),
        (["export-servr", "x"], ["'export-servr'", "Did you mean 'export-server'?"]),
        (["export-server", "x", "--kinds", "trition"], ["'trition'", "Did you mean 'triton'?"]),
        (["export-server", "none"], ["There is no file or folder none"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_typo(command: Command, refused: Refused, arguments: list[str], words: list[str]) -> None:
    refused(command(*arguments), *words)


def test_a_checkpoint_that_slipped_behind_the_targets(command: Command, refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(b"x")
    refused(
        command("other.pt", "--targets", "onnx", "model.pt"),
        "model.pt is a file",
        "instanseg-export model.pt --targets",
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "seed_treshold=0.6"], ["'seed_treshold'", "Did you mean 'seed_threshold'?"]),
        (["--set", "seed_threshold=2"], ["seed_threshold", "'2'", "from 0 to 1"]),
        (["--set", "seed_threshold"], ["--set", "'seed_threshold'", "key=value"]),
        (["--set", "min_size=1", "min_size=2"], ["min_size", "twice"]),
        (["--spec", "pixel_sise=0.5"], ["pixel_sise", "pixel_size"]),
        (["--spec", "pixel_size=-1"], ["pixel_size", "-1"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bad_settings(
    command: Command, refused: Refused, tmp_path: Path, arguments: list[str], words: list[str]
) -> None:
    refused(command(DEMO, *arguments), *words)
    assert _names(tmp_path) == set()


# Checkpoints


class _Payload:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch executed",)


def _missing(path: Path) -> None: ...


def _empty(path: Path) -> None:
    path.touch()


def _truncated(path: Path) -> None:
    content = DEMO.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _text(path: Path) -> None:
    path.write_text("this is not a checkpoint")


def _executes(path: Path) -> None:
    path.write_bytes(pickle.dumps({"model_state_dict": _Payload()}))


def _executes_in_zip(path: Path) -> None:
    import torch

    torch.save({"model_state_dict": _Payload()}, path)


def _climbs(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../escaped/data.pkl", b"")
        archive.writestr("archive/data.pkl", pickle.dumps({}))


def _other_family(path: Path) -> None:
    import torch

    torch.save({"model_state_dict": {"some.other.weight": torch.zeros(3)}}, path)


@pytest.mark.parametrize(
    "make", [_missing, _empty, _truncated, _text, _executes, _executes_in_zip, _climbs, _other_family]
)
@pytest.mark.parametrize("name", ["export", "inspect"])
def test_bad_checkpoint(
    command: Command, refused: Refused, tmp_path: Path, make: Callable[[Path], None], name: str
) -> None:
    path = tmp_path / "checkpoint.pt"
    make(path)
    before = _names(tmp_path)
    done = command(*([] if name == "export" else [name]), path)
    refused(done, str(path))
    assert _names(tmp_path) == before, "something was written, or a payload was executed"


# Outputs


def test_existing_output_is_kept(command: Command, refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/precious").write_text("x")
    refused(command(DEMO, "--output", "out"), "out", "exists", "--overwrite")
    assert (tmp_path / "out/precious").read_text() == "x"
    (tmp_path / "report").mkdir()
    refused(command("validate", DEMO, "--output", "report"), "report", "exists", "--overwrite")


@pytest.mark.parametrize("place", ["file/out", "/proc/out"])
def test_unwritable_output(command: Command, refused: Refused, tmp_path: Path, place: str) -> None:
    if place.startswith("/proc") and not Path("/proc/self").exists():
        pytest.skip("needs /proc")
    (tmp_path / "file").write_text("x")
    refused(command(DEMO, "--output", place), "out", "--output")
    assert _names(tmp_path) == {"file"}


def test_full_disk(command: Command, refused: Refused, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    unshare = ("unshare", "--user", "--map-root-user", "--mount")
    mount = f"mount -t tmpfs -o size=300k tmpfs {disk}"
    probe = shutil.which("unshare") and subprocess.run([*unshare, "sh", "-c", mount], capture_output=True, check=False)
    if not probe or probe.returncode:
        pytest.skip("needs unshare and the right to mount a small disk")
    # The program runs where the disk is mounted, and lists what is on it afterwards.
    script = f'{mount} && "$@"; status=$?; ls -A {disk} >listing; exit $status'
    done = command(DEMO, "--output", disk / "out", "--no-validate", prefix=(*unshare, "sh", "-c", script, "sh"))
    refused(done, "disk is full", str(disk / "out"), "--output")
    assert (tmp_path / "listing").read_text() == ""


def test_a_limit_on_file_size(command: Command, refused: Refused, tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("needs ulimit")
    done = command(DEMO, "--output", "out", "--no-validate", prefix=("sh", "-c", 'ulimit -f 100; exec "$@"', "sh"))
    refused(done, "out")
    assert _names(tmp_path) == set()


# Models and images for run and validate


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "two channels.tif"
    tifffile.imwrite(path, np.zeros((2, 40, 50), np.uint8), imagej=True, metadata={"axes": "CYX"})
    return path


def test_wrong_channel_count(
    command: Command, refused: Refused, demo_package: Path, image: Path, tmp_path: Path
) -> None:
    refused(command("run", demo_package, image), str(image), "2 channels", "takes 3", "--channels 1 2 2")
    refused(command("validate", demo_package, "--images", image), image.name, "2 channels", "takes 3")
    refused(command("run", demo_package, image, "--channels", "1", "2", "7"), "'7'", "1 channel 1, 2 channel 2")
    assert _names(tmp_path) == {image.name}


def test_run_refuses_what_is_no_model(command: Command, refused: Refused, image: Path, tmp_path: Path) -> None:
    refused(command("run", "nowhere", image), "nowhere")
    refused(command("run", DEMO, image), "checkpoint.pt", "export it first", "instanseg-export")
    (tmp_path / "empty.onnx").touch()
    refused(command("run", "empty.onnx", image), "empty.onnx", "empty")
    (tmp_path / "broken.onnx").write_bytes(b"not an onnx file")
    refused(command("run", "broken.onnx", image), "broken.onnx")
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("../instanseg.pt", b"x")
    refused(command("run", "evil.zip", image), "evil.zip", "../instanseg.pt")
    refused(command("validate", "evil.zip"), "evil.zip", "../instanseg.pt")
    assert _names(tmp_path) == {image.name, "empty.onnx", "broken.onnx", "evil.zip"}


def test_run_refuses_bad_images_and_options(
    command: Command, refused: Refused, demo_package: Path, image: Path, tmp_path: Path
) -> None:
    refused(command("run", demo_package, "nowhere.tif"), "nowhere.tif")
    (tmp_path / "empty.tif").touch()
    refused(command("run", demo_package, "empty.tif"), "empty.tif", "empty")
    more = ("--channels", "1", "1", "2")
    refused(command("run", demo_package, image, *more, "--pixel-size", "-1"), "-1", "micrometres")
    refused(command("run", demo_package, image, *more, "--runtime", "onnxruntim"), "Did you mean 'onnxruntime'?")
    refused(
        command("run", demo_package / "model.onnx", image, *more, "--runtime", "torchscript"),
        "torchscript",
        "model.onnx",
    )
    refused(command("run", demo_package, image, *more, "--set", "seed_treshold=1"), "Did you mean 'seed_threshold'?")
    refused(
        command("run", demo_package / "model.onnx", image, *more, "--set", "window_size=16"),
        "window_size",
        "torchscript",
    )
    (tmp_path / "two channels_labels.tif").write_text("precious")
    refused(command("run", demo_package, image, *more), "two channels_labels.tif exists", "--overwrite")
    assert (tmp_path / "two channels_labels.tif").read_text() == "precious"


def test_errors_are_json_too(command: Command) -> None:
    done = command("nowhere.pt", "--json")
    assert done.returncode == 2
    error = json.loads(done.stdout)["error"]
    assert error["kind"] == "CheckpointError"
    assert "nowhere.pt" in error["message"]
    assert error["hint"]
    assert json.loads(command("a", "--jsn", "--json").stdout)["error"]["kind"] == "UsageError"


def test_debug_shows_the_traceback(command: Command) -> None:
    assert "Traceback" in command("nowhere.pt", "--debug").stderr
    assert "Traceback" not in command("nowhere.pt").stderr


def test_a_defect_of_ours_is_one_line_and_how_to_report_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from instanseg_export.api import doctor as diagnosis
    from instanseg_export.cli import main

    def broken(**_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(diagnosis, "doctor", broken)
    assert main(["doctor"]) == 70
    error, hint = capsys.readouterr().err.splitlines()
    assert "ZeroDivisionError: division by zero" in error
    assert "--debug" in hint
    assert main(["doctor", "--debug"]) == 70
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("library", ["python", "numpy", "torch"])
def test_a_lack_of_memory_is_no_defect(
    library: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever asks for it, outside of what is guarded for a file."""
    import numpy as np
    import torch

    from instanseg_export.api import doctor as diagnosis
    from instanseg_export.cli import main

    libraries: dict[str, Callable[[int], object]] = {"python": bytearray, "numpy": np.ones, "torch": torch.ones}
    allocate = libraries[library]
    monkeypatch.setattr(diagnosis, "doctor", lambda **_: allocate(1 << 55))
    assert main(["doctor"]) == 2
    error, hint = capsys.readouterr().err.splitlines()
    assert error == "error: There is not enough memory for this."
    assert hint.startswith("hint: Close other programs")
    assert main(["doctor", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


# Precision


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--precision", "int4"], ["'int4'", "Did you mean 'int8'?"]),
        (["--precision", "int8", "--targets", "torchscript"], ["made from the ONNX file", "Add onnx to --targets"]),
        (["--precision", "int8", "--calibrate", "scratch"], ["scratch holds no image", "--calibrate"]),
        (["--calibrate", "scratch"], ["no effect on fp32", "--precision"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_precision(command: Command, refused: Refused, tmp_path: Path, arguments: list[str], words: list[str]) -> None:
    refused(command(DEMO, *arguments), *words)
    assert _names(tmp_path) == set()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs limits on memory as Linux has them")
@pytest.mark.parametrize("kilobytes", [60_000, 150_000, 300_000, 800_000, 1_500_000])
def test_too_little_memory_is_no_damage_and_no_defect(
    command: Command, refused: Refused, tmp_path: Path, kilobytes: int
) -> None:
    prefix = ("sh", "-c", f'ulimit -v {kilobytes} && exec "$@"', "sh")
    done = command("inspect", DEMO, prefix=prefix)
    refused(done, "memory")
    assert "damaged" not in done.stderr
    assert "defect" not in done.stderr


@pytest.mark.parametrize(
    "name", ["x[/y]", "[red]", ":smile:", "\x1b[31mred", "\u202egnp", "a\nb", os.fsdecode(b"\xff")]
)
def test_results_name_odd_paths_as_they_are_and_leave_the_terminal_alone(
    command: Command, tmp_path: Path, name: str
) -> None:
    place = tmp_path / name.replace("/", "_") if "/" not in name else tmp_path / "x[" / "y]"
    place.mkdir(parents=True)
    shutil.copytree(DEMO.parent, place / "run")
    done = command("inspect", place / "run" / DEMO.name)
    assert done.returncode == 0, done.stderr
    assert not [char for char in done.stdout if char in "\x1b\u202e\udcff"]
    if name.isprintable():
        assert place.name in done.stdout
