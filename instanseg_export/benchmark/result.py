"""What a benchmark found, ready for JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

__all__ = ["Benchmark", "Floor", "Row"]


@dataclass(frozen=True)
class Row:
    """One model in one runtime on one image.

    Attributes:
        model: its name.
        runtime, title, version: of the runtime.
        image: its name.
        status: "measured", "failed" or "not run".
        why: it was not measured.
        threads: in words.
        seconds: of one run, the median; the other two are the fastest and the slowest.
        peak_mb: in MB of 10^6 bytes, the process's largest memory by the end of this image, the median.
        objects: distinct ids, over the batch and over nuclei and cells.
        split_s: seconds of normalisation, network and post-processing.
        not_split: why these cannot be told apart.
        times_faster: than the first model, in the same runtime if it was measured there; None for the first model.
        memory_ratio: to the same; below 1 is less.
        compared_to: title of what that is.
    """

    model: str
    runtime: str
    title: str
    image: str
    status: Literal["measured", "failed", "not run"]
    why: str = ""
    version: str = ""
    threads: str = ""
    seconds: float | None = None
    fastest_s: float | None = None
    slowest_s: float | None = None
    peak_mb: float | None = None
    objects: int | None = None
    megapixels_per_s: float | None = None
    objects_per_s: float | None = None
    split_s: dict[str, float] | None = None
    not_split: str = ""
    times_faster: float | None = None
    memory_ratio: float | None = None
    compared_to: str = ""


@dataclass(frozen=True)
class Floor:
    """The least time that a model's network could take on an image.

    Attributes:
        model, image: their names.
        gflop: thousand million operations of the network; None where the model does not carry its layers.
        seconds: these over the machine's matrix peak.
    """

    model: str
    image: str
    gflop: float | None
    seconds: float | None


@dataclass(frozen=True)
class Benchmark:
    """All that one call of :func:`instanseg_export.bench` measured.

    Attributes:
        machine: system, processor, cores.
        device: "cpu", "cuda", ...
        threads: that each runtime was given.
        turns: counted runs of each row.
        warm_up: runs before each of them that were not counted.
        images: name, shape and note of each.
        matrix_peak_gflops: GFLOP/s of a float32 product of matrices on the CPU; None on other devices.
        floors: per model and image.
        rows: per image, model and runtime.
        notes: a sentence for each thing that a reader of the figures must know.
    """

    machine: dict[str, Any]
    device: str
    threads: int
    turns: int
    warm_up: int
    images: tuple[dict[str, Any], ...]
    matrix_peak_gflops: float | None
    floors: tuple[Floor, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """Return all of it, ready for JSON."""
        return asdict(self)

    def write(self, folder: Path) -> None:
        """Write ``bench.json`` and ``bench.png`` into a folder that exists."""
        from .chart import draw_chart

        (folder / "bench.json").write_text(json.dumps(self.document(), indent=2) + "\n", encoding="utf-8")
        draw_chart(self).save(folder / "bench.png")
