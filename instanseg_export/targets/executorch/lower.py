"""From a captured network to an ExecuTorch program."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..capture import collection_paused

if TYPE_CHECKING:
    from torch.export import ExportedProgram

__all__ = ["lower"]


def lower(program: ExportedProgram) -> bytes:
    """Return the program as ExecuTorch reads it: in float32, with all that XNNPACK can do given to XNNPACK.

    Args:
        program: of one size; it is not changed.

    Raises:
        Exception: an operator has no translation; the exporter raises errors of many kinds.
    """
    with _quiet(), collection_paused():
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import to_edge_transform_and_lower

        edge = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
        data: bytes = edge.to_executorch().buffer
    return data


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's remarks on versions and operators off the terminal."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
