"""The rows of the table: what each measures, and the goal beside it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from peers import DEMO, ONNX, ROOT, TORCHSCRIPT, UPSTREAM, Files, Peers
from planted import GRIDS, planted_image

from instanseg_export.benchmark.inputs import dense_image
from instanseg_export.benchmark.measure import Program, Timing, take_turns
from instanseg_export.runtimes.probe import probe
from instanseg_export.runtimes.registry import find_runtime

__all__ = ["ROWS", "Line", "Session"]

_HEAVY = 10_000
"""Objects at which upstream's matrix of overlaps, K x K, alone takes 400 MB: it gets limits of time and memory."""


@dataclass(frozen=True)
class Line:
    """One line of the table.

    Attributes:
        measure: what was measured.
        program: of ours, or upstream's.
        result: the figure that the goal is about, with its unit, or "not run".
        goal: as the project has set it; empty for a line that only informs.
        reached: None where there is no goal or no figure.
        detail: seconds, spread, memory, objects, or why it was not run.
        figures: for JSON.
    """

    measure: str
    program: str
    result: str
    goal: str = ""
    reached: bool | None = None
    detail: str = ""
    figures: dict[str, Any] = field(default_factory=dict)


class Session:
    """What the rows share: files, options, and what more than one row needs.

    Args:
        peers: the files.
        turns: counted runs of each program.
        threads: of each program.
        time_limit: seconds for one program and image in one turn.
        int8: a quantised ONNX file of the genuine checkpoint, if there is one.
    """

    def __init__(self, peers: Peers, *, turns: int, threads: int, time_limit: float, int8: Path | None) -> None:
        self.peers = peers
        self.int8 = int8
        self.turns = turns
        self.threads = threads
        self._time_limit = time_limit
        self._planted: dict[int, dict[str, Timing]] = {}

    def measure(
        self, programs: Sequence[Program], image: np.ndarray, *, device: str = "cpu", split: bool = True
    ) -> dict[str, Timing]:
        """Let programs take turns on an image, and return their timings by title."""
        found = take_turns(
            programs,
            [image],
            turns=self.turns,
            threads=self.threads,
            device=device,
            time_limit=self._time_limit,
            split=split,
            progress=lambda what, done, total: say(f"  [{done}/{total}] {what}"),
        )
        return {program.title: timings[0] for program, timings in zip(programs, found, strict=True)}

    def planted(self, objects: int) -> dict[str, Timing]:
        """Return the timings of post-processing; each number of objects is measured once."""
        if objects not in self._planted:
            upstream, *ours = self.peers.planted.programs(limited=objects >= _HEAVY)
            image = planted_image(objects)
            if objects < _HEAVY:
                self._planted[objects] = self.measure([upstream, *ours], image)
            else:
                # Splitting takes as long as all turns, which upstream's program is too slow for.
                self._planted[objects] = self.measure([upstream], image, split=False) | self.measure(ours, image)
        return self._planted[objects]

    @cached_property
    def genuine(self) -> tuple[str, Files, np.ndarray]:
        """A genuine checkpoint and its golden image, or the demo."""
        return self.peers.genuine()


def say(text: str) -> None:
    """Show progress."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _detail(timing: Timing) -> str:
    if timing.error:
        return timing.error
    peak = "" if timing.peak is None else f", {timing.peak:.0f} MB"
    parts = ""
    if timing.split_s is not None:
        parts = "; " + ", ".join(f"{name} {seconds:.3f}" for name, seconds in timing.split_s.items())
        parts += f", post-processing {timing.post_processing:.3f}"
    spread = f"{min(timing.seconds):.3f} to {max(timing.seconds):.3f}"
    return f"{timing.median:.3f} s ({spread}){peak}, {timing.objects} objects{parts}"


def _figures(timing: Timing) -> dict[str, Any]:
    return {
        "seconds": timing.seconds,
        "peak_mb": timing.peak_mb,
        "objects": timing.objects,
        "split_s": None if timing.split_s is None else dict(timing.split_s),
        "version": timing.version,
        "error": timing.error,
    }


def _post(timing: Timing) -> float:
    """Seconds of post-processing; of the whole run where its parts were not told apart."""
    return timing.median if timing.post_processing is None else timing.post_processing


def _compare(
    measure: str,
    timings: dict[str, Timing],
    goals: dict[str, float],
    value: Callable[[Timing], float | None] = lambda timing: timing.median,
    *,
    memory: bool = False,
    upstream: str = UPSTREAM,
) -> list[Line]:
    """Return upstream's line, and one for each of ours with its ratio: times faster, or with ``memory`` of memory."""
    lines = []
    peer = timings[upstream]
    reference = None if peer.error else value(peer)
    for title, timing in timings.items():
        sign, unit = ("<=", "x") if memory else (">=", "x faster")
        goal = f"{sign} {goals[title]:g}{unit}" if title in goals else ""
        detail, figures = _detail(timing), _figures(timing)
        own = None if timing.error else value(timing)
        if title == upstream:
            lines.append(Line(measure, title, "failed" if timing.error else "1", detail=detail, figures=figures))
        elif not own or not reference:
            lines.append(Line(measure, title, "failed" if timing.error else "no ratio", goal, None, detail, figures))
        else:
            ratio = own / reference if memory else reference / own
            reached = None if not goal else ratio <= goals[title] if memory else ratio >= goals[title]
            figures["ratio"] = ratio
            lines.append(Line(measure, title, f"{ratio:.2f}{unit}", goal, reached, detail, figures))
    return lines


def post_750(session: Session) -> list[Line]:
    """Post-processing of 750 objects."""
    timings = session.planted(750)
    return _compare("post-processing, 750 objects", timings, {TORCHSCRIPT: 5, ONNX: 5}, _post)


def post_3300(session: Session) -> list[Line]:
    """Post-processing of 3,300 objects."""
    timings = session.planted(3300)
    return _compare("post-processing, 3,300 objects", timings, {TORCHSCRIPT: 8, ONNX: 8}, _post)


def post_10000(session: Session) -> list[Line]:
    """Post-processing of 10,000 objects; upstream's within limits of time and memory."""
    return _compare("post-processing, 10,000 objects", session.planted(_HEAVY), {}, lambda timing: timing.median)


def flat(session: Session) -> list[Line]:
    """Time per object, at each number of objects over that at 100: the largest ratio counts."""
    lines = []
    for title in (UPSTREAM, TORCHSCRIPT, ONNX):
        per_object, failed = {}, ""
        for objects in GRIDS:
            timing = session.planted(objects)[title]
            if timing.error:
                failed = f"; {objects:,} objects: {timing.error}"
            else:
                per_object[objects] = _post(timing) / objects
        detail = ", ".join(f"{count:,}: {seconds * 1e3:.2f} ms" for count, seconds in per_object.items()) + failed
        goal = "" if title == UPSTREAM else "<= 1.2x"
        if failed or 100 not in per_object:
            lines.append(Line("time per object, 100 to 10,000", title, "failed", goal, None, detail, {"s": per_object}))
            continue
        ratio = max(per_object.values()) / per_object[100]
        reached = ratio <= 1.2 if goal else None
        lines.append(
            Line("time per object, 100 to 10,000", title, f"{ratio:.2f}x", goal, reached, detail, {"s": per_object})
        )
    return lines


def end_to_end(session: Session) -> list[Line]:
    """A whole run on 512 x 512 pixels, fp32."""
    name, files, image = session.genuine
    timings = session.measure(files.programs(), image)
    return _compare(f"end to end 512 x 512, fp32 ({name})", timings, {ONNX: 3.5, TORCHSCRIPT: 2})


def int8(session: Session) -> list[Line]:
    """A whole run on 512 x 512 pixels of a quantised file (``--int8``)."""
    measure, title, goal = "end to end 512 x 512, int8", "our int8 ONNX, ONNX Runtime", ">= 7x faster"
    if session.int8 is None:
        return [Line(measure, title, "not run", goal, detail="no quantised file of this model is given: --int8 FILE")]
    quantised = Program(title, find_runtime("onnxruntime"), session.int8)
    name, files, image = session.genuine
    timings = session.measure([files.programs()[0], quantised], image)
    lines = _compare(f"{measure} ({name})", timings, {title: 7})
    note = "; whether its F1 is within 0.005 of fp32's is in the parity report of its export"
    return [lines[0], *(replace(line, detail=line.detail + note) for line in lines[1:])]


def memory(session: Session) -> list[Line]:
    """Peak memory on 2048 x 2048 pixels with 5,000 objects."""
    image = session.peers.drawn(2048, 5000)
    timings = session.measure(session.peers.demo.programs(limited=True), image, split=False)
    goals = {TORCHSCRIPT: 0.4, ONNX: 0.4}
    measure = "peak memory, 2048 x 2048, 5,000 drawn nuclei (demo)"
    return _compare(measure, timings, goals, lambda timing: timing.peak, memory=True)


def normalisation(session: Session) -> list[Line]:
    """Normalisation inside the file, of 2048 x 2048 pixels, three channels with values of uint16."""
    measure = "normalisation, 2048 x 2048 uint16, 3 channels (demo)"
    # Few objects: only the time before the network and in it counts here.
    image = dense_image(3, 2048, 100).batch() * np.float32(257)
    lines = []
    for title, timing in session.measure(session.peers.demo.programs()[1:], image).items():
        if timing.split_s is None:
            why = timing.error or timing.not_split
            lines.append(Line(measure, title, "failed", "<= 5 % of the network", None, why, _figures(timing)))
            continue
        share = timing.split_s["normalisation"] / timing.split_s["network"]
        result = f"{100 * share:.1f} % of the network"
        lines.append(
            Line(measure, title, result, "<= 5 % of the network", share <= 0.05, _detail(timing), _figures(timing))
        )
    return lines


def embedseg(session: Session) -> list[Line]:
    """Clustering of EmbedSeg's fields, 512 x 512 pixels with 300 objects, against its own."""
    from clustering import EMBEDSEG, INSTALL, take_clustering_turns

    measure, goal = "EmbedSeg's clustering, 512 x 512, 300 objects", 5.0
    folder = session.peers.folder / "clustering"
    try:
        timings = take_clustering_turns(folder, session.turns, session.threads)
    except ImportError as error:
        why = f"needs EmbedSeg ({error}): {INSTALL}"
        return [Line(measure, title, "not run", f">= {goal:g}x faster", detail=why) for title in (TORCHSCRIPT, ONNX)]
    return _compare(measure, timings, {TORCHSCRIPT: goal, ONNX: goal}, upstream=EMBEDSEG)


def java(session: Session) -> list[Line]:
    """TorchScript in libtorch 2.5.1 through Java, upstream's file and ours in the same program."""
    measure, goal = "libtorch 2.5.1 in Java, 512 x 512", ">= 1.5x faster"
    runtime = find_runtime("djl_libtorch_2_5")
    if lacks := probe(runtime):
        return [Line(measure, TORCHSCRIPT, "not run", goal, detail=f"{lacks}; {runtime.install.hint}")]
    name, files, image = session.genuine
    programs = [replace(program, runtime=runtime) for program in files.programs()[:2]]
    return _compare(f"{measure} ({name})", session.measure(programs, image, split=False), {TORCHSCRIPT: 1.5})


def cuda(session: Session) -> list[Line]:
    """A whole run on a GPU, one image and sixteen."""
    import torch

    lines = []
    for batch, goal in ((1, 2.0), (16, 6.0)):
        measure = f"CUDA, 512 x 512, batch {batch}"
        if not torch.cuda.is_available():
            why = "PyTorch finds no CUDA device here"
            lines.append(Line(measure, TORCHSCRIPT, "not run", f">= {goal:g}x faster", detail=why))
            continue
        name, files, image = session.genuine
        images = np.repeat(image, batch, axis=0)
        timings = session.measure(files.programs(), images, device="cuda", split=False)
        lines += _compare(f"{measure} ({name})", timings, {TORCHSCRIPT: goal})
    return lines


def export(session: Session) -> list[Line]:
    """The whole main job on the demo: both files, package, parity report, the model zoo's test."""
    folder = session.peers.folder / "exported"
    say("  exporting the demo")
    started = time.perf_counter()
    command = [sys.executable, "-m", "instanseg_export", str(DEMO), "--output", str(folder), "--quiet"]
    done = subprocess.run(
        command, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    seconds = time.perf_counter() - started
    measure, goal = "export of the demo, with parity report", "< 90 s"
    if done.returncode != 0:
        return [Line(measure, "instanseg-export", "failed", goal, detail=done.stderr.strip()[-300:])]
    return [Line(measure, "instanseg-export", f"{seconds:.1f} s", goal, seconds < 90, figures={"seconds": seconds})]


ROWS: dict[str, Callable[[Session], list[Line]]] = {
    "post-750": post_750,
    "post-3300": post_3300,
    "post-10000": post_10000,
    "flat": flat,
    "end-to-end": end_to_end,
    "int8": int8,
    "memory": memory,
    "normalisation": normalisation,
    "embedseg": embedseg,
    "java": java,
    "cuda": cuda,
    "export": export,
}
