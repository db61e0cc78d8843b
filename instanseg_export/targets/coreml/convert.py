"""From what is captured of a forward, for one size, to an ML program."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..capture import CapturedProgram, collection_paused
from .compute_constants import STORED, compute_constants
from .decompositions import decompositions
from .lean_import import only_what_converts_torch
from .lowerings import lowerings_in_use

if TYPE_CHECKING:
    from ...metadata import ModelMetadata

__all__ = ["convert"]


def convert(captured: CapturedProgram, metadata: ModelMetadata) -> Any:
    """Return the program as a ``coremltools`` model for iOS 17, macOS 14 and later, with the types that it has.

    Args:
        captured: the static form, or the network alone; it is not changed.
        metadata: what the file says of itself.

    Raises:
        Exception: an operator has no translation; the converter raises errors of many kinds.
    """
    with _quiet(), only_what_converts_torch():
        import coremltools as ct
    with _quiet(), collection_paused(), lowerings_in_use():
        passes = ct.PassPipeline.DEFAULT
        passes.set_options("common::const_elimination", {"skip_const_by_size": str(STORED)})
        program = ct.convert(
            captured.program.run_decompositions(decompositions()),
            convert_to="milinternal",
            outputs=[ct.TensorType(name=name) for name in captured.stage_names],
            minimum_deployment_target=ct.target.iOS17,
            # The whole in float16 would round labels beyond 2,048; half.py says what may be of that type.
            compute_precision=ct.precision.FLOAT32,
            pass_pipeline=passes,
        )
        compute_constants(program)
        return ct.convert(
            program,
            convert_to="mlprogram",
            minimum_deployment_target=ct.target.iOS17,
            compute_precision=ct.precision.FLOAT32,
            # Earlier passes give one name to several values, and a saved program knows values by their names.
            pass_pipeline=ct.PassPipeline(["common::dedup_op_and_var_names"], "unique names"),
            skip_model_load=True,
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the converter's progress bars and remarks on versions off the terminal."""
    logger = logging.getLogger("coremltools")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
