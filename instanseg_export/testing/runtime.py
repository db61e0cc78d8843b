"""What every runtime promises: a description, a probe that answers, the protocol, and labels like everybody's."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
import torch

from ..families.base import SegmentationForward
from ..families.outputs import label_map
from ..metadata import LABELS, NETWORK
from ..runtimes.build import command_of
from ..runtimes.description import Runtime
from ..runtimes.outcome import Outcome
from ..runtimes.probe import probe
from ..runtimes.process import run_runtime
from ..runtimes.registry import find_runtime
from ..runtimes.session import RuntimeSession
from ..targets import known_target, write_artifact
from ..targets.static import StaticShape
from .small_forward import SmallForward, small_checkpoint, small_image

__all__ = ["RuntimeSuite"]

Array = npt.NDArray[Any]

_LIMIT = 300
_ROOT = Path(__file__).resolve().parents[2]


class _Ended(NamedTuple):
    """What a program said, and how it ended."""

    lines: list[dict[str, Any]]
    status: int
    outputs: list[Path]


class RuntimeSuite:
    """Tests of a runtime. A subclass has its name, or the path of its folder::

        class TestMine(RuntimeSuite):
            name = "mine"

    What is run is a small forward in the format that the runtime takes. Where no target here writes that, override the
    fixture ``model``, and give ``forward`` and ``images`` that fit it.
    """

    name: str
    device = "cpu"
    """That all tests run on."""

    @pytest.fixture(scope="class")
    @classmethod
    def forward(cls) -> SegmentationForward:
        """What the model was written from."""
        return SmallForward()

    @pytest.fixture(scope="class")
    @classmethod
    def static(cls) -> StaticShape | None:
        """What the file is made for, of a format without dynamic shapes; None for others."""
        target = known_target(find_runtime(cls.name).target)
        return None if target is None or target.dynamic_shapes else StaticShape(33, 20)

    @pytest.fixture(scope="class")
    @classmethod
    def images(cls, static: StaticShape | None) -> Sequence[Array]:
        """Two images (B, C, H, W), in which something is found, of different shapes where the format takes them."""
        if static is not None:
            image = small_image(static.height, static.width).numpy()
            return [image, np.ascontiguousarray(image[:, :, ::-1])]
        return [small_image(33, 20, batch=2).numpy(), small_image(24, 41).numpy()]

    @pytest.fixture(scope="class")
    @classmethod
    def settings(cls) -> dict[str, Any]:
        """A setting that changes the labels of the images."""
        return {"level": 0.85}

    @pytest.fixture(scope="class")
    @classmethod
    def runtime(cls) -> Runtime:
        """The runtime; its tests are skipped where the machine lacks what it needs."""
        runtime = find_runtime(cls.name)
        if lacking := probe(runtime):
            pytest.skip(f"{cls.name} cannot run on this machine: {lacking}")
        return runtime

    @pytest.fixture(scope="class")
    @classmethod
    def model(
        cls,
        runtime: Runtime,
        forward: SegmentationForward,
        static: StaticShape | None,
        tmp_path_factory: pytest.TempPathFactory,
    ) -> Path:
        """The file or folder that is run."""
        path = tmp_path_factory.mktemp("model") / runtime.filename
        write_artifact(runtime.target, forward, small_checkpoint(), path, static)
        return path

    @pytest.fixture
    def call(self, runtime: Runtime, model: Path, images: Sequence[Array], tmp_path: Path) -> Callable[..., _Ended]:
        """Call the program on the images, as the protocol says."""

        def call(*more: str, file: Path = model, stdin: str | None = None) -> _Ended:
            return _call(runtime, file, self.device, _save(images, tmp_path), *more, stdin=stdin)

        return call

    @pytest.fixture(scope="class")
    @classmethod
    def done(
        cls, runtime: Runtime, model: Path, images: Sequence[Array], tmp_path_factory: pytest.TempPathFactory
    ) -> _Ended:
        """What the program did with the images, and then with one that is not there."""
        folder = tmp_path_factory.mktemp("done")
        return _call(runtime, model, cls.device, [*_save(images, folder), folder / "missing.npy"])

    @pytest.fixture
    def session(self, runtime: Runtime, model: Path) -> Iterator[RuntimeSession]:
        """A session with the model."""
        with RuntimeSession.open(runtime, model, device=self.device) as session:
            yield session

    @pytest.fixture
    def outcomes(
        self, runtime: Runtime, model: Path, images: Sequence[Array], tmp_path: Path
    ) -> Callable[..., list[Outcome]]:
        """Run the images as this package does, with options of ``run_runtime``."""

        def run(**options: Any) -> list[Outcome]:
            inputs = _save(images, tmp_path)
            outputs = [path.with_suffix(".npz") for path in inputs]
            return run_runtime(runtime, model, inputs, outputs, **({"device": self.device} | options))

        return run

    def test_its_description_is_read_without_starting_a_program(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*arguments: object, **options: object) -> None:
            raise AssertionError(f"a program was started: {arguments}")

        monkeypatch.setattr(subprocess.Popen, "__init__", refuse)
        runtime = find_runtime(self.name)
        assert runtime.defect == ""
        assert runtime.title
        assert runtime.description
        assert runtime.install.hint
        target = known_target(runtime.target)
        assert target is None or runtime.artefact.kind == target.artefact

    def test_its_probe_answers(self) -> None:
        """With what is missing, or with nothing; and the same when it is asked again."""
        runtime = find_runtime(self.name)
        lacking = probe(runtime)
        assert isinstance(lacking, str)
        assert probe(runtime) == lacking

    def test_the_protocol(self, done: _Ended, images: Sequence[Array], runtime: Runtime) -> None:
        """A line when it is ready, then one for each image, and nothing else on stdout."""
        ready, *rows = done.lines
        name = LABELS if _is_whole(runtime) else NETWORK
        assert ready["ready"] is True
        assert [Path(row["input"]).name for row in rows] == ["0.npy", "1.npy", "missing.npy"]
        for row, image, output in zip(rows[:2], images, done.outputs[:2], strict=True):
            assert row["version"]
            assert row["device"].startswith(self.device)
            assert row["load_s"] >= 0
            assert len(row["run_s"]) == 2
            assert min(row["run_s"]) >= 0
            assert row.get("peak_mb") is None or row["peak_mb"] > 1
            with np.load(output) as found:
                result = found[name]
            assert (result.shape[0], *result.shape[2:]) == (image.shape[0], *image.shape[2:])
            assert row["outputs"][name] == list(result.shape)

    def test_results_are_those_of_the_forward(
        self,
        runtime: Runtime,
        outcomes: Callable[..., list[Outcome]],
        forward: SegmentationForward,
        images: Sequence[Array],
    ) -> None:
        """Label maps; of a file that holds the network alone, what the network gives for an image as it is."""
        for outcome, image in zip(outcomes(), images, strict=True):
            if not _is_whole(runtime):
                network = forward.network_output(torch.from_numpy(image)).numpy()
                assert network.any()
                np.testing.assert_allclose(outcome.further()[NETWORK], network, rtol=1e-3, atol=1e-3)
                continue
            expected = _labels(forward, image)
            assert expected.any()
            np.testing.assert_array_equal(outcome.labels(), expected)

    def test_settings_reach_the_model_or_are_refused(
        self,
        runtime: Runtime,
        outcomes: Callable[..., list[Outcome]],
        forward: SegmentationForward,
        images: Sequence[Array],
        settings: dict[str, Any],
    ) -> None:
        target = known_target(runtime.target)
        for outcome, image in zip(outcomes(settings=settings), images, strict=True):
            if target is not None and not target.overridable:
                assert outcome.unavailable
                assert all(name in outcome.error for name in settings)
                continue
            expected = _labels(forward, image, settings)
            assert not np.array_equal(expected, _labels(forward, image))
            np.testing.assert_array_equal(outcome.labels(), expected)

    def test_stages_are_those_of_the_forward(
        self,
        runtime: Runtime,
        outcomes: Callable[..., list[Outcome]],
        forward: SegmentationForward,
        images: Sequence[Array],
    ) -> None:
        _require_stages(runtime)
        for outcome, image in zip(outcomes(stages_from=0), images, strict=True):
            expected = forward.stages(torch.from_numpy(image))
            found = outcome.stages()
            assert set(found) == set(expected)
            for name, value in expected.items():
                np.testing.assert_allclose(found[name], value.numpy(), rtol=1e-3, atol=1e-3, err_msg=name)

    def test_stages_are_given_from_a_place_on(
        self,
        runtime: Runtime,
        outcomes: Callable[..., list[Outcome]],
        forward: SegmentationForward,
        images: Sequence[Array],
    ) -> None:
        """By one program if it mixes, and by two if it does not."""
        _require_stages(runtime)
        first, second = outcomes(stages_from=1)
        assert first.stages() == {}
        assert set(second.stages()) == set(forward.stages(torch.from_numpy(images[1])))
        for outcome, image in zip((first, second), images, strict=True):
            np.testing.assert_array_equal(outcome.labels(), _labels(forward, image))

    def test_an_image_that_fails_is_a_line_and_the_others_are_run(self, done: _Ended) -> None:
        *sound, failed = done.lines
        assert all(not row.get("error") for row in sound)
        assert Path(failed["input"]).name == "missing.npy"
        assert failed["error"]
        assert done.status != 0

    def test_a_session_gives_the_same_results_image_by_image(
        self,
        runtime: Runtime,
        session: RuntimeSession,
        done: _Ended,
        images: Sequence[Array],
        tmp_path: Path,
    ) -> None:
        """One program for all images of a runtime that streams, also after an image that failed."""
        name = LABELS if _is_whole(runtime) else NETWORK
        expected = [np.load(path)[name] for path in done.outputs[:2]]
        started = session.start()
        assert started.error == ""
        assert session.running == runtime.streams == bool(started.version)
        for turn in (0, 1, 0) if runtime.streams else (1,):
            source, destination = tmp_path / f"{turn}.npy", tmp_path / "session.npz"
            np.save(source, images[turn])
            outcome = session.run(source, destination)
            assert outcome.error == ""
            assert outcome.device.startswith(self.device)
            np.testing.assert_array_equal(np.load(destination)[name], expected[turn])
            np.save(tmp_path / "wrong.npy", np.zeros((2, 2), dtype=np.float64))
            assert session.run(tmp_path / "wrong.npy", destination).error
            assert session.running == runtime.streams, "an image that failed ended the program"

    def test_what_streams_answers_each_image_before_the_next(
        self, call: Callable[..., _Ended], runtime: Runtime, images: Sequence[Array], tmp_path: Path
    ) -> None:
        """And ends with its input, or at a line that is none of the protocol's."""
        if not runtime.streams:
            pytest.skip(f"{self.name} does not take images one by one")
        paths = [str(path) for path in _save(images, tmp_path)]
        text = "".join(json.dumps({"input": path, "output": path + ".npz"}) + "\n" for path in paths)
        done = call("--stream", stdin=text)
        assert [row.get("input") for row in done.lines] == [None, *paths]
        assert done.lines[0]["ready"] is True
        assert done.status == 0
        odd = call("--stream", stdin="no images\n" + text)
        assert odd.status != 0
        assert not any(row.get("input") for row in odd.lines)

    def test_an_unknown_setting_is_an_error_in_words(self, call: Callable[..., _Ended]) -> None:
        _assert_failed_in_words(call("--settings", json.dumps({"no_such_setting": 1})), "no_such_setting")

    def test_a_damaged_model_is_an_error_in_words(
        self, call: Callable[..., _Ended], runtime: Runtime, tmp_path: Path
    ) -> None:
        path = tmp_path / runtime.filename
        if runtime.artefact.kind == "folder":
            path.mkdir()
        (path / "noise" if runtime.artefact.kind == "folder" else path).write_bytes(b"\x07\xff" * 500)
        done = call(file=path)
        _assert_failed_in_words(done)
        assert done.lines[0]["input"] is None
        assert not done.lines[0].get("unavailable"), "the file is at fault, not the machine"

    def test_on_a_device_that_it_does_not_offer_it_is_not_run(self, outcomes: Callable[..., list[Outcome]]) -> None:
        for outcome in outcomes(device="no-such-device"):
            assert outcome.unavailable
            assert "runs on" in outcome.error


def _call(
    runtime: Runtime, model: Path, device: str, images: Sequence[Path], *more: str, stdin: str | None = None
) -> _Ended:
    """Run a program twice on each image, which are named to it unless it reads them from its input."""
    outputs = [path.with_suffix(".npz") for path in images]
    named = () if stdin is not None else ("--input", *map(str, images), "--output", *map(str, outputs))
    folder = images[0].parent
    done = subprocess.run(
        [*command_of(runtime), "--model", str(model), "--device", device, "--repeat", "2", *named, *more],
        env=_environment(runtime, folder),
        cwd=folder,
        input=stdin or "",
        capture_output=True,
        text=True,
        timeout=_LIMIT,
        check=False,
    )
    return _Ended([json.loads(line) for line in done.stdout.splitlines()], done.returncode, outputs)


def _require_stages(runtime: Runtime) -> None:
    target = known_target(runtime.target)
    if target is None or not target.exposes_stages:
        pytest.skip(f"{runtime.target} files do not give stages")


def _is_whole(runtime: Runtime) -> bool:
    target = known_target(runtime.target)
    return target is None or target.whole


def _save(images: Sequence[Array], folder: Path) -> list[Path]:
    paths = [folder / f"{index}.npy" for index in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        np.save(path, image)
    return paths


def _environment(runtime: Runtime, folder: Path) -> dict[str, str]:
    """Return an environment in which this package is found by those alone that say they need it."""
    if runtime.needs_exporter:
        place = _ROOT
    else:
        place = folder / "no_exporter"
        (place / "instanseg_export").mkdir(parents=True, exist_ok=True)
        (place / "instanseg_export" / "__init__.py").write_text("raise ImportError('a runtime imported the exporter')")
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(place), os.environ.get("PYTHONPATH")]))}


def _labels(forward: SegmentationForward, image: Array, settings: dict[str, Any] | None = None) -> Array:
    args = {name: torch.tensor(value) for name, value in (settings or {}).items()}
    with torch.inference_mode():
        labels: Array = label_map(forward(torch.from_numpy(image), args)).numpy()
    return labels


def _assert_failed_in_words(done: _Ended, words: str = "") -> None:
    errors = [row["error"] for row in done.lines if row.get("error")]
    assert errors, "it ended without an error line"
    assert len(errors) == len(done.lines) - any(row.get("ready") for row in done.lines), "an image was run all the same"
    assert words in errors[0]
    assert done.status != 0
