"""What commands leave behind when disks are full, streams are closed, names collide or signals come."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from torch import Tensor, nn

import instanseg_export
from instanseg_export.files import MARKER

Done = subprocess.CompletedProcess
Command = Callable[..., Done[str]]
Refused = Callable[..., None]


class Bright(nn.Module):
    """Each pixel above 0.5 belongs to instance 1; files of others are given images that are normalised already."""

    def forward(self, image: Tensor) -> Tensor:
        return (image[:, :1] > 0.5).to(torch.float32)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with a model, which is a package of the fewest files, and an image that says its pixel size."""
    (tmp_path / "model").mkdir()
    torch.jit.save(torch.jit.script(Bright()), tmp_path / "model/instanseg.pt")
    pixels = np.zeros((1, 40, 50), np.uint8)
    pixels[:, 10:20, 10:20] = 200
    tifffile.imwrite(
        tmp_path / "cells.tif",
        pixels,
        imagej=True,
        resolution=(2.0, 2.0),
        metadata={"axes": "CYX", "unit": "micron"},
    )
    return tmp_path


def snapshot(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in sorted(folder.rglob("*"))
    }


def good(done: Done[str]) -> Done[str]:
    assert done.returncode == 0, done.stdout + done.stderr
    return done


RUN = ("run", "model", "cells.tif", "--runtime", "torchscript", "--trust")
VALIDATE = ("validate", "model", "--images", "cells.tif", "--runtimes", "torchscript", "--trust")
BENCH = ("bench", "model", "--images", "cells.tif", "--runtimes", "torchscript", "--turns", "1", "--trust")


def test_results_are_replaced_as_long_as_they_are_ours(command: Command, refused: Refused, here: Path) -> None:
    good(command(*RUN))
    refused(command(*RUN), "cells_labels.tif exists already", "--overwrite")
    good(command(*RUN, "--overwrite"))
    assert tifffile.imread(here / "cells_labels.tif").sum() == 100
    # The user corrects the label map, by a program that keeps what else is in the file.
    data = bytearray((here / "cells_labels.tif").read_bytes())
    data[len(data) // 2] ^= 1
    (here / "cells_labels.tif").write_bytes(data)
    before = snapshot(here)
    refused(command(*RUN, "--overwrite"), "cells_labels.tif is not replaced", "changed since")
    assert snapshot(here) == before


def test_results_never_replace_what_is_the_users(command: Command, refused: Refused, here: Path) -> None:
    truth = here / "cells_labels.tif"
    tifffile.imwrite(truth, np.ones((40, 50), np.uint16))
    before = snapshot(here)
    refused(command(*RUN, "--overwrite"), "cells_labels.tif is not replaced")
    assert snapshot(here) == before
    # An image whose name is that of its own results
    truth.unlink()
    (here / "cells_labels.tif").symlink_to("cells.tif")
    refused(command(*RUN, "--overwrite"), "cells_labels.tif is the input cells.tif")
    (here / "cells_labels.tif").unlink()
    (here / "cells_overlay.png").hardlink_to(here / "cells.tif")
    refused(command(*RUN, "--overwrite"), "cells_overlay.png is the input cells.tif")


def test_images_of_one_stem_do_not_replace_each_others_results(command: Command, refused: Refused, here: Path) -> None:
    from PIL import Image

    Image.fromarray(np.zeros((40, 50), np.uint8)).save(here / "cells.png")
    good(command(*RUN))
    before = snapshot(here)
    other = [*RUN[:2], "cells.png", *RUN[3:]]
    refused(command(*other, "--overwrite"), "was made from cells.tif, not from cells.png")
    assert snapshot(here) == before


def test_a_report_never_replaces_a_model(command: Command, refused: Refused, here: Path) -> None:
    before = snapshot(here)
    for output in ("model", "model/report", ".", "cells.tif"):
        for arguments in (VALIDATE, BENCH):
            refused(command(*arguments, "--output", output, "--overwrite"), "the input")
    refused(command(*RUN, "--output", "model"), "inside of the input model")
    assert snapshot(here) == before


def test_reports_and_benchmarks_are_replaced_by_their_kind(command: Command, refused: Refused, here: Path) -> None:
    alone = ("validate", "model", "--images", "cells.tif", "--runtimes", "torchscript", "--trust", "--output")
    command(*alone, "report")
    written = {"report.json", "report.md", "report.html", "junit.xml", "summary.md", MARKER}
    assert {path.name for path in (here / "report").iterdir()} == written
    good(command(*BENCH, "--output", "speed"))
    before = snapshot(here)
    refused(command(*alone, "speed", "--overwrite"), "speed is not replaced: it is a benchmark, and a report")
    refused(command(*BENCH, "--output", "report", "--overwrite"), "report is not replaced: it is a report")
    assert snapshot(here) == before
    (here / "speed/notes.txt").write_text("mine")
    refused(command(*BENCH, "--output", "speed", "--overwrite"), "notes.txt", "Move that")
    (here / "speed/notes.txt").unlink()
    good(command(*BENCH, "--output", "speed", "--overwrite"))


# Streams


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "koi8-r"])
def test_any_terminal_can_show_the_result(command: Command, here: Path, encoding: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "instanseg_export", *RUN],
        cwd=here,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    area = "25.0 µm²" if encoding == "latin-1" else "25.0 um"
    assert area in done.stdout.decode(encoding)


def test_a_locale_without_characters(command: Command, here: Path) -> None:
    done = command(*RUN, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", PYTHONIOENCODING="ascii:strict")
    assert "25.0 um2" in good(done).stdout


@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", "| head -c 1"])
def test_closed_streams_change_nothing(command: Command, here: Path, redirection: str) -> None:
    script = f'"$@" {redirection}; exit ${{PIPESTATUS[0]}}'
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("needs bash")
    done = good(command(*RUN, prefix=(bash, "-c", script, "bash")))
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
    assert tifffile.imread(here / "cells_labels.tif").sum() == 100
    failed = command("run", "nowhere", "cells.tif", prefix=(bash, "-c", script, "bash"))
    assert failed.returncode == 2
    assert "Traceback" not in failed.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_behind_stdout(command: Command, refused: Refused, here: Path) -> None:
    done = command(*RUN, "--json", prefix=("sh", "-c", '"$@" >/dev/full', "sh"))
    refused(done, "disk is full", "standard output", "cells_labels.tif")
    assert (here / "cells_labels.tif").exists()


# Full disks


@pytest.fixture
def on_small_disk(command: Command, here: Path) -> Callable[..., Done[str]]:
    """Run a command where a disk of so many kB is mounted at ``disk``; what is left on it is listed in ``listing``."""
    (here / "disk").mkdir()
    unshare = ("unshare", "--user", "--map-root-user", "--mount")

    def run(*arguments: str, size: int, **more: str) -> Done[str]:
        mount = f"mount -t tmpfs -o size={size}k tmpfs {here / 'disk'}"
        probe = shutil.which("unshare") and subprocess.run(
            [*unshare, "sh", "-c", mount], capture_output=True, check=False
        )
        if not probe or probe.returncode:
            pytest.skip("needs unshare and the right to mount a small disk")
        script = f'{mount} && "$@"; status=$?; ls -A {here / "disk"} >listing; exit $status'
        return command(*arguments, prefix=(*unshare, "sh", "-c", script, "sh"), **more)

    return run


@pytest.mark.parametrize("size", [4, 16])
@pytest.mark.parametrize("place", ["output", "TMPDIR"])
def test_a_full_disk_is_called_one(
    on_small_disk: Callable[..., Done[str]], refused: Refused, here: Path, place: str, size: int
) -> None:
    """From one without room for a folder to one where all but the last file fits; noise compresses badly."""
    noise = np.random.default_rng(1).integers(0, 255, (1, 64, 80), np.uint8)
    tifffile.imwrite(here / "cells.tif", noise, imagej=True, metadata={"axes": "CYX"})
    before = snapshot(here)
    if place == "output":
        done = on_small_disk(*RUN, "--output", "disk/out", size=size)
        refused(done, "disk is full", "disk/out", "--output")
    else:
        done = on_small_disk(*RUN, size=size, TMPDIR=str(here / "disk"))
        refused(done, "disk is full", "temporary files", "TMPDIR")
    assert str(here / "disk/inst") not in done.stderr
    assert (here / "listing").read_text() == ""
    (here / "listing").unlink()
    assert snapshot(here) == before


@pytest.mark.parametrize("size", [32, 44])
def test_a_disk_that_a_runner_fills_is_called_full(
    on_small_disk: Callable[..., Done[str]], refused: Refused, here: Path, size: int
) -> None:
    """The image, 20 kB, fits beside the records; the label map of the same size does not."""
    noise = np.random.default_rng(1).integers(0, 255, (1, 64, 80), np.uint8)
    tifffile.imwrite(here / "cells.tif", noise, imagej=True, metadata={"axes": "CYX"})
    done = on_small_disk(*RUN, size=size, TMPDIR=str(here / "disk"))
    refused(done, "disk is full", "temporary files", "TMPDIR")
    refused(on_small_disk(*VALIDATE, size=size, TMPDIR=str(here / "disk")), "disk is full", "TMPDIR")


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("n" * 300, "too long"),
        ("file/out", "is a file, not a folder"),
        ("loop/out", "a link that leads to itself"),
        ("readonly/out", "read-only"),
    ],
    ids=["name", "file", "loop", "read-only"],
)
def test_other_refusals_of_the_system_are_told_in_words(
    command: Command, refused: Refused, here: Path, output: str, words: str
) -> None:
    (here / "loop").symlink_to("loop")
    (here / "readonly").mkdir()
    (here / "file").touch()
    prefix: tuple[str, ...] = ()
    if output.startswith("readonly"):
        mount = f"mount -t tmpfs -o ro tmpfs {here / 'readonly'}"
        prefix = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", f'{mount} && exec "$@"', "sh")
        if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
            pytest.skip("needs unshare and the right to mount")
    for arguments in (RUN, VALIDATE):
        refused(command(*arguments, "--output", output, prefix=prefix), words, "--output")


# Signals


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_what_is_said_after_a_signal_is_true(
    here: Path, environment: dict[str, str], number: signal.Signals, status: int
) -> None:
    """At the step before the files appear, and after it: the last step is announced when they are there."""
    for step, times in (("segment", 1), ("segment", 5), ("done", 1)):
        process = subprocess.Popen(
            [sys.executable, "-m", "instanseg_export", *RUN, "--overwrite"],
            cwd=here,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # These tests may run under nohup or in the background, which is heeded.
            preexec_fn=lambda: [signal.signal(one, signal.SIG_DFL) for one in (signal.SIGINT, signal.SIGHUP)],
        )
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if line.strip().endswith(step):
                break
        for _ in range(times):
            process.send_signal(number)
        out, rest = process.communicate()
        said += rest
        assert "Traceback" not in said
        assert ".instanseg-export" not in said
        assert process.returncode in (0, status, -number), said
        if process.returncode == 0 or "Written" in out:  # the signal came when all was said, or while Python ended
            assert step == "done", "it was faster than the signal"
            assert "Written" in out
            continue
        last = said.splitlines()[-1]
        if (here / "cells_labels.tif").exists():
            assert last.startswith("Interrupted. Written: ")
            assert "cells_labels.tif" in last
        else:
            assert last == "Interrupted: nothing was written."
        assert not [path for path in here.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_python_ends_makes_no_traceback(
    here: Path, environment: dict[str, str], number: signal.Signals
) -> None:
    """When all is said, what Python does at its end is of no interest to anybody."""
    (here / "sitecustomize.py").write_text(
        "import atexit, sys, time\n"
        "def end():\n    sys.stderr.write('ending\\n'); sys.stderr.flush(); time.sleep(20)\n"
        "class Registers:\n"
        "    def find_spec(name, path=None, target=None):\n"
        "        if name == 'instanseg_export.cli': atexit.register(end)\n"
        "sys.meta_path.insert(0, Registers)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "instanseg_export", "--version"],
        cwd=here,
        env={**environment, "PYTHONPATH": os.pathsep.join([str(here), environment.get("PYTHONPATH", "")])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: [signal.signal(one, signal.SIG_DFL) for one in (signal.SIGINT, signal.SIGHUP)],
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "ending\n"
    process.send_signal(number)
    out, rest = process.communicate(timeout=15)
    assert (process.returncode, rest) == (-number, "")
    assert out.strip() == instanseg_export.__version__


def test_nohup_is_heeded(here: Path, environment: dict[str, str]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "instanseg_export", *RUN, "--json"],
        cwd=here,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    assert process.stderr is not None
    process.stderr.readline()
    process.send_signal(signal.SIGHUP)
    out, said = process.communicate()
    assert process.returncode == 0, said
    assert json.loads(out)["labels"].endswith("cells_labels.tif")
