"""Programs that crash, hang, babble or are not there cost a row of the report, and never the run."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from instanseg_export.errors import RuntimeUnavailableError
from instanseg_export.runtimes.outcome import Outcome
from instanseg_export.runtimes.process import run_runtime
from instanseg_export.runtimes.registry import read_runtime
from support.programs import program

Write = Callable[..., Path]

ON_SECOND = "if image.max() == 222: "


def run(
    folder: Path, tmp_path: Path, time_limit: float = 20.0, stages_from: int | None = None, model: Path | None = None
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
        read_runtime(folder),
        model or tmp_path / "model",
        images,
        outputs,
        time_limit=time_limit,
        stages_from=stages_from,
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
def test_a_hang_costs_one_image_and_its_time_limit(
    tmp_path: Path, write_runtime: Write, during: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("instanseg_export.runtimes.program._AFTER_LAST", 1.0)
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


def test_it_is_run_on_the_devices_that_it_offers_and_no_others(tmp_path: Path, write_runtime: Write) -> None:
    np.save(tmp_path / "image.npy", np.full((1, 2, 8, 8), 200, dtype=np.float32))
    folder = write_runtime("some", source=program(), more='devices = ["cpu", "tpu"]')

    def on(device: str) -> Outcome:
        paths = [tmp_path / "image.npy"], [tmp_path / "image.npz"]
        (outcome,) = run_runtime(read_runtime(folder), tmp_path / "model", *paths, device=device)
        return outcome

    assert on("tpu:1").error == ""
    refused = on("cuda:1")
    assert (refused.unavailable, refused.error) == (True, "it runs on cpu and tpu only")


def test_only_one_that_can_is_asked_to_time_the_parts_of_a_run(tmp_path: Path, write_runtime: Write) -> None:
    np.save(tmp_path / "image.npy", np.zeros((1, 2, 8, 8), dtype=np.float32))
    source = program(during="labels += '--split' in sys.argv")
    source = source.replace(
        'add_argument("--stages"', 'add_argument("--split", action="store_true")\nparser.add_argument("--stages"'
    )
    for splits in (True, False):
        folder = write_runtime(f"splits_{splits}", source=source, more=f"splits = {str(splits).lower()}")
        call = (read_runtime(folder), tmp_path / "model", [tmp_path / "image.npy"], [tmp_path / "image.npz"])
        if splits:
            (outcome,) = run_runtime(*call, split=True)
            assert outcome.labels().all(), "it was not asked to"
        else:
            with pytest.raises(RuntimeUnavailableError, match="cannot time the parts of a run"):
                run_runtime(*call, split=True)


_MIXES = """parser.add_argument("--stages-from", type=int, default=0)
parser.add_argument("--stages\""""


@pytest.mark.parametrize("mixes", [True, False])
@pytest.mark.parametrize("dies", [None, 0, 1, 2, 3])
def test_labels_and_then_stages_of_the_same_images(
    tmp_path: Path, write_runtime: Write, mixes: bool, dies: int | None
) -> None:
    """A program that mixes is started once for both, another twice; one that dies costs one image, whichever it is."""
    np.save(tmp_path / "dark.npy", np.zeros((1, 2, 8, 8), dtype=np.float32))
    np.save(tmp_path / "bright.npy", np.full((1, 2, 8, 8), 200, dtype=np.float32))
    during = f"""place = int(os.path.basename(destination)[0])
    with open({str(tmp_path / "starts")!r}, "a") as starts:
        starts.write(f"{{os.getpid()}} ")
    if place == {dies!r}:
        os._exit(7)
    asked = arguments.stages or "--stages-from" in sys.argv
    labels += 10 * (asked and arguments.output.index(destination) >= getattr(arguments, "stages_from", 0))"""
    source = program(during=during)
    if mixes:
        source = source.replace('parser.add_argument("--stages"', _MIXES)
    folder = write_runtime("both", source=source, more=f"mixes = {str(mixes).lower()}")
    inputs = [tmp_path / name for name in ("dark.npy", "bright.npy") * 2]
    outputs = [tmp_path / f"{place}.npz" for place in range(4)]
    outcomes = run_runtime(read_runtime(folder), tmp_path / "model", inputs, outputs, stages_from=2)
    assert [place for place, outcome in enumerate(outcomes) if outcome.error] == ([] if dies is None else [dies])
    found = [0 if outcome.error else int(outcome.labels().max()) for outcome in outcomes]
    assert found == [value if place != dies else 0 for place, value in enumerate((0, 1, 10, 11))]
    if dies is None:
        assert len(set((tmp_path / "starts").read_text().split())) == (1 if mixes else 2)


def test_the_file_may_be_loaded_again_in_the_time_of_a_start(tmp_path: Path, write_runtime: Write) -> None:
    """A program that mixes loads it before the first image with stages."""
    np.save(tmp_path / "image.npy", np.zeros((1, 2, 8, 8), dtype=np.float32))
    during = "time.sleep(1.5 * (arguments.output.index(destination) in {slow}))"
    for slow, late in ((1, []), (2, [2])):
        source = program(during=during.format(slow={slow})).replace('parser.add_argument("--stages"', _MIXES)
        folder = write_runtime(f"slow_at_{slow}", source=source, more="mixes = true")
        outputs = [tmp_path / f"{place}.npz" for place in range(3)]
        call = (read_runtime(folder), tmp_path / "model", [tmp_path / "image.npy"] * 3, outputs)
        outcomes = run_runtime(*call, stages_from=1, time_limit=0.7)
        assert [place for place, outcome in enumerate(outcomes) if outcome.error] == late
