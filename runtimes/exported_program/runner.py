"""Runs a .pt2 file of torch.export, which needs PyTorch and nothing else."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "_shared"))

from runner_protocol import METADATA_KEY, Request, Session, UnavailableError, read_facts, serve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor
    from torch.fx import GraphModule


class Program:
    """An exported program as a module: settings are its buffers, stages are nodes of its graph.

    Args:
        module: what ``torch.export.load(file).module()`` returns.
        stages: name of each stage and of its node.
    """

    def __init__(self, module: GraphModule, stages: Mapping[str, str]) -> None:
        self._module = module
        self._stages = stages

    def __call__(self, image: Tensor, settings: Mapping[str, Tensor] | None = None) -> Any:
        """Return the results for an image."""
        self._set(settings or {})
        return self._module(image)

    def stages(self, image: Tensor, settings: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        """Return the stages for an image, by name."""
        import torch

        wanted = set(self._stages.values())
        found = {}

        class Recorder(torch.fx.Interpreter):
            def run_node(self, node: torch.fx.Node) -> Any:
                value = super().run_node(node)
                if node.name in wanted:
                    found[node.name] = value
                return value

        self._set(settings or {})
        Recorder(self._module).run(image)
        return {name: found[node] for name, node in self._stages.items()}

    def _set(self, settings: Mapping[str, Tensor]) -> None:
        buffers = dict(self._module.named_buffers())
        for name, value in settings.items():
            if name not in buffers:
                raise UnavailableError(f"the setting {name} is fixed at export in this format")
            buffers[name].copy_(value)


def open_session(request: Request) -> Session:
    import torch
    from torch_session import TorchSession, torch_device

    extra = {f"{METADATA_KEY}.json": ""}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.load(request.model, extra_files=extra)
    text = extra[f"{METADATA_KEY}.json"]
    facts = read_facts(text)
    program_module: Any = program.module()
    return TorchSession(Program(program_module, facts.stages), torch_device(request.device), request, facts)


if __name__ == "__main__":
    raise SystemExit(serve("exported_program", open_session))
