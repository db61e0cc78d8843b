"""Runs a runtime's program on images, each with a time limit; a crash or a hang costs one image, never the run."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import RuntimeUnavailableError
from ..files import scratch_failed
from ..metadata import SettingValue
from ..targets import known_target
from ..targets.capabilities import require_stages
from ..untrusted.arrays import npy_shape
from ..untrusted.boundary import plain, says_disk_is_full
from .build import command_of
from .description import Runtime
from .lines import TOO_LATE, Line, next_line, parse_line, read_lines, read_tail
from .outcome import Outcome

__all__ = ["run_runtime"]

_GUARD = Path(__file__).resolve().parent / "guard.py"
_WAITING_LINES = 50
_KEPT_OUTPUT = 300
_AFTER_LAST = 10.0
_NO_MEMORY = re.compile(
    r"MemoryError|bad_alloc|OutOfMemory|out of memory|[Ff]ailed to allocate memory|[Cc]annot allocate memory"
    r"|can't allocate memory|not enough memory|insufficient memory"
)
"""Of Python, C++, ONNX Runtime, PyTorch, CUDA, Java and the system."""


@dataclass
class _Run:
    """The state of one call of :func:`run_runtime`: which images are still to do, and what became of the others."""

    runtime: Runtime
    arguments: list[str]
    inputs: list[str]
    outputs: list[Path]
    shapes: list[tuple[int, ...]]
    places: dict[str, str]
    time_limit: float
    environment: dict[str, str]
    on_image: Callable[[int], None]
    done: dict[int, Outcome] = field(default_factory=dict)

    def pending(self) -> list[int]:
        return [index for index in range(len(self.inputs)) if index not in self.done]

    def plain(self, words: str) -> str:
        """Return what a program says as one line that names files, not the temporary places where they lie."""
        for place, name in self.places.items():
            words = words.replace(place, name)
        return plain(words)

    def settle(self, index: int, outcome: Outcome) -> None:
        self.done[index] = outcome
        self.on_image(index)


def run_runtime(
    runtime: Runtime,
    model: Path,
    inputs: Sequence[Path],
    outputs: Sequence[Path],
    *,
    device: str = "cpu",
    time_limit: float = 120.0,
    settings: Mapping[str, SettingValue] | None = None,
    stages: bool = False,
    split: bool = False,
    repeat: int = 1,
    threads: int | None = None,
    quiet: bool = False,
    on_image: Callable[[int], None] = lambda index: None,
) -> list[Outcome]:
    """Run a runtime on images, in as few processes as it takes.

    Args:
        runtime: of which a probe found nothing missing.
        model: the file or folder that it takes.
        inputs: images as .npy, float32 (B, C, H, W).
        outputs: the .npz to write, one per image.
        device: as the runtime calls it.
        time_limit: seconds for each image; the first has the runtime's ``start_limit`` on top.
        settings: values to override, by name.
        stages: ask for the intermediate results too.
        split: ask for the seconds of normalisation and network; only for runtimes with ``splits``.
        repeat: how often each image is run, for timings.
        threads: that the program may use; by default what the environment says.
        quiet: whether the machine is left to the program, as for timings.
        on_image: called with an image's place when its outcome is known.

    Returns:
        One outcome per image, in order; all are ``unavailable`` on a device that the runtime does not offer.

    Raises:
        PackageError: stages are asked for, and files of the format do not give them.
        RuntimeUnavailableError: ``split`` is asked for, and the runtime has no ``splits``.
        OutputError: the disk is full, so that the program cannot write what it found.
    """
    if stages and (target := known_target(runtime.target)) is not None:
        require_stages(target)
    if split and not runtime.splits:
        raise RuntimeUnavailableError(
            f"{runtime.title} cannot time the parts of a run.",
            hint="Ask a runtime whose runtime.toml says splits = true.",
        )
    arguments = [*command_of(runtime), "--model", str(model.resolve()), "--device", device, "--repeat", str(repeat)]
    if settings:
        arguments += ["--settings", json.dumps(dict(settings))]
    if stages:
        arguments.append("--stages")
    if split:
        arguments.append("--split")
    run = _Run(
        runtime=runtime,
        arguments=arguments,
        inputs=[str(path.resolve()) for path in inputs],
        outputs=[path.resolve() for path in outputs],
        shapes=[npy_shape(path) for path in inputs],
        places=_places([model, *inputs, *outputs]),
        time_limit=time_limit,
        environment=_environment(runtime, threads, quiet),
        on_image=on_image,
    )
    if not runtime.offers(device):
        for index in run.pending():
            run.settle(index, Outcome(error=runtime.only_on, unavailable=True))
    fruitless = 0
    while pending := run.pending():
        ended = _one_process(run, pending)
        left = run.pending()
        if not left:
            break
        fruitless = fruitless + 1 if left == pending else 0
        # A program that fails before its first image will do so again; after two in a row the rest is not tried.
        hopeless = ended.final or fruitless == 2
        _require_room(ended.reason)
        for index in left if hopeless else left[:1]:
            run.settle(index, _failure(run, ended.reason, ended.unavailable))
    return [run.done[index] for index in range(len(inputs))]


def _places(paths: Sequence[Path]) -> dict[str, str]:
    """Return what replaces the folders of files in what a program says: nothing, so that the names are left."""
    return {f"{path.resolve().parent}{os.sep}": "" for path in paths}


def _failure(run: _Run, reason: str, unavailable: bool = False) -> Outcome:
    """Return the outcome of an image that has no result; a lack of memory is called that."""
    words = run.plain(reason)
    if not _NO_MEMORY.search(words):
        return Outcome(error=words, unavailable=unavailable)
    return Outcome(error=f"there was not enough memory: {words}", out_of_memory=True)


def _environment(runtime: Runtime, threads: int | None, quiet: bool) -> dict[str, str]:
    """Return the environment: only a runner that may import the exporter finds it on its path."""
    # ONNX Runtime reports to its makers unless it is told not to before it starts.
    environment = {"ORT_DISABLE_TELEMETRY": "1", **os.environ, "PYTHONUTF8": "1"}
    if not quiet:
        # OpenMP threads spin while they wait, by default. Where other programs want the same cores, that made PyTorch
        # ten times slower than sleeping does; where none do, sleeping makes it up to 2.5 times slower.
        environment.setdefault("OMP_WAIT_POLICY", "passive")
    if threads is not None:
        environment |= {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    if runtime.needs_exporter:
        root = str(Path(__file__).resolve().parent.parent.parent)
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, environment.get("PYTHONPATH")]))
    return environment


@dataclass(frozen=True)
class _End:
    """Why a process ended.

    Attributes:
        reason: in words; it counts for the first image that the process left.
        final: another process would fail in the same way.
        unavailable: the machine lacks something.
    """

    reason: str = ""
    final: bool = False
    unavailable: bool = False


def _one_process(run: _Run, pending: Sequence[int]) -> _End:
    """Start the program on the pending images and settle those that it finishes, until it ends or runs out of time."""
    command = [
        *run.arguments,
        "--input",
        *(run.inputs[index] for index in pending),
        "--output",
        *(str(run.outputs[index]) for index in pending),
    ]
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_GUARD), *command],
            stdin=subprocess.PIPE,  # nothing is ever written: that it ends tells the guard that we are gone
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=run.environment,
            start_new_session=True,
        )
    except OSError as error:
        return _End(f"the program cannot be started: {error}", final=True)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    lines: queue.Queue[bytes] = queue.Queue(maxsize=_WAITING_LINES)
    ended = threading.Event()
    complaints = bytearray()
    readers = [
        threading.Thread(target=read_lines, args=(process.stdout, lines, ended), daemon=True),
        threading.Thread(target=read_tail, args=(process.stderr, complaints), daemon=True),
    ]
    for reader in readers:
        reader.start()
    try:
        return _listen(run, process, lines, readers[1], complaints)
    finally:
        _kill(process)
        with contextlib.suppress(OSError):
            process.stdin.close()
        ended.set()
        for reader in readers:
            reader.join(timeout=_AFTER_LAST)


def _listen(
    run: _Run,
    process: subprocess.Popen[bytes],
    lines: queue.Queue[bytes],
    stderr_reader: threading.Thread,
    complaints: bytearray,
) -> _End:
    places = {run.inputs[index]: index for index in run.pending()}
    chatter = b""
    ready = False
    limit = run.runtime.start_limit + run.time_limit
    deadline = time.monotonic() + limit
    while True:
        raw = next_line(lines, deadline)
        if raw is TOO_LATE:
            if not places:
                return _End()  # all images are done; the program merely does not end
            what = "the image was not finished" if ready else "the program did not start"
            return _End(f"{what} within {limit:g} s, the time limit")
        if not raw:
            break
        line = parse_line(raw)
        if isinstance(line, str):
            chatter = (chatter + raw)[:_KEPT_OUTPUT] if not line else line.encode()
            continue
        if line.error is not None and line.input is None:
            return _End(line.error, final=True, unavailable=line.unavailable)
        if line.ready:
            ready = True
        elif line.input in places:
            index = places.pop(line.input)
            run.settle(index, _outcome(run, line, index))
            ready = True
        else:
            continue
        limit = run.time_limit if places else _AFTER_LAST
        deadline = time.monotonic() + limit
    if not places:
        return _End()
    try:
        status = process.wait(timeout=_AFTER_LAST)
    except subprocess.TimeoutExpired:
        return _End("the program closed its output and did not end")
    stderr_reader.join(timeout=_AFTER_LAST)
    return _End(_describe_end(status, chatter, bytes(complaints)))


def _outcome(run: _Run, line: Line, index: int) -> Outcome:
    if line.error is not None:
        _require_room(line.error)
        return _failure(run, line.error, line.unavailable)
    return Outcome(
        output=run.outputs[index],
        image=run.shapes[index],
        version=plain(line.version, 100),
        device=plain(line.device, 100),
        load_s=line.load_s,
        run_s=line.run_s,
        peak_mb=line.peak_mb,
        split_s=line.split_s,
        not_split=run.plain(line.not_split),
    )


def _require_room(complaint: str) -> None:
    """Refuse to blame a program or a model for a full disk."""
    if says_disk_is_full(complaint):
        raise scratch_failed(OSError(errno.ENOSPC, complaint))


def _describe_end(status: int, chatter: bytes, complaints: bytes) -> str:
    if status == -getattr(signal, "SIGKILL", 0) < 0:  # not by us, who would not be asking
        fact = "the system killed the program, as it does when it is out of memory"
    elif status < 0:
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = f"signal {-status}"
        fact = f"the program crashed ({name})"
    elif status:
        fact = f"the program ended with status {status}"
    else:
        fact = "the program ended without a word on this image"
    last = complaints.decode(errors="replace").strip().splitlines()
    words = chatter.decode(errors="replace").strip()
    if status and last:
        return f"{fact}: {last[-1][:_KEPT_OUTPUT]}"
    return f"{fact}; what it printed is not the protocol: {words!r}" if words else fact


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the program and what it started, unless it has ended: its number may belong to another program by now."""
    if process.returncode is not None:
        return
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()
