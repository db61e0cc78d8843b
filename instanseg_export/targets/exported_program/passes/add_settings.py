"""Settings become buffers with their baked-in values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...program import ProgramPass

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram
    from torch.fx import Node

__all__ = ["AddSettings"]


class AddSettings(ProgramPass):
    """Turn inputs into buffers, so that clients need not give them and can still change them, each by its name.

    Requires: the program's inputs are the image and, by name, the settings.
    Ensures: its only input is the image, and it has a buffer per setting.

    Args:
        values: name and value of each setting, in the order of the inputs.
    """

    def __init__(self, values: Mapping[str, Tensor]) -> None:
        self.values = dict(values)

    def requires(self, program: ExportedProgram) -> str:
        """See the class."""
        found = len(_user_inputs(program))
        return (
            ""
            if found == 1 + len(self.values)
            else f"there are {found} inputs for an image and {len(self.values)} settings"
        )

    def call(self, program: ExportedProgram) -> None:
        """See the class."""
        from torch.export.graph_signature import InputKind, InputSpec, TensorArgument
        from torch.utils import _pytree as pytree

        specs = program.graph_signature.input_specs
        nodes: dict[str, Node] = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
        for name, argument in zip(self.values, _user_inputs(program)[1:], strict=True):
            index = next(place for place, spec in enumerate(specs) if spec.arg.name == argument)
            specs.pop(index)
            # Buffers come before inputs, in the signature and in the graph.
            specs.insert(0, InputSpec(InputKind.BUFFER, TensorArgument(argument), name, persistent=True))
            first = next(iter(program.graph.nodes))
            if first is not nodes[argument]:
                first.prepend(nodes[argument])
            program.state_dict[name] = self.values[name].clone()
        signature = program.module_call_graph[0].signature
        assert signature is not None
        signature.in_spec = pytree.tree_structure(((0,), {}))
        signature.forward_arg_names = ["image"]

    def ensures(self, program: ExportedProgram) -> str:
        """See the class."""
        if len(_user_inputs(program)) != 1:
            return "the image is not the only input"
        missing = [name for name in self.values if name not in program.graph_signature.buffers]
        return f"there is no buffer {missing[0]}" if missing else ""


def _user_inputs(program: ExportedProgram) -> list[str]:
    from torch.export.graph_signature import InputKind

    return [spec.arg.name for spec in program.graph_signature.input_specs if spec.kind == InputKind.USER_INPUT]
