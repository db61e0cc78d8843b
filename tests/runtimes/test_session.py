"""A program that stays takes images as they come; its crashes and hangs cost one image each."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from instanseg_export.errors import OutputError, RuntimeUnavailableError
from instanseg_export.runtimes.outcome import Outcome
from instanseg_export.runtimes.registry import read_runtime
from instanseg_export.runtimes.session import RuntimeSession
from support.alive import alive, eventually
from support.programs import program

Write = Callable[..., Path]

pytestmark = pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")

ON_222 = "if image.max() == 222: "
NOTE = "open(arguments.model + '.started', 'a').write(str(os.getpid()) + chr(10))"


class Images:
    """Runs images of 8 x 8 with nine bright pixels in a session, whose program notes each start."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(self, runtime: Path, time_limit: float = 20.0) -> RuntimeSession:
        return RuntimeSession.open(read_runtime(runtime), self.folder / "model", time_limit=time_limit)

    def run(self, session: RuntimeSession, peak: float = 111.0) -> Outcome:
        image = np.zeros((1, 2, 8, 8), dtype=np.float32)
        image[:, :, 2:5, 2:5] = peak
        np.save(self.folder / "image.npy", image)
        return session.run(self.folder / "image.npy", self.folder / "image.npz")

    def starts(self) -> list[int]:
        note = self.folder / "model.started"
        return [int(line) for line in note.read_text().splitlines()] if note.exists() else []


@pytest.fixture
def images(tmp_path: Path) -> Images:
    return Images(tmp_path)


@pytest.mark.parametrize("streams", [True, False])
def test_one_program_for_many_images_if_it_streams(images: Images, write_runtime: Write, streams: bool) -> None:
    folder = write_runtime("some", source=program(NOTE), more=f"streams = {str(streams).lower()}")
    with images.open(folder) as session:
        assert session.start().version == ("1" if streams else "")
        assert [int(images.run(session).labels().sum()) for _ in range(3)] == [9, 9, 9]
        assert len(images.starts()) == (1 if streams else 3)
    assert eventually(lambda: not any(map(alive, images.starts())), 20)


@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize(
    ("during", "reason"),
    [
        (ON_222 + "os.kill(os.getpid(), signal.SIGSEGV)", "the program crashed (SIGSEGV)"),
        (ON_222 + "sys.exit('no luck')", "the program ended with status 1: no luck"),
        (ON_222 + "raise MemoryError('too many seeds')", "there was not enough memory"),
    ],
)
def test_an_image_that_ends_the_program_costs_itself_alone(
    images: Images, write_runtime: Write, during: str, reason: str, streams: bool
) -> None:
    source = program(NOTE, during)
    folder = write_runtime("fragile", source=source, more=f"streams = {str(streams).lower()}")
    with images.open(folder) as session:
        for _ in range(2):
            assert images.run(session).error == ""
            assert reason in images.run(session, 222).error
        assert images.run(session).error == ""
        assert len(images.starts()) == (3 if streams else 5)


def test_a_hang_costs_one_image_and_its_time_limit(images: Images, write_runtime: Write) -> None:
    source = program(NOTE, ON_222 + "time.sleep(600)")
    with images.open(write_runtime("slow", source=source, more="streams = true"), time_limit=2) as session:
        assert images.run(session).error == ""
        assert "not finished within 2 s, the time limit" in images.run(session, 222).error
        assert images.run(session).error == ""
        assert len(images.starts()) == 2


def test_a_program_that_dies_between_two_images_costs_none(images: Images, write_runtime: Write) -> None:
    with images.open(write_runtime("some", source=program(NOTE), more="streams = true")) as session:
        assert images.run(session).error == ""
        os.kill(images.starts()[0], signal.SIGKILL)
        assert eventually(lambda: not session.running, 20)
        assert images.run(session).error == ""


@pytest.mark.parametrize("streams", [True, False])
def test_a_program_is_launched_ahead_once(images: Images, write_runtime: Write, streams: bool) -> None:
    folder = write_runtime("some", source=program(NOTE), more=f"streams = {str(streams).lower()}")
    with images.open(folder) as session:
        for _ in range(2):
            session.launch()
        assert eventually(lambda: len(images.starts()) == streams, 20)
        assert images.run(session).error == ""
        assert len(images.starts()) == 1


def test_an_image_that_fails_does_not_end_the_program(images: Images, write_runtime: Write) -> None:
    during = ON_222 + "print(json.dumps({'input': source, 'error': f'no: {source}'}), flush=True); continue"
    with images.open(write_runtime("some", source=program(NOTE, during), more="streams = true")) as session:
        assert images.run(session, 222).error == "no: image.npy"
        assert images.run(session).error == ""
        assert len(images.starts()) == 1


@pytest.mark.parametrize(
    ("before", "reason", "starts"),
    [
        ("raise SystemExit('no licence')", "status 1: no licence", 2),
        ("print(json.dumps({'error': 'bad magic number', 'input': None}), flush=True)", "bad magic number", 1),
    ],
)
def test_a_program_that_cannot_start_is_not_tried_for_ever(
    images: Images, write_runtime: Write, before: str, reason: str, starts: int
) -> None:
    folder = write_runtime("broken", source=program(f"{NOTE}; {before}"), more="streams = true")
    with images.open(folder) as session:
        assert reason in session.start().error
        assert all(reason in images.run(session).error for _ in range(4))
        assert reason in session.start().error
    assert len(images.starts()) == starts


def test_an_interrupted_image_is_not_mistaken_for_the_next(
    images: Images, write_runtime: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    during = ON_222 + "time.sleep(1)"
    with images.open(write_runtime("slow", source=program(NOTE, during), more="streams = true")) as session:
        images.run(session)
        old = signal.signal(signal.SIGALRM, signal.default_int_handler)
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        try:
            with pytest.raises(KeyboardInterrupt):
                images.run(session, 222)
        finally:
            signal.signal(signal.SIGALRM, old)
        assert not session.running
        assert int(images.run(session, 50).labels().sum()) == 0


def test_a_full_disk_is_not_blamed_on_the_program(images: Images, write_runtime: Write) -> None:
    during = "raise OSError(28, 'No space left on device')"
    folder = write_runtime("some", source=program("", during), more="streams = true")
    with images.open(folder) as session, pytest.raises(OutputError, match="The disk is full"):
        images.run(session)


def test_a_device_that_the_runtime_does_not_offer_is_refused(images: Images, write_runtime: Write) -> None:
    runtime = read_runtime(write_runtime("some", source=program()))
    with pytest.raises(RuntimeUnavailableError, match="does not run on cuda: it runs on cpu only"):
        RuntimeSession.open(runtime, images.folder / "model", device="cuda")


PARENT = """
import sys, time
from pathlib import Path
from instanseg_export.runtimes.registry import read_runtime
from instanseg_export.runtimes.session import RuntimeSession
runtime, model = map(Path, sys.argv[1:])
session = RuntimeSession.open(read_runtime(runtime), model)
print(session.start().error, flush=True)
time.sleep(600)
"""


def test_a_waiting_program_dies_with_its_parent(images: Images, write_runtime: Write) -> None:
    folder = write_runtime("some", source=program(NOTE), more="streams = true")
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(folder), str(images.folder / "model")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
    )
    assert parent.stdout is not None
    with parent.stdout:
        assert parent.stdout.readline() == b"\n"
    (pid,) = images.starts()
    parent.kill()
    parent.wait()
    assert eventually(lambda: not alive(pid), 20)
