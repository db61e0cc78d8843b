"""The runtimes in JavaScript: built with npm where it is there, and then they keep what every runtime promises."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from instanseg_export.api.validate import validate
from instanseg_export.images.named import NamedImage
from instanseg_export.images.synthetic import standard_images
from instanseg_export.parity.report import Report
from instanseg_export.runtimes.build import CACHE_VARIABLE, build, build_folder, command_of
from instanseg_export.runtimes.description import Runtime
from instanseg_export.runtimes.registry import builtin_folder, find_runtime
from instanseg_export.targets import write_artifact
from instanseg_export.testing.runtime import RuntimeSuite
from instanseg_export.testing.small_forward import SmallForward, small_checkpoint, small_image

JAVASCRIPT_RUNTIMES = ("onnxruntime_node", "onnxruntime_web_wasm")
MISSING = [program for program in ("node", "npm") if shutil.which(program) is None]
needs_node = pytest.mark.skipif(bool(MISSING), reason="needs Node and npm")


@pytest.fixture(scope="module", autouse=True)
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache with both builds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(tmp_path_factory.mktemp("cache")))
        for name in JAVASCRIPT_RUNTIMES:
            assert MISSING or build(find_runtime(name)) == ""
        yield


@needs_node
class TestOnnxRuntimeNode(RuntimeSuite):
    name = "onnxruntime_node"


@needs_node
class TestOnnxRuntimeWebWasm(RuntimeSuite):
    name = "onnxruntime_web_wasm"


def images() -> list[NamedImage]:
    wanted = ("nuclei", "no objects", "one pixel", "odd sizes", "batch of 3")
    return [image for image in standard_images(3) if image.name in wanted]


def rows(report: Report) -> dict[str, tuple[str, str]]:
    return {runtime.name: (runtime.status, runtime.why) for runtime in report.runtimes}


@pytest.fixture(scope="module")
def report(demo_package: Path) -> Report:
    """Of the demo, with its own settings."""
    return validate(demo_package, images=images(), runtimes=JAVASCRIPT_RUNTIMES)


@needs_node
def test_they_find_the_same_cells_as_pytorch(report: Report) -> None:
    for name in JAVASCRIPT_RUNTIMES:
        assert rows(report)[name] == ("passed", ""), report.summary()
        record = next(runtime for runtime in report.runtimes if runtime.name == name)
        assert record.version == "1.30.0"
        assert record.peak_mb is not None
        assert all(cell.comparison and cell.comparison.equal_ids for cell in report.results_of(name))
        assert sum(cell.instances or 0 for cell in report.results_of(name)) > 100


@needs_node
def test_settings_of_every_kind_reach_them_or_are_refused_in_words(demo_package: Path, report: Report) -> None:
    """Neither library takes a setting as an input."""
    settings = {"min_size": 120, "normalize": "always", "cleanup_fragments": False, "seed_threshold": 0.75}
    changed = validate(demo_package, images=images()[:1], runtimes=JAVASCRIPT_RUNTIMES, settings=settings)
    for name in JAVASCRIPT_RUNTIMES:
        assert rows(changed)[name][0] == "passed", changed.summary()
        assert changed.results_of(name)[0].image == report.results_of(name)[0].image
        assert changed.results_of(name)[0].instances != report.results_of(name)[0].instances
    fixed = validate(
        demo_package,
        images=images()[:1],
        runtimes=["torchscript", *JAVASCRIPT_RUNTIMES],
        settings={"window_size": 16},
    )
    for name in JAVASCRIPT_RUNTIMES:
        status, why = rows(fixed)[name]
        assert status == "not run"
        assert "the setting window_size is fixed at export in this format" in why


@pytest.fixture(scope="module")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("small") / "model.onnx"
    write_artifact("onnx", SmallForward(), small_checkpoint(), path)
    return path


@needs_node
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"normalize": "sometimes"}, "the setting normalize is one of auto, always, never, not sometimes"),
        ({"level": "high"}, 'the setting level is of kind float, and "high" is not'),
    ],
)
def test_a_setting_that_does_not_fit_is_an_error(
    small_model: Path, tmp_path: Path, settings: dict[str, str], words: str
) -> None:
    np.save(tmp_path / "image.npy", small_image(9, 9).numpy())
    for runtime in map(find_runtime, JAVASCRIPT_RUNTIMES):
        assert words in _call(runtime, small_model, tmp_path, "--settings", json.dumps(settings))


@needs_node
def test_what_is_no_image_is_an_error_of_that_image_alone(small_model: Path, tmp_path: Path) -> None:
    runtime = find_runtime("onnxruntime_node")
    for image, words in (
        (np.zeros((1, 3, 4, 4), np.float64), "the image must be float32"),
        (np.zeros((3, 4, 4), np.float32), "the image must be float32"),
        (np.asfortranarray(np.zeros((1, 3, 4, 4), np.float32)), "only arrays in C order are read"),
        (np.zeros((1, 2, 4, 4), np.float32), "index: 1 Got: 2 Expected: 3"),
    ):
        np.save(tmp_path / "image.npy", image)
        assert words in _call(runtime, small_model, tmp_path)
    (tmp_path / "image.npy").write_bytes((tmp_path / "image.npy").read_bytes()[:-8])
    assert "the .npy file is truncated" in _call(runtime, small_model, tmp_path)


def _call(runtime: Runtime, model: Path, folder: Path, *more: str) -> str:
    """Run the program on image.npy and return its error."""
    paths = ("--input", str(folder / "image.npy"), "--output", str(folder / "image.npz"))
    command = [*command_of(runtime), "--model", str(model), *paths, *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    return str(json.loads(done.stdout.splitlines()[-1])["error"])


@needs_node
@pytest.mark.parametrize(
    ("name", "answer"), [("onnxruntime_node", "ignored"), ("onnxruntime_web_wasm", "invalid input")]
)
def test_why_settings_are_written_into_the_file(small_model: Path, tmp_path: Path, name: str, answer: str) -> None:
    """Given a setting as an input, one library ignores it and the other refuses it; the README says so."""
    runtime = find_runtime(name)
    library = {"onnxruntime_node": "onnxruntime-node/dist/index.js"}.get(
        name, "onnxruntime-web/dist/ort.wasm.bundle.min.mjs"
    )
    program = tmp_path / "feed.mjs"
    program.write_text(f"""
import fs from 'node:fs';
const module = await import({json.dumps(str(build_folder(runtime) / "node_modules" / library))});
const ort = module.default ?? module;
ort.env.wasm.numThreads = 1;
const session = await ort.InferenceSession.create(new Uint8Array(fs.readFileSync({json.dumps(str(small_model))})));
const image = new ort.Tensor('float32', new Float32Array(JSON.parse(process.argv[2])), [1, 3, 9, 9]);
const labels = async (more) => (await session.run({{ image, ...more }})).instance_segmentation.data.join();
const plain = await labels({{}});
try {{
  const changed = await labels({{ level: new ort.Tensor('float32', [0.85], []) }});
  console.log(changed === plain ? 'ignored' : 'taken');
}} catch (error) {{
  console.log(error.message);
}}
""")
    image = small_image(9, 9)
    assert not torch.equal(SmallForward()(image), SmallForward()(image, {"level": torch.tensor(0.85)}))
    done = subprocess.run(
        ["node", str(program), json.dumps(image.flatten().tolist())], capture_output=True, text=True, check=True
    )
    assert answer in done.stdout


def test_without_node_they_are_not_run_and_say_why(
    demo_package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    report = validate(demo_package, images=images()[:1], runtimes=["torchscript", *JAVASCRIPT_RUNTIMES])
    for name in JAVASCRIPT_RUNTIMES:
        assert rows(report)[name] == ("not run", "there is no program node on the path")
        record = next(runtime for runtime in report.runtimes if runtime.name == name)
        assert "doctor --build-runtimes" in record.install


def test_their_libraries_are_pinned() -> None:
    for name in JAVASCRIPT_RUNTIMES:
        folder = builtin_folder() / name
        wanted = json.loads((folder / "package.json").read_text())["dependencies"]
        locked = json.loads((folder / "package-lock.json").read_text())["packages"]
        ((library, version),) = wanted.items()
        assert locked[f"node_modules/{library}"]["version"] == version
        assert version in find_runtime(name).description
        assert all(one["integrity"] for place, one in locked.items() if place)
