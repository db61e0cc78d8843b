"""What a benchmark measured: a row per model, runtime and image, and the floor beneath them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypedDict

__all__ = ["BenchmarkImage", "Floor", "Row"]


class BenchmarkImage(TypedDict):
    """An image that was run: its name in rows, (B, C, H, W), and what it is."""

    name: str
    shape: list[int]
    note: str


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
