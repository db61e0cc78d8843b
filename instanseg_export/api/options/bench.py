"""How speed and memory are measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ...untrusted.numbers import check_number, check_time_limit
from .shared import SHOWN, AnyPath, InEveryRuntime, InEveryRuntimeKeywords

__all__ = ["BenchKeywords", "BenchOptions"]


@dataclass(frozen=True, kw_only=True)
class BenchOptions(InEveryRuntime):
    """How models are measured.

    Attributes:
        device: cpu, cuda, cuda:1 or mps.
        size: Draw an image of crowded nuclei, of so many pixels in height and width.
        objects: About how many nuclei to draw.
        threads: For each runtime. Default: all cores, or what OMP_NUM_THREADS says.
        turns: Counted runs of each row, in turns, each in a fresh process that has warmed up.
        output: Folder for bench.json and a bar chart, bench.png.
        time_limit: Seconds that a runtime may take for one image in one turn, warming up included.

    Raises:
        SettingError: the number of threads or turns, or the time limit, is out of range.
    """

    device: Annotated[str, SHOWN] = "cpu"
    size: int | None = None
    objects: int | None = None
    threads: int | None = None
    turns: Annotated[int, SHOWN] = 3
    output: AnyPath | None = None
    time_limit: Annotated[float, SHOWN] = 600.0

    def __post_init__(self) -> None:
        check_number("number of threads", self.threads, 1, 4096)
        check_number("number of turns", self.turns, 1, 10_000)
        check_time_limit(self.time_limit)


class BenchKeywords(InEveryRuntimeKeywords, total=False):
    """The fields of :class:`BenchOptions` as keywords."""

    device: str
    size: int | None
    objects: int | None
    threads: int | None
    turns: int
    output: AnyPath | None
    time_limit: float
