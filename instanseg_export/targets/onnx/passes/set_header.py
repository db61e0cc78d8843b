"""The file says what it is."""

from __future__ import annotations

import onnx_ir as ir

__all__ = ["IR_VERSION", "SetHeader"]

IR_VERSION = 10
"""The newest that ONNX Runtime 1.20 reads."""


class SetHeader(ir.passes.InPlacePass):
    """Name the producer, what the file does, and the version of the format.

    Requires: nothing of a newer version is in the graph.
    Ensures: the header is as given.

    Args:
        version: of this package.
        description: one sentence.
    """

    def __init__(self, version: str, description: str) -> None:
        super().__init__()
        self.version = version
        self.description = description

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """See the class."""
        model.ir_version = IR_VERSION
        model.producer_name = "instanseg-export"
        model.producer_version = self.version
        model.doc_string = self.description
        return ir.passes.PassResult(model, modified=True)

    def ensures(self, model: ir.Model) -> None:
        """See the class."""
        found = model.ir_version, model.producer_version, model.doc_string
        if found != (IR_VERSION, self.version, self.description):
            raise ir.passes.PostconditionError("SetHeader: the header is not as given")
