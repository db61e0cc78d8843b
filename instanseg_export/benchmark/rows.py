"""What a benchmark measured: a row per model, runtime and image, and the floor beneath them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypedDict

import numpy as np
import numpy.typing as npt

from .measure import Program, Timing

__all__ = ["BenchmarkImage", "Floor", "Row", "row_of", "with_ratios"]

_PARTS = ("normalisation", "network", "post-processing")


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


def row_of(
    program: Program,
    model: str,
    image: str,
    batch: npt.NDArray[np.float32],
    timing: Timing,
    threads: int,
) -> Row:
    """Return what was measured of a program on an image (B, C, H, W).

    Args:
        program: that was measured.
        model: its name.
        image: its name.
        batch: the image itself.
        timing: what was measured.
        threads: that the program was given.
    """
    runtime = program.runtime
    row = Row(model, runtime.name, runtime.title, image, "measured", version=timing.version)
    if timing.error:
        return replace(row, status="not run" if timing.unavailable else "failed", why=timing.error)
    seconds, rest = timing.median, timing.post_processing
    split = None
    if timing.split_s is not None and rest is not None:
        split = dict(zip(_PARTS, (*(timing.split_s[part] for part in _PARTS[:2]), rest), strict=True))
    return replace(
        row,
        threads="its own choice" if runtime.own_threads else str(threads),
        seconds=seconds,
        fastest_s=min(timing.seconds),
        slowest_s=max(timing.seconds),
        peak_mb=timing.peak,
        objects=timing.objects,
        megapixels_per_s=batch.shape[0] * batch.shape[2] * batch.shape[3] / 1e6 / seconds,
        objects_per_s=timing.objects / seconds,
        split_s=split,
        not_split=timing.not_split,
    )


def with_ratios(rows: Sequence[Row], first: str) -> list[Row]:
    """Compare the other models with the first one, in the same runtime where it was measured there."""
    result = []
    for row in rows:
        peers = [one for one in rows if one.model == first and one.image == row.image and one.seconds is not None]
        peers.sort(key=lambda one: one.runtime != row.runtime)
        if row.model == first or row.seconds is None or not peers:
            result.append(row)
            continue
        peer, memory = peers[0], None
        if row.peak_mb is not None and peer.peak_mb:
            memory = row.peak_mb / peer.peak_mb
        faster = peer.seconds / row.seconds if peer.seconds else None
        result.append(replace(row, times_faster=faster, memory_ratio=memory, compared_to=f"{first} in {peer.title}"))
    return result
