"""The need of memory: foretold within bounds, refused before a pixel is read, and called by its name afterwards."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
import tifffile

from instanseg_export import run
from instanseg_export.errors import ImageError
from instanseg_export.exported_model import open_model
from instanseg_export.images import probe_image
from instanseg_export.images.synthetic import draw_nuclei
from instanseg_export.inference import memory
from instanseg_export.inference.model import get_ready


def _image(path: Path, size: int, channels: int) -> Path:
    array = draw_nuclei(1, channels, size, size, spacing=24).astype(np.uint8)
    tifffile.imwrite(path, array, photometric="minisblack", planarconfig="separate", metadata={"axes": "CYX"})
    return path


def _peak(arguments: list[str]) -> float:
    """The most bytes that a command and what it starts held at a time; forked twins of a program count once."""
    process = psutil.Popen([sys.executable, "-m", "instanseg_export", *arguments], stdout=subprocess.DEVNULL)
    most = 0
    while process.poll() is None:
        held: dict[tuple[str, ...], int] = {}
        try:
            for one in (process, *process.children(recursive=True)):
                name = tuple(one.cmdline())
                held[name] = max(held.get(name, 0), one.memory_info().rss)
        except psutil.Error:
            continue
        most = max(most, sum(held.values()))
        time.sleep(0.01)
    assert process.returncode == 0
    return float(most)


def _estimate(model: Path, image: Path, runtime: str) -> float:
    with open_model(model) as exported:
        ready = get_ready(model, exported, {}, runtime, "cpu")
        info = probe_image(image)
        return memory.estimate(info, range(info.shape[0]), None, (1.0, 1.0), ready).total


@pytest.mark.usefixtures("cold_runners")
@pytest.mark.parametrize(
    ("variant", "channels", "size", "runtime"),
    [
        ("nuclei_batchnorm", 3, 1024, "onnxruntime"),
        ("nuclei_batchnorm", 3, 1024, "torchscript"),
        pytest.param("nuclei_cells_channelnet", 2, 768, "onnxruntime", marks=pytest.mark.slow),
        pytest.param("nuclei_cells_channelnet", 2, 768, "torchscript", marks=pytest.mark.slow),
    ],
)
def test_the_need_of_a_run_is_foretold(
    exported: Callable[[str], Path], tmp_path: Path, variant: str, channels: int, size: int, runtime: str
) -> None:
    image = _image(tmp_path / "image.tif", size, channels)
    model = exported(variant)
    measured = _peak(
        ["run", str(model), str(image), "--runtime", runtime, "--output", str(tmp_path / "out"), "--quiet"]
    )
    assert 0.8 < _estimate(model, image, runtime) / measured < 2


def test_an_image_that_does_not_fit_is_refused_before_it_is_read(
    demo_package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pixels are a hole in the file, which takes no room on the disk."""
    path = tmp_path / "slide.tif"
    tifffile.imwrite(path, shape=(40_000, 40_000, 3), dtype=np.uint8, photometric="rgb", tile=(1024, 1024))
    with pytest.raises(ImageError) as caught:
        run(demo_package, path, output=tmp_path / "out")
    assert "40000 x 40000 pixels for the model" in caught.value.message
    assert caught.value.message.count(" GB") == 2
    for words in ("--region X Y WIDTH HEIGHT", "--channels", "--pixel-size", "--tiled", "--ignore-memory"):
        assert words in caught.value.hint
    assert not (tmp_path / "out").exists()
    part = run(demo_package, path, output=tmp_path / "part", region=(30_000, 20_000, 64, 64))
    assert tifffile.imread(part.labels).shape == (64, 64)


def test_what_is_free_is_the_least_of_machine_group_and_shell(
    demo_package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = _image(tmp_path / "image.tif", 256, 3)
    groups = tmp_path / "cgroup"
    inner = groups / "jobs/one"
    inner.mkdir(parents=True)
    own = tmp_path / "self"
    for text, base, names in (
        ("0::/jobs/one\n", groups, ("memory.max", "memory.current", "inactive_file")),
        (
            "5:cpu:/x\n7:memory:/jobs/one\n",
            groups / "memory",
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ),
    ):
        own.write_text(text)
        for folder, limit, used in ((base / "jobs/one", "max", "0"), (base / "jobs", "90000000", "70000000")):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / names[0]).write_text(f"{limit}\n")
            (folder / names[1]).write_text(f"{used}\n")
            (folder / "memory.stat").write_text(f"anon 5\n{names[2]} 1000000\n")
        assert list(memory._control_groups(groups, own)) == [21_000_000.0]
    real = memory._control_groups
    monkeypatch.setattr(memory, "_control_groups", lambda: real(groups, own))
    with pytest.raises(ImageError, match=r"21 MB are free in this control group"):
        run(demo_package, image, output=tmp_path / "out")
    result = run(demo_package, image, output=tmp_path / "out", ignore_memory=True)
    assert any("gone on regardless" in note for note in result.notes)


def test_a_limit_of_the_shell_counts(demo_package: Path, tmp_path: Path) -> None:
    image = _image(tmp_path / "image.tif", 1536, 3)
    command = f"{sys.executable} -m instanseg_export run {demo_package} {image} --output {tmp_path / 'out'}"
    call = f"ulimit -v 900000; exec {command}"
    done = subprocess.run(["bash", "-c", call], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "are free under this shell's limit (ulimit -v)" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_runtime_that_is_killed_for_memory_is_called_that(demo_package: Path, tmp_path: Path) -> None:
    """A program that does what a runtime does and is then killed, as the system does when memory runs out."""
    folder = tmp_path / "killed"
    folder.mkdir()
    (folder / "runner.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    (folder / "runtime.toml").write_text(
        'name = "killed"\ntitle = "Killed"\ndescription = "Is killed."\n'
        'program = ["{python}", "{folder}/runner.py"]\n'
        '[artefact]\ntarget = "onnx"\nfilename = "model.onnx"\n[install]\nhint = "none"\n'
    )
    image = _image(tmp_path / "image.tif", 64, 3)
    with pytest.raises(ImageError, match="not enough memory") as caught:
        run(demo_package, image, output=tmp_path / "out", runtime=str(folder))
    assert "--region" in caught.value.hint
    assert "at fault" not in caught.value.message + caught.value.hint
