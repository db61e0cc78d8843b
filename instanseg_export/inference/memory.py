"""How much memory a run will take, and how much there is: asked before a pixel is read.

A run has three parts, one after the other: reading and rescaling, the model in its own process, and writing. The most
that one of them takes, with what the programs themselves take, is what is compared with what is free. The constants are
measured; ``tests/inference/test_memory.py`` holds the estimate to real runs.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..checkpoints.single_file import parse_spec
from ..errors import SpecError, TooLargeError
from ..families.registry import FAMILIES
from ..images import ImageInfo, Region
from .model import Ready

__all__ = ["Need", "check_need", "estimate", "free_memory"]

_OWN = 100e6
"""Bytes of this program with the libraries that read and write images."""

_RUNNER = {"onnx": 60e6, "torchscript": 840e6}
"""Bytes of a runtime's program before it loads a model."""

_USUAL_NUMBERS = {"onnx": 96.0, "torchscript": 80.0}
"""Numbers for each pixel, of networks of which nobody says: six or five feature maps of sixteen channels."""

_VOLUME = 1.5
"""A convolution in three dimensions takes more beside its result than one in two."""

_WEIGHTS = 2.5
"""Copies of a model's file that a runtime holds while it loads it."""


@dataclass(frozen=True)
class Need:
    """Bytes that a run takes at most, of this program and the runtime's together.

    Attributes:
        own, runner: what the two programs take whatever the image; the runtime's runs while the model does.
        reading, segmenting, writing: what each part takes on top.
        seen: pixels that the model sees, in words.
    """

    own: float
    runner: float
    reading: float
    segmenting: float
    writing: float
    seen: str

    @property
    def total(self) -> float:
        return self.own + max(self.reading, self.runner + self.segmenting, self.writing)


def estimate(
    info: ImageInfo,
    channels: Sequence[int],
    region: Region | None,
    factors: tuple[float, ...],
    ready: Ready,
    *,
    measured: bool = False,
) -> Need:
    """Estimate what segmenting an image takes, from its header and the model's description alone.

    Args:
        info: of the image.
        channels: that the model sees.
        region: that is segmented.
        factors: rows of what the model sees for each of the image, along each axis.
        ready: the model and its runtime.
        measured: whether objects are measured and outlined.
    """
    spatial = info.shape[1:] if region is None else (*info.shape[1:-2], region.height, region.width)
    pixels = float(math.prod(spatial))
    seen_shape = tuple(max(1, round(size * factor)) for size, factor in zip(spatial, factors, strict=True))
    seen = float(math.prod(seen_shape))
    count, width = len(channels), info.dtype.itemsize
    rescaled = seen != pixels

    raw, copy, wanted = count * pixels * width, 4.0 * count * pixels, 4.0 * count * seen
    # A decoder holds its own copy of what it decodes, of all channels where they lie pixel by pixel.
    reading = max(raw + info.shape[0] * pixels * width, raw + copy + (2 * copy + 2 * wanted if rescaled else 0))

    structures = len(ready.contract.structures) or 2
    segmenting = wanted + seen * _network(ready, count, len(spatial)) if ready.device == "cpu" else 2 * wanted

    labels = 8.0 * structures * pixels
    masks = 0.0 if ready.contract.output("masks") is None else 100 * pixels
    writing = max(
        8.0 * structures * seen + 12.0 * structures * seen,
        labels * (2 if rescaled else 1) + raw + 4.0 * pixels * (3 * min(count, 3) + 6),
        labels + raw + 12.0 * pixels * measured,
    )
    return Need(
        own=_OWN,
        runner=_program(ready),
        reading=reading,
        segmenting=segmenting,
        writing=writing + masks,
        seen=" x ".join(map(str, seen_shape)),
    )


def _program(ready: Ready) -> float:
    weights = _WEIGHTS * ready.file.stat().st_size
    return _RUNNER.get(ready.runtime.target, max(_RUNNER.values())) + weights


def _network(ready: Ready, channels: int, dimensions: int) -> float:
    """Return the bytes that a runtime takes for each pixel that the model sees, beside the image.

    Most of it are feature maps at full resolution.
    """
    structures = len(ready.contract.structures) or 2
    features = _numbers_per_pixel(ready, channels)
    if dimensions == 3:
        features *= _VOLUME
    return 4.0 * (features + channels + 4 * structures)


def _numbers_per_pixel(ready: Ready, channels: int) -> float:
    """Ask the model's family; a file runs also where its family is not installed or its description does not fit."""
    target = ready.runtime.target
    usual = _USUAL_NUMBERS.get(target, max(_USUAL_NUMBERS.values()))
    if ready.metadata is None:
        return usual
    try:
        spec = parse_spec(ready.metadata.spec.whole(), ready.file)
    except SpecError:
        return usual
    numbers = FAMILIES.get(spec.family).numbers_per_pixel
    return usual if numbers is None else numbers(spec, target, channels)


def check_need(path: Path, need: Need, ready: Ready, *, ignore: bool = False) -> float | None:
    """Refuse an image that will not fit.

    Returns:
        None where it fits; the bytes that are free where it does not and that is ignored.

    Raises:
        TooLargeError: saying how much is needed and how much is free.
    """
    free, why = free_memory()
    if need.total <= free:
        return None
    if ignore:
        return free
    raise TooLargeError(
        f"{path} needs about {_gigabytes(need.total)} of memory to be segmented with {ready.title} "
        f"({need.seen} pixels for the model), and {_gigabytes(free)} are free{why}.",
        hint="Segment a part with --region X Y WIDTH HEIGHT; give fewer --channels, if the model takes any number; "
        "shrink the image by a smaller --pixel-size, at the price of detail; segment it in tiles with --tiled; or go "
        "on regardless with --ignore-memory.",
    )


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{max(size, 0) / 1e6:.0f} MB"


def free_memory() -> tuple[float, str]:
    """Return the bytes that may still be taken, and what limits them where it is not the machine itself."""
    import psutil

    found = [(float(psutil.virtual_memory().available), "")]
    found += [(free, " in this control group (container)") for free in _control_groups()]
    limit = _address_space()
    if limit is not None:
        taken = float(psutil.Process().memory_info().vms)
        found.append((limit - taken, " under this shell's limit (ulimit -v)"))
    return min(found)


def _address_space() -> float | None:
    """Return the limit of this process' address space, if there is one."""
    if sys.platform == "win32":
        return None
    import resource

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY else float(limit)


def _control_groups(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> Iterator[float]:
    """Yield what each control group that this process is in has left, of both versions of Linux' control groups."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, place = rest.partition(":")
        if number == "0":
            base, files = root, ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            base, files = root / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        folder = base / place.lstrip("/")
        for group in (folder, *folder.parents):
            left = _left(group, *files)
            if left is not None:
                yield left
            if group == base:
                break


def _left(group: Path, limit: str, used: str, reclaimable: str) -> float | None:
    try:
        allowed = (group / limit).read_text().strip()
        if not allowed.isdecimal():
            return None  # "max"
        taken = int((group / used).read_text())
        rows = (line.split() for line in (group / "memory.stat").read_text().splitlines())
        statistics: Mapping[str, Any] = {row[0]: row[1] for row in rows if len(row) == 2}
        return float(int(allowed) - taken + int(statistics.get(reclaimable, 0)))
    except (OSError, ValueError):
        return None
