"""From a captured program to a graph of ONNX operators."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ..capture import CapturedProgram, collection_paused
from .functional import translatable
from .lowerings import lowerings
from .rewriting import quick_rewriting

if TYPE_CHECKING:
    import onnx_ir as ir

__all__ = ["OPSET", "translate"]

OPSET = 18
"""The zoo's services run ONNX Runtime 1.20, and deepImageJ an older one."""


def translate(captured: CapturedProgram, inputs: Sequence[str], outputs: Sequence[str]) -> ir.Model:
    """Return the program in ONNX operators, optimised.

    Args:
        captured: it is not changed.
        inputs: names of the graph's inputs, in the program's order.
        outputs: the same of its outputs.

    Raises:
        Exception: an operator has no translation; the exporter raises errors of many kinds.
    """
    import torch

    with warnings.catch_warnings(), _quiet(), collection_paused(), quick_rewriting(), torch.no_grad():
        warnings.simplefilter("ignore")
        exported = torch.onnx.export(
            translatable(captured.program),
            dynamo=True,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=list(outputs),
            custom_translation_table=lowerings(),
            verbose=False,
        )
    assert exported is not None
    return exported.model


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's progress and remarks about packages that it would like off the terminal."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
