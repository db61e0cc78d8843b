"""What a benchmark found, ready for JSON."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .. import __version__
from .chart import draw_chart
from .rows import BenchmarkImage, Floor, Row

__all__ = ["Benchmark", "this_machine"]


@dataclass(frozen=True)
class Benchmark:
    """All that one call of :func:`instanseg_export.bench` measured.

    Attributes:
        machine: system, processor, cores.
        device: "cpu", "cuda", ...
        threads: that each runtime was given.
        turns: counted runs of each row.
        warm_up: runs before each of them that were not counted.
        images: that were run.
        matrix_peak_gflops: GFLOP/s of a float32 product of matrices on the CPU; None on other devices.
        floors: per model and image.
        rows: per image, model and runtime.
        notes: a sentence for each thing that a reader of the figures must know.
    """

    machine: dict[str, str | int]
    device: str
    threads: int
    turns: int
    warm_up: int
    images: tuple[BenchmarkImage, ...]
    matrix_peak_gflops: float | None
    floors: tuple[Floor, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """Return all of it, ready for JSON."""
        return asdict(self)

    def write(self, folder: Path) -> None:
        """Write ``bench.json`` and ``bench.png`` into a folder that exists."""
        (folder / "bench.json").write_text(json.dumps(self.document(), indent=2) + "\n", encoding="utf-8")
        draw_chart(self.images, self.rows, self.floors).save(folder / "bench.png")


def this_machine() -> dict[str, str | int]:
    """Return system, processor, cores and versions, which figures depend on."""
    return {
        "system": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count() or 1,
        "python": platform.python_version(),
        "exporter": __version__,
    }
