"""Benchmarks of real models and of small programs that stand in for runtimes: what is counted, told apart and refused.

Nothing here asserts how long anything takes.
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from torch import Tensor, nn

from instanseg_export import ImageError, PackageError, RuntimeUnavailableError, SettingError, bench, inspect
from instanseg_export.benchmark.result import Benchmark
from instanseg_export.benchmark.rows import Row
from instanseg_export.images.named import NamedImage
from instanseg_export.runtimes.process import run_runtime
from instanseg_export.runtimes.registry import find_runtime
from support.paths import DEMO

PARTS = ["normalisation", "network", "post-processing"]

PROGRAM = """
import json, os, sys
import numpy as np
value = dict(zip(sys.argv[1::2], sys.argv[2::2]))
print(json.dumps({"ready": True}), flush=True)
assert value["--repeat"] == "3"
image = np.load(value["--input"])
labels = np.zeros((len(image), 2, *image.shape[2:]), np.float32)
BODY
np.savez(open(value["--output"], "wb"), instance_segmentation=labels)
print(json.dumps({"input": value["--input"], "run_s": [9.0, 8.0, 0.5], "peak_mb": 3.0, "version": "1"}), flush=True)
"""


def runtime(folder: Path, body: str = "", more: str = "") -> str:
    """Write a runtime whose labels are made by ``body``, and return its folder."""
    folder.mkdir()
    (folder / "program.py").write_text(PROGRAM.replace("BODY", textwrap.dedent(body)))
    (folder / "runtime.toml").write_text(
        f"""
        name = "{folder.name}"
        title = "{folder.name}"
        description = "for tests"
        program = ["{{python}}", "{{folder}}/program.py"]
        {more}
        [artefact]
        target = "torchscript"
        filename = "instanseg.pt"
        [install]
        hint = "reinstall"
        """
    )
    return str(folder)


def image(channels: int = 3, size: int = 32) -> NamedImage:
    return NamedImage("noise", np.random.default_rng(1).uniform(0, 255, (channels, size, size)))


@pytest.fixture(scope="module")
def demo(demo_package: Path) -> Benchmark:
    """The demo on a small drawn image, in TorchScript and ONNX Runtime."""
    return bench(demo_package, size=128, objects=30, runtimes=["torchscript", "onnxruntime"], turns=2, threads=1)


def by_runtime(result: Benchmark) -> dict[str, Row]:
    return {row.runtime: row for row in result.rows}


def test_every_figure_of_a_row_follows_from_what_was_measured(demo: Benchmark) -> None:
    assert [row.runtime for row in demo.rows] == ["torchscript", "onnxruntime"]
    for row in demo.rows:
        assert row.status == "measured"
        assert row.seconds is not None
        assert row.fastest_s is not None
        assert row.slowest_s is not None
        assert 0 < row.fastest_s <= row.seconds <= row.slowest_s
        assert row.seconds == pytest.approx((row.fastest_s + row.slowest_s) / 2), "the median of two"
        assert row.megapixels_per_s == pytest.approx(128 * 128 / 1e6 / row.seconds)
        assert row.objects is not None
        assert row.objects_per_s == pytest.approx(row.objects / row.seconds)
        assert row.peak_mb is None or row.peak_mb > 10
        assert (row.threads, row.times_faster) == ("1", None)


def test_time_is_split_in_both_formats(demo: Benchmark) -> None:
    for row in demo.rows:
        assert row.not_split == ""
        assert row.split_s is not None
        assert list(row.split_s) == PARTS
        assert min(row.split_s["normalisation"], row.split_s["network"]) > 0
        measured = row.split_s["normalisation"] + row.split_s["network"]
        assert sum(row.split_s.values()) == pytest.approx(max(row.seconds or 0, measured))


def test_both_formats_find_the_same_objects(demo: Benchmark) -> None:
    counts = {row.objects for row in demo.rows}
    assert len(counts) == 1
    assert 10 < counts.pop() <= 36  # type: ignore[operator]


def test_the_floor_is_the_network_s_cost_over_the_matrix_peak(demo: Benchmark, demo_package: Path) -> None:
    (floor,) = demo.floors
    expected = inspect(DEMO).gflop_per_megapixel * 128 * 128 / 1e6  # type: ignore[union-attr]
    assert floor.gflop == pytest.approx(expected)
    assert demo.matrix_peak_gflops is not None
    assert floor.seconds == pytest.approx(expected / demo.matrix_peak_gflops)


def test_one_file_gets_a_drawn_image_and_a_package_its_samples(demo_package: Path) -> None:
    one = bench(demo_package / "model.onnx", runtimes=["onnxruntime"], objects=16, turns=1, threads=1)
    assert [entry["shape"] for entry in one.images] == [[1, 3, 80, 80]]
    assert one.floors[0].gflop is None, "an ONNX file alone does not carry the network's layers"
    own = bench(demo_package, runtimes=["onnxruntime"], turns=1, threads=1)
    assert [entry["note"] for entry in own.images] == ["of the package"] * len(own.images)
    assert len(own.rows) == len(own.images) >= 2


def test_written_files(demo: Benchmark, tmp_path: Path) -> None:
    demo.write(tmp_path)
    assert json.loads((tmp_path / "bench.json").read_text()) == json.loads(json.dumps(demo.document()))
    with Pillow.open(tmp_path / "bench.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    colours = {tuple(colour) for colour in np.unique(pixels.reshape(-1, 3), axis=0).tolist()}
    # A part of a few milliseconds can be thinner than a pixel, but the network is not.
    assert {(0, 114, 178), (30, 30, 30)} <= colours


# What runtimes say


def test_distinct_ids_are_counted_and_the_last_run_alone(demo_package: Path, tmp_path: Path) -> None:
    gaps = runtime(tmp_path / "gaps", "labels[0, 0, 0, :3] = [7, 7, 40]\nlabels[0, 1, 2, 5] = 900")
    (row,) = bench(demo_package, runtimes=[gaps], images=[image()], turns=2).rows
    assert row.objects == 3
    assert (row.seconds, row.fastest_s, row.slowest_s, row.peak_mb) == (0.5, 0.5, 0.5, 3.0)
    assert row.split_s is None
    assert row.not_split == "gaps has no way to tell"


def test_threads_reach_the_program_and_its_own_choice_is_told(demo_package: Path, tmp_path: Path) -> None:
    body = "labels.ravel()[: int(os.environ['OMP_NUM_THREADS'])] = np.arange(int(os.environ['OMP_NUM_THREADS'])) + 1"
    obedient = runtime(tmp_path / "obedient", body)
    free = runtime(tmp_path / "free", body, "own_threads = true")
    rows = by_runtime(bench(demo_package, runtimes=[obedient, free], images=[image()], turns=1, threads=5))
    assert rows["obedient"].objects == 5
    assert (rows["obedient"].threads, rows["free"].threads) == ("5", "its own choice")


def test_threads_follow_the_environment(demo_package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = runtime(tmp_path / "silent")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert bench(demo_package, runtimes=[silent], images=[image()], turns=1).threads == 3
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert bench(demo_package, runtimes=[silent], images=[image()], turns=1).threads >= 1


def test_programs_take_turns(demo_package: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    body = f"open({str(log)!r}, 'a').write(sys.argv[0].split('/')[-2] + ' ')"
    names = [runtime(tmp_path / name, body) for name in ("first", "second")]
    seen: list[tuple[int, int]] = []
    bench(
        demo_package,
        runtimes=names,
        images=[image()],
        turns=3,
        progress=lambda what, done, total: seen.append((done, total)),
    )
    assert log.read_text().split() == ["first", "second"] * 3
    assert seen == [(step, 8) for step in range(9)]


def test_a_runtime_that_fails_is_a_row_and_is_not_asked_again(demo_package: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    broken = runtime(tmp_path / "broken", f"open({str(log)!r}, 'a').write('x')\nsys.exit(3)")
    sound = runtime(tmp_path / "sound")
    result = bench(demo_package, runtimes=[broken, sound, "onnxruntime_java_1_20"], images=[image()], turns=2)
    rows = by_runtime(result)
    assert rows["broken"].status == "failed"
    assert rows["broken"].why
    assert log.read_text() == "x"
    assert rows["sound"].status == "measured"
    slow = runtime(tmp_path / "slow", "import time\ntime.sleep(60)", "start_limit = 0.5")
    assert (
        "time limit"
        in by_runtime(bench(demo_package, runtimes=[slow, sound], images=[image()], turns=1, time_limit=0.5))[
            "slow"
        ].why
    )
    with pytest.raises(PackageError, match="Every runtime failed") as raised:
        bench(demo_package, runtimes=[broken], images=[image()], turns=1)
    assert raised.value.hint


# Models of others


class Foreign(nn.Module):
    """A file that says nothing of itself: its one convolution sees the image, its labels are where that is bright."""

    def __init__(self, convolves: bool) -> None:
        super().__init__()
        self.convolves = convolves
        self.convolution = nn.Conv2d(3, 1, 1)
        nn.init.constant_(self.convolution.weight, 1 / 3)
        assert self.convolution.bias is not None
        nn.init.zeros_(self.convolution.bias)

    def forward(self, image: Tensor) -> Tensor:
        if float(image.max()) > 3.0 or float(image.min()) < -2.0:
            raise ValueError("the image is not normalised")
        mean = self.convolution(image) if self.convolves else image.mean(dim=1, keepdim=True)
        return (mean > 0.5).to(torch.float32)


def test_several_models_are_compared_with_the_first(demo_package: Path, tmp_path: Path) -> None:
    torch.jit.script(Foreign(convolves=True).eval()).save(tmp_path / "foreign.pt")
    result = bench(
        [tmp_path / "foreign.pt", demo_package],
        runtimes=["torchscript", "onnxruntime"],
        size=64,
        turns=1,
        threads=1,
        trust=True,
    )
    rows = {(row.model, row.runtime): row for row in result.rows}
    assert set(rows) == {
        ("foreign", "torchscript"),
        ("nuclei_dsb2018", "torchscript"),
        ("nuclei_dsb2018", "onnxruntime"),
    }
    first = rows["foreign", "torchscript"]
    assert (first.status, first.objects, first.times_faster) == ("measured", 1, None)
    assert first.split_s is not None
    for name in ("torchscript", "onnxruntime"):
        row = rows["nuclei_dsb2018", name]
        assert row.compared_to == "foreign in TorchScript"
        assert row.times_faster == pytest.approx((first.seconds or 0) / (row.seconds or 1))
    assert any("normalised beforehand" in note and "foreign" in note for note in result.notes)


def test_what_cannot_be_split_says_why(tmp_path: Path) -> None:
    torch.jit.script(Foreign(convolves=False).eval()).save(tmp_path / "foreign.pt")
    (row,) = bench(tmp_path / "foreign.pt", runtimes=["torchscript"], size=40, turns=1, threads=1, trust=True).rows
    assert row.split_s is None
    assert row.not_split == "no convolution was seen"


def test_parts_of_the_graph_run_by_themselves(demo_package: Path, tmp_path: Path) -> None:
    """With settings that a part takes, and with settings that only the rest of the graph does."""
    onnxruntime = find_runtime("onnxruntime")
    np.save(tmp_path / "image.npy", image(size=48).batch())
    outcomes = [
        run_runtime(onnxruntime, demo_package / "model.onnx", [tmp_path / "image.npy"], [tmp_path / "a.npz"], **kwargs)[
            0
        ]
        for kwargs in ({"split": True}, {"split": True, "settings": {"normalize": "never", "min_size": 3}})
    ]
    for outcome in outcomes:
        assert outcome.error == ""
        assert outcome.split_s is not None
        assert set(outcome.split_s) == {"normalisation", "network"}


# Bad input


def test_a_device_that_is_not_here(demo_package: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("needs a machine without CUDA")
    with pytest.raises(RuntimeUnavailableError, match="on cuda") as raised:
        bench(demo_package, runtimes=["torchscript"], size=32, turns=1, device="cuda")
    assert "--device cpu" in raised.value.hint


def test_no_runtime_for_the_file(demo_package: Path) -> None:
    with pytest.raises(RuntimeUnavailableError, match=r"No runtime here runs .*model\.onnx"):
        bench(demo_package / "model.onnx", runtimes=["torchscript"])


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"size": 0}, ImageError, "size 0 is not positive"),
        ({"size": -5}, ImageError, "size -5 is not positive"),
        ({"objects": 0}, ImageError, "number of objects 0 is not positive"),
        ({"size": 10**6}, ImageError, "too large"),
        ({"size": 20, "objects": 1000}, ImageError, "no room"),
        ({"size": 20, "images": [image()]}, ImageError, "and a size"),
        ({"images": []}, ImageError, "no image"),
        ({"images": [image(channels=2)]}, ImageError, "2 channels, but nuclei_dsb2018 takes 3"),
        ({"images": [NamedImage("flat", np.zeros((4, 4)))]}, ImageError, "flat"),
        ({"threads": 0}, SettingError, "number of threads cannot be 0"),
        ({"turns": -1}, SettingError, "turns cannot be -1"),
        ({"time_limit": 0.0}, SettingError, "time limit cannot be 0"),
        ({"settings": {"seed_threshold": 7}}, SettingError, "seed_threshold"),
    ],
    ids=str,
)
def test_bad_input(demo_package: Path, options: dict[str, object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        bench(demo_package, **options)  # type: ignore[arg-type]


def test_no_model(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="No model"):
        bench([])
    with pytest.raises(PackageError, match="nowhere"):
        bench(tmp_path / "nowhere")
