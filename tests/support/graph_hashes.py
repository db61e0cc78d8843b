"""Hashes of what exported files compute, for the proof that a change to this package changes no exported graph.

Run it before and after the change, each in a process of its own, and compare::

    python tests/support/graph_hashes.py before.json
    python tests/support/graph_hashes.py after.json --against before.json

Every family is exported from small networks with fixed weights. A hash covers all that a runtime computes with, and
nothing that says where the code stands or when it was written:

- ONNX: nodes, attributes, subgraphs, functions, initializers, inputs, outputs, opset and IR version, in order and with
  all names; no metadata, documentation strings or producer.
- TorchScript: weights by name, and the nodes of ``forward`` and ``stages`` once PyTorch has simplified them:
  functions are inlined, tuples taken apart, and what is known beforehand is computed. Neither names in the code count
  nor the words of errors.

Each family is exported in a process of its own: what the process compiled before could show in the result.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import onnx
import torch

if __name__ == "__main__":  # as pytest does for tests
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from instanseg_export import build_forward, load_checkpoint
from instanseg_export.checkpoints import Checkpoint
from instanseg_export.families.instanseg.spec import UNetSpec
from instanseg_export.targets import TARGETS, write_artifact
from support.embedseg_runs import write_embedseg_run
from support.iaunet_models import RESNET, SWIN, random_checkpoint
from support.sam_models import sam_network, sam_spec
from support.training_runs import channel_net_spec, random_network, small_spec
from support.two_stage_models import SEGMENTATION, classified_recipe, positivity_recipe

__all__ = ["FAMILIES", "TARGET_HASHES", "onnx_hash", "torchscript_hash"]

_PASSES = (
    torch._C._jit_pass_peephole,
    torch._C._jit_pass_constant_propagation,
    torch._C._jit_pass_cse,
    torch._C._jit_pass_dce,
)
"""PyTorch's own that always go as far as they can. Those that unroll loops do so up to some size."""


def onnx_hash(path: Path) -> str:
    """Return the hash of an ONNX file; see the module."""
    model = onnx.load(path)
    bare = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import, graph=model.graph)
    bare.functions.extend(model.functions)
    _strip(bare)
    return hashlib.sha256(bare.SerializeToString(deterministic=True)).hexdigest()


def _strip(message: Any) -> None:
    """Clear documentation and metadata of a protobuf message and of all that it holds."""
    for field, value in list(message.ListFields()):
        if field.name in ("doc_string", "metadata_props"):
            message.ClearField(field.name)
        elif field.message_type is not None:
            for inner in [value] if not hasattr(value, "__len__") else value:
                _strip(inner)


def torchscript_hash(path: Path) -> str:
    """Return the hash of a TorchScript file; see the module."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated
        module = torch.jit.load(path, map_location="cpu")
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {_constant(tensor)}\n".encode())
    for name in ("forward", "stages"):
        if hasattr(module, name):
            digest.update("\n".join([name, *_Listing(module, _simplified(module, name)).lines]).encode())
    return digest.hexdigest()


def _simplified(module: Any, method: str) -> Any:
    """Return a method's graph without calls, and without what is known from the module's numbers."""
    graph = getattr(module, method).graph.copy()
    torch._C._jit_pass_inline(graph)
    owners = {next(graph.inputs()).unique(): module}
    for node in graph.findAllNodes("prim::GetAttr"):  # an owner comes before what it owns
        value = getattr(owners[node.input().unique()], node.s("name"))
        if isinstance(value, torch.jit.ScriptModule):
            owners[node.output().unique()] = value
        elif isinstance(value, (bool, int, float, str)):
            graph.setInsertPoint(node)
            node.output().replaceAllUsesWith(graph.insertConstant(value))
    graph.setInsertPoint(graph.return_node())  # no pass may take away the node that new ones go before
    for node in [*graph.findAllNodes("prim::TupleUnpack"), *graph.findAllNodes("prim::TupleIndex")]:
        made = next(node.inputs()).node()
        if made.kind() == "prim::TupleConstruct":
            parts = list(made.inputs())
            if node.kind() == "prim::TupleIndex":
                parts = [parts[list(node.inputs())[1].toIValue()]]
            for value, part in zip(node.outputs(), parts, strict=True):
                value.replaceAllUsesWith(part)
    for simplify in _PASSES:
        simplify(graph)
    return graph


class _Listing:
    """Lists the nodes of a graph.

    A constant goes by its value, a tuple by its parts and what a module owns by its name or value: none is a node.
    """

    def __init__(self, module: Any, graph: Any) -> None:
        self.module = module
        self.values: dict[int, Any] = {}
        self.count = 0
        self.lines: list[str] = []
        self.add(graph)

    def add(self, block: Any) -> None:
        """Add what a graph or a block of it takes, does and returns; of what raises an error, that alone."""
        if any(node.kind() == "prim::RaiseException" for node in block.nodes()):
            self.lines.append("raise")
            return
        self.number(block.inputs())
        for node in block.nodes():
            self.add_node(node, [self.values[value.unique()] for value in node.inputs()])
        self.lines.append(f"return {[self.values[value.unique()] for value in block.outputs()]}")

    def add_node(self, node: Any, inputs: list[Any]) -> None:
        kind = node.kind()
        if kind == "prim::Constant":
            self.values[node.output().unique()] = _constant(node.output().toIValue())
        elif kind == "prim::GetAttr":
            self.values[node.output().unique()] = self.owned(f"{inputs[0]}.{node.s('name')}")
        elif kind == "prim::TupleConstruct":
            self.values[node.output().unique()] = tuple(inputs)
        else:
            attributes = [(name, getattr(node, node.kindOf(name))(name)) for name in node.attributeNames()]
            self.lines.append(f"{self.number(node.outputs())} {kind} {attributes} {inputs}")
            for block in node.blocks():
                self.add(block)

    def owned(self, name: str) -> str:
        """Return the name of a module or tensor, and the value of all else."""
        value = self.module
        for part in name.split(".")[1:]:
            value = getattr(value, part)
        return name if isinstance(value, (torch.jit.ScriptModule, torch.Tensor)) else repr(value)

    def number(self, values: Iterable[Any]) -> list[str]:
        """Give values names that say nothing but their order."""
        names = []
        for value in values:
            names.append(f"%{self.count}")
            self.values[value.unique()] = names[-1]
            self.count += 1
        return names


def _constant(value: Any) -> str:
    if not isinstance(value, torch.Tensor):
        return repr(value)
    content = hashlib.sha256(value.detach().contiguous().numpy().tobytes()).hexdigest()
    return f"{value.dtype} {tuple(value.shape)} {value.stride()} {content}"


TARGET_HASHES: dict[str, Callable[[Path], str]] = {"torchscript": torchscript_hash, "onnx": onnx_hash}


def _checkpoint(spec: Any, network: Any) -> Checkpoint:
    return Checkpoint(spec, network, Path("random"), "0" * 64, "test")


def _instanseg(spec: Any) -> Checkpoint:
    return _checkpoint(spec, random_network(spec))


def _multihead(folder: Path) -> Checkpoint:
    backbone = UNetSpec(in_channels=3, layers=(4, 6, 8), norm="instance", heads=((4, 2, 2), (4, 2, 2)))
    fields = {"structures": ("nuclei", "cells"), "backbone": backbone, "dim_coords": 4, "dim_seeds": 2}
    return _instanseg(small_spec(**fields))


def _sam(kind: str) -> Callable[[Path], Checkpoint]:
    def build(folder: Path) -> Checkpoint:
        spec = sam_spec(kind)
        return _checkpoint(spec, sam_network(spec))

    return build


def _embedseg(axes: int) -> Callable[[Path], Checkpoint]:
    return lambda folder: load_checkpoint(write_embedseg_run(folder / "run", axes))


FAMILIES: dict[str, tuple[Callable[[Path], Checkpoint], dict[str, Any]]] = {
    "instanseg": (lambda folder: _instanseg(small_spec()), {}),
    "instanseg_tta": (lambda folder: _instanseg(small_spec()), {"tta": True}),
    "channelnet": (lambda folder: _instanseg(channel_net_spec()), {}),
    "multihead": (_multihead, {}),
    "sam_unet": (_sam("sam_unet"), {}),
    "cellposesam": (_sam("cellposesam"), {}),
    "cellsam": (_sam("cellsam"), {}),
    "embedseg_2d": (_embedseg(2), {}),
    "embedseg_2d_tta": (_embedseg(2), {"tta": True}),
    "embedseg_3d": (_embedseg(3), {}),
    "iaunet_swin": (lambda folder: random_checkpoint(SWIN), {}),
    "iaunet_resnet": (lambda folder: random_checkpoint(RESNET), {}),
    "classified": (lambda folder: load_checkpoint(classified_recipe(folder)), {}),
    "positivity": (lambda folder: load_checkpoint(positivity_recipe(folder, SEGMENTATION)), {}),
}
"""For each family and variant, what makes a checkpoint in an empty folder, and the settings to bake in."""


def hashes_of(family: str, targets: Sequence[str]) -> dict[str, str]:
    """Export a family and return the hash of each target's file."""
    torch.set_num_threads(1)
    found = {}
    build, settings = FAMILIES[family]
    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        checkpoint = build(Path(folder))
        forward = build_forward(checkpoint, settings)
        for target in targets:
            path = Path(folder) / TARGETS.get(target).filename
            write_artifact(target, forward, checkpoint, path)
            found[target] = TARGET_HASHES[target](path)
    return found


def main() -> int:
    """Write the hashes of all families, or of some; with ``--against`` fail where they differ from earlier ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path, help="JSON file to write")
    parser.add_argument("--against", type=Path, help="hashes of an earlier run")
    parser.add_argument("--only", nargs="+", choices=FAMILIES, default=list(FAMILIES), help="families to export")
    parser.add_argument("--targets", nargs="+", choices=TARGET_HASHES, default=list(TARGET_HASHES))
    arguments = parser.parse_args()
    expected = json.loads(arguments.against.read_text()) if arguments.against else {}
    found: dict[str, str] = {}
    different = []
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        results = {family: pool.submit(hashes_of, family, arguments.targets) for family in arguments.only}
        for family, result in results.items():
            for target, value in result.result().items():
                name = f"{family}.{target}"
                found[name] = value
                same = expected.get(name) == value
                if expected and not same:
                    different.append(name)
                print(name, value[:16], "" if not expected else "same" if same else "DIFFERENT", flush=True)  # noqa: T201
            arguments.output.write_text(json.dumps(found, indent=1) + "\n")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
