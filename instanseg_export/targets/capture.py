"""The forward as a graph: ``torch.export``, once for all targets that need it."""

from __future__ import annotations

import copy
import gc
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..metadata import INCOMPLETE, LABELS, NETWORK, SEED_COUNT

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.export import ExportedProgram

    from ..families.base import SegmentationForward
    from ..metadata import ModelMetadata

__all__ = [
    "AXES",
    "CapturedProgram",
    "capture",
    "capture_network",
    "capture_static",
    "collection_paused",
    "shared_captures",
]

AXES = {2: ("batch", "channels", "height", "width"), 3: ("batch", "channels", "depth", "height", "width")}
"""Names of the image's axes, by the number of spatial ones."""

_LARGEST = {"batch": 1024, "channels": 512, "depth": 4096, "height": 32768, "width": 32768}
_EXAMPLE = {2: (1180, 1310), 3: (24, 40, 48)}
"""Sizes that are not special: an exporter takes 0, 1 and equal sizes for constants, also those of the coarsest maps and
of the windows in them. It computes no values."""


@dataclass(frozen=True)
class CapturedProgram:
    """A forward after ``torch.export``. Targets must not change it: others read it too.

    Attributes:
        program: image and settings in, one tensor per stage out.
        settings: name and baked-in scalar of each setting that is an input of the program, in its order.
        stage_names: of the outputs, in their order.
        axes: names of the image's axes, in their order.
    """

    program: ExportedProgram
    settings: dict[str, Tensor]
    stage_names: tuple[str, ...]
    axes: tuple[str, ...]


_Key = tuple[int, tuple[object, ...]]
_shared: ContextVar[dict[_Key, tuple[SegmentationForward, CapturedProgram]] | None] = ContextVar(
    "captures", default=None
)


@contextmanager
def shared_captures() -> Iterator[None]:
    """Let the targets that are written in this block share what they capture of a forward; then free it.

    A forward must not change in the block.
    """
    token = _shared.set({})
    try:
        yield
    finally:
        _shared.reset(token)


def capture(forward: SegmentationForward, settings: Sequence[str]) -> CapturedProgram:
    """Trace a forward for any batch size, height and width, and any number of channels if it takes any.

    Args:
        forward: in eval mode, on the CPU; it is not changed.
        settings: names of the settings that stay inputs; all others are fixed at their baked-in values.

    Raises:
        Exception: torch.export refuses the forward; it raises errors of many kinds.
    """
    return _once(forward, tuple(settings), lambda: _capture(forward, settings))


def capture_static(forward: SegmentationForward, metadata: ModelMetadata) -> CapturedProgram:
    """Trace the static form of a forward for the one size and the capacity that its description gives.

    Raises:
        ExportError: the forward has no such form.
        Exception: torch.export refuses it; it raises errors of many kinds.
    """
    assert metadata.image_shape is not None
    assert metadata.seed_capacity is not None
    shape, seeds = metadata.image_shape, metadata.seed_capacity
    return _once(forward, ("static", *shape, seeds), lambda: _capture_static(forward, shape, seeds))


def capture_network(forward: SegmentationForward, metadata: ModelMetadata) -> CapturedProgram:
    """Trace the network of a forward alone, for the one size that its description gives.

    Raises:
        ExportError: it has no such part.
        Exception: torch.export refuses it; it raises errors of many kinds.
    """
    assert metadata.image_shape is not None
    shape = metadata.image_shape
    return _once(forward, ("network", *shape), lambda: _capture_network(forward, shape))


def _once(
    forward: SegmentationForward, what: tuple[object, ...], trace: Callable[[], CapturedProgram]
) -> CapturedProgram:
    captures = _shared.get()
    key = id(forward), what
    if captures is not None and key in captures:
        return captures[key][1]
    captured = trace()
    if captures is not None:
        captures[key] = forward, captured  # the forward too, or its id might become that of another
    return captured


def _capture_static(forward: SegmentationForward, shape: tuple[int, ...], seeds: int) -> CapturedProgram:
    import torch

    _, _, height, width = shape
    module = copy.deepcopy(forward).to(memory_format=torch.contiguous_format).static_form(height, width, seeds)
    return CapturedProgram(_trace_for(shape, module), {}, (LABELS, SEED_COUNT, INCOMPLETE), AXES[forward.dimensions])


def _capture_network(forward: SegmentationForward, shape: tuple[int, ...]) -> CapturedProgram:
    import torch

    from .signature import NetworkAlone

    module = NetworkAlone(copy.deepcopy(forward).to(memory_format=torch.contiguous_format))
    return CapturedProgram(_trace_for(shape, module), {}, (NETWORK,), AXES[forward.dimensions])


def _trace_for(shape: tuple[int, ...], module: nn.Module) -> ExportedProgram:
    """Trace a module for images of one shape."""
    import torch

    from ..layers.strips import export_whole

    export_whole(module)
    with warnings.catch_warnings(), collection_paused(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.compiler.reset()
        return torch.export.export(module, (torch.zeros(shape),))


def _capture(forward: SegmentationForward, settings: Sequence[str]) -> CapturedProgram:
    import torch

    from .signature import TracedSignature

    # In any other order of a weight's numbers the exporter wants to know which sizes of features can be 1.
    signature = TracedSignature(
        copy.deepcopy(forward).to(memory_format=torch.contiguous_format),
        settings,
    )
    names = AXES[forward.dimensions]
    sizes = [size for size in names if size != "channels" or forward.channels == 0]
    shape = {names.index(size): torch.export.Dim(size, min=1, max=_LARGEST[size]) for size in sizes}
    image = torch.rand(2, forward.channels or 3, *_EXAMPLE[forward.dimensions])
    baked = signature.baked()
    with warnings.catch_warnings(), collection_paused(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.compiler.reset()  # or loop bodies of an earlier export, with its sizes, are taken for this one's
        # Guards such as "a width of 2 has other strides" hold for all sizes as far as values are concerned.
        program = torch.export.export(
            signature,
            (image, baked),
            dynamic_shapes=(shape, {name: {} for name in baked}),
            prefer_deferred_runtime_asserts_over_guards=True,
        )
    return CapturedProgram(program, baked, signature.stage_names, names)


@contextmanager
def collection_paused() -> Iterator[None]:
    """Keep Python from looking for garbage: tracing makes millions of objects that live to its end."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()
