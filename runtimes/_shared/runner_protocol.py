"""What the Python runners share: the command line, the clock and the JSON lines. Imports nothing of the exporter.

A runtime is a program that is called as::

    runner --model FILE --input a.npy [b.npy ...] --output a.npz [b.npz ...] --device D --repeat N
           [--settings JSON] [--stages | --stages-from PLACE] [--split]
    runner --model FILE --stream --device D --repeat N [--settings JSON] [--stages] [--split]

With ``--stream``, which a program offers by ``streams`` in its runtime.toml, the images come on stdin as JSON objects
``{"input": "a.npy", "output": "a.npz"}``, one per line and maybe long after each other. Each is run and answered before
the next is read, and the program ends at the end of its input.

An input is an image, float32 (B, C, H, W), or (B, C, D, H, W) for a volume, in C order. An output holds
``instance_segmentation`` (B, T, H, W) or (B, T, D, H, W), further results of the model under their own names and, with
``--stages``, ``stage.<name>`` for each stage that the file can give. With ``--stages-from``, which a program offers by
``mixes`` in its runtime.toml, that concerns the inputs from a place on, the first being 0: those before it are run as
without stages, and only then the file is loaded for the others. On stdout the program writes one JSON object per line:
first ``{"ready": true, ...}`` when the model is loaded, then one per image as it finishes. An object with ``error``
stands for an image that failed or, when its ``input`` is null, for the end of the program; ``unavailable`` then says
that the machine or the format lacks what was asked for (a GPU), rather than that the file is at fault.
With ``--split``, which a program offers by ``splits`` in its runtime.toml, an image's object holds ``split_s``: seconds
of ``normalisation`` and ``network``, the rest of a run being post-processing; or ``not_split``, which says why not.
The number of threads is no option: it is in OMP_NUM_THREADS, which most libraries read by themselves.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray

METADATA_KEY = "instanseg_export"
RESULT = "instance_segmentation"

SettingValue = bool | int | float | str | list[int]
_SPLIT_RUNS = 3
_COMPARED = 1 << 20

_DTYPES: dict[str, Any] = {
    "float": np.float32,
    "int": np.int64,
    "bool": np.bool_,
    "choice": np.int64,
    "flags": np.int64,
}


class UnavailableError(Exception):
    """This machine, or this format, lacks what was asked for; the file is not at fault."""


@dataclass(frozen=True)
class Request:
    """What the command line asks for.

    Attributes:
        model: the file.
        device: "cpu", "cuda", "cuda:1", "mps".
        settings: name to value, as they came in JSON.
        stages: whether intermediate results are wanted too.
        split: whether normalisation and network are timed by themselves.
    """

    model: Path
    device: str
    settings: Mapping[str, SettingValue]
    stages: bool
    split: bool = False


class Session(Protocol):
    """A loaded model."""

    version: str
    device: str

    def run(self, image: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        """Return ``instance_segmentation`` and the other outputs for an image (B, C, H, W), when they are all there."""
        ...

    def split(self, image: NDArray[np.float32]) -> dict[str, float]:
        """Run once more and return the seconds of ``normalisation`` and ``network``.

        Raises:
            UnavailableError: they cannot be told apart; the message says why.
        """
        ...


@dataclass(frozen=True)
class Form:
    """How the value of a setting is written in a file.

    Attributes:
        kind: "float", "int", "bool", "choice" or "flags".
        choices: of a choice, which is written as its place among them.
    """

    kind: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class FileFacts:
    """What a session has to know of a file, of all that the file says of itself. The defaults hold for files of others.

    Attributes:
        outputs: names, in the order of a call's results.
        settings: how each is written, by name; None where the file does not say.
        stages: for each intermediate result the tensor in an ONNX graph.
        convolves_after_network: whether there are convolutions in post-processing too.
    """

    outputs: tuple[str, ...] = (RESULT,)
    settings: Mapping[str, Form] | None = None
    stages: Mapping[str, str] = field(default_factory=dict)
    convolves_after_network: bool = False


def read_facts(text: str) -> FileFacts:
    """Return what matters of the text that is embedded in a file; empty text stands for files of others."""
    if not text:
        return FileFacts()
    content = json.loads(text)
    outputs = content.get("outputs", [RESULT])
    return FileFacts(
        # Format 1 had names alone.
        outputs=tuple(output["name"] if isinstance(output, dict) else output for output in outputs),
        settings={row["name"]: Form(row["kind"], tuple(row.get("choices", ()))) for row in content.get("tunables", [])},
        stages=content.get("stages", {}),
        convolves_after_network=bool(content.get("convolves_after_network")),
    )


def encode_setting(name: str, value: SettingValue, forms: Mapping[str, Form] | None) -> NDArray[Any]:
    """Return a setting as the array that a file expects: a choice becomes its index.

    Args:
        name: of the setting.
        value: from JSON.
        forms: how the file writes its settings; None when it does not say, then the value's own type counts.

    Raises:
        ValueError: the file has no such setting, or the value does not fit.
    """
    if forms is None:
        kind = "flags" if isinstance(value, list) else {bool: "bool", int: "int", float: "float"}.get(type(value), "")
        if not kind:
            raise ValueError(f"the file does not say how the setting {name} = {value!r} is written")
        return np.asarray(value, dtype=_DTYPES[kind])
    if name not in forms:
        raise ValueError(f"the file has no setting {name}")
    form = forms[name]
    encoded = form.choices.index(str(value)) if form.kind == "choice" else value
    return np.asarray(encoded, dtype=_DTYPES[form.kind])


def peak_memory_mb() -> float | None:
    """Return the largest memory, in MB of 10^6 bytes, that this process has held; None where the system cannot tell.

    Linux keeps it per program in VmHWM. Its ru_maxrss would include the memory of the process that started this one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    if sys.platform == "win32":
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # macOS counts in bytes


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Runs one exported model on images and reports in JSON lines.")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--input", nargs="+", default=[])
    parser.add_argument("--output", type=Path, nargs="+", default=[])
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--settings", type=json.loads, default={})
    parser.add_argument("--stages", action="store_true")
    parser.add_argument("--stages-from", type=int)
    parser.add_argument("--split", action="store_true")
    arguments = parser.parse_args(argv)
    if len(arguments.input) != len(arguments.output) or bool(arguments.input) == arguments.stream:
        parser.error("either --stream is needed, or --input and --output with the same number of files")
    return arguments


def _images(arguments: argparse.Namespace) -> Iterator[tuple[str, Path]]:
    """Yield the images, as they are called, and where their results go.

    Raises:
        ValueError: a line of stdin does not name them.
    """
    if not arguments.stream:
        yield from zip(arguments.input, arguments.output, strict=True)
        return
    for line in sys.stdin.buffer:
        try:
            row = json.loads(line)
            image = str(row["input"]), Path(row["output"])
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"no line of images: {line[:100]!r}") from error
        yield image


def _claim_stdout() -> IO[str]:
    """Keep stdout for the JSON lines; what libraries print goes to stderr, whatever language they are written in."""
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return lines


def _split(session: Session, image: NDArray[np.float32]) -> dict[str, Any]:
    try:
        found = [session.split(image) for _ in range(_SPLIT_RUNS + 1)][1:]  # the first warms up
    except UnavailableError as reason:
        return {"not_split": str(reason)}
    return {"split_s": {name: float(np.median([one[name] for one in found])) for name in found[0]}}


def _is_still(image: NDArray[np.float32], source: Path) -> bool:
    """Tell whether an image is what its file ends with, in pieces: a copy would count as memory of the model."""
    held = image.reshape(-1).view(np.uint8)
    with source.open("rb") as stream:
        stream.seek(-held.nbytes, os.SEEK_END)
        starts = range(0, held.nbytes, _COMPARED)
        return all(stream.read(_COMPARED) == held[start : start + _COMPARED].tobytes() for start in starts)


def _run_one(session: Session, source: Path, destination: Path, repeat: int, split: bool) -> dict[str, Any]:
    image = np.load(source, allow_pickle=False)
    if image.ndim not in (4, 5) or image.dtype != np.float32:
        raise ValueError(f"the image must be float32 (B, C, H, W) or (B, C, D, H, W), not {image.dtype} {image.shape}")
    if not image.flags.c_contiguous:
        raise ValueError("the image must lie in the file in C order")
    seconds = []
    outputs: dict[str, NDArray[Any]] = {}
    for _ in range(max(1, repeat)):
        outputs.clear()
        start = time.perf_counter()
        outputs = session.run(image)
        seconds.append(time.perf_counter() - start)
    if not _is_still(image, source):
        raise ValueError("the model wrote to its input image")
    with destination.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **outputs)
    result = {"run_s": seconds, "outputs": {name: list(value.shape) for name, value in outputs.items()}}
    return result | (_split(session, image) if split else {})


def _words(error: Exception) -> str:
    """Return what went wrong; what a machine or format lacks is said in words of ours alone."""
    return str(error) if isinstance(error, UnavailableError) else f"{type(error).__name__}: {error}"


@contextmanager
def _nothing_is_garbage() -> Iterator[None]:
    """Do not look for cycles in what is being loaded, nor later, when the process ends: half a second with PyTorch."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def serve(runtime: str, open_session: Callable[[Request], Session], argv: Sequence[str] | None = None) -> int:
    """Do what the command line asks and return the exit status: 0 when every image was run.

    Args:
        runtime: the name to report.
        open_session: loads the model; may raise :class:`UnavailableError`.
        argv: the arguments; by default the program's own.
    """
    arguments = _arguments(argv)
    stages_from = 0 if arguments.stages else arguments.stages_from
    lines = _claim_stdout()

    def say(**row: Any) -> None:
        lines.write(json.dumps({"runtime": runtime, **row}) + "\n")
        lines.flush()

    def load(*, stages: bool) -> Session | None:
        request = Request(arguments.model, arguments.device, arguments.settings, stages, arguments.split)
        try:
            with _nothing_is_garbage():
                return open_session(request)
        except Exception as error:
            lacking = isinstance(error, UnavailableError | ModuleNotFoundError)
            say(error=_words(error), input=None, unavailable=lacking)
            return None

    start = time.perf_counter()
    session = load(stages=stages_from == 0)
    if session is None:
        return 1
    about = {"version": session.version, "device": session.device, "load_s": time.perf_counter() - start}
    say(ready=True, **about)
    status = 0
    try:
        for place, (source, destination) in enumerate(_images(arguments)):
            if place and place == stages_from:
                session = None  # first, so that there are never two in memory
                session = load(stages=True)
                if session is None:
                    return 1
            try:
                result = _run_one(session, Path(source), destination, arguments.repeat, arguments.split)
            except Exception as error:
                say(error=_words(error), input=source)
                status = 1
            else:
                say(input=source, **about, **result, peak_mb=peak_memory_mb())
    except ValueError as error:
        say(error=_words(error), input=None)
        return 2
    return status
