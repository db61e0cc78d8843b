"""Hashes of what exported files compute, for the proof that a change to this package changes no exported graph.

Run it before and after the change, each in a process of its own, and compare::

    python tests/support/graph_hashes.py before.json
    python tests/support/graph_hashes.py after.json --against before.json

Every family is exported from small networks with fixed weights. A hash covers all that a runtime computes with, and
nothing that says where the code stands or when it was written:

- ONNX: nodes, attributes, subgraphs, functions, initializers, inputs, outputs, opset and IR version, in order and with
  all names; no metadata, documentation strings or producer.
- TorchScript: weights by name, and the nodes of ``forward`` and ``stages`` and of all that they call, without
  tuples and without what is known beforehand. Neither names in the code count nor the words of errors.

Each family is exported in a process of its own: what the process compiled before could show in the result.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import operator
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
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

_FOLDED = {"aten::add": operator.add, "aten::eq": operator.eq, "aten::gt": operator.gt, "aten::ne": operator.ne}
"""What is computed beforehand where the numbers are known."""


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
        digest.update(f"{name} {_Known(tensor)}\n".encode())
    for name in ("forward", "stages"):
        if hasattr(module, name):
            digest.update("\n".join([name, *_Listing(module, name).lines]).encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class _Known:
    """A value that is known before the graph runs."""

    value: Any

    def __repr__(self) -> str:
        if not isinstance(self.value, torch.Tensor):
            return repr(self.value)
        content = hashlib.sha256(self.value.detach().contiguous().numpy().tobytes()).hexdigest()
        return f"{self.value.dtype} {tuple(self.value.shape)} {self.value.stride()} {content}"


class _Listing:
    """Lists the nodes of a method and of all that it calls.

    Constants, tuples, what a module owns, and what follows from known numbers are no nodes: they stand where they are
    used. PyTorch's own passes cannot do this, for what they do depends on more than the graph.
    """

    def __init__(self, module: Any, method: str) -> None:
        graph = getattr(module, method).graph.copy()
        torch._C._jit_pass_inline(graph)
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
        self.name(block.inputs())
        self.add_nodes(block)
        self.lines.append(f"return {self.of(block.outputs())}")

    def add_nodes(self, block: Any) -> None:
        for node in block.nodes():
            replaced = self.replaced(node)
            if replaced is not None:
                self.values.update(zip((value.unique() for value in node.outputs()), replaced, strict=True))
                continue
            inputs = self.of(node.inputs())
            attributes = [(name, getattr(node, node.kindOf(name))(name)) for name in node.attributeNames()]
            self.lines.append(f"{self.name(node.outputs())} {node.kind()} {attributes} {inputs}")
            for inner in node.blocks():
                self.add(inner)

    def replaced(self, node: Any) -> list[Any] | None:
        """Return what stands for the results of a node that is none; None for all others."""
        kind, inputs = node.kind(), self.of(node.inputs())
        match kind:
            case "prim::Constant":
                return [_Known(node.output().toIValue())]
            case "prim::GetAttr":
                return [self.owned(f"{inputs[0]}.{node.s('name')}")]
            case "prim::TupleConstruct":
                return [tuple(inputs)]
            case "prim::TupleUnpack" if isinstance(inputs[0], tuple):
                return list(inputs[0])
            case "prim::TupleIndex" if isinstance(inputs[0], tuple):
                return [inputs[0][inputs[1].value]]
            case "prim::unchecked_cast":
                return inputs
            case "aten::__isnot__" if next(node.inputs()).type().kind() not in ("OptionalType", "NoneType"):
                return [_Known(True)]
            case "prim::If" if isinstance(inputs[0], _Known):
                taken = list(node.blocks())[0 if inputs[0].value else 1]
                self.add_nodes(taken)
                return self.of(taken.outputs())
        if kind in _FOLDED and all(isinstance(known, _Known) and isinstance(known.value, int) for known in inputs):
            return [_Known(_FOLDED[kind](*(known.value for known in inputs)))]
        return None

    def owned(self, name: str) -> Any:
        """Return the name of a module or tensor, and the value of all else."""
        value = self.module
        for part in name.split(".")[1:]:
            value = getattr(value, part)
        return name if isinstance(value, (torch.jit.ScriptModule, torch.Tensor)) else _Known(value)

    def of(self, values: Iterable[Any]) -> list[Any]:
        return [self.values[value.unique()] for value in values]

    def name(self, values: Iterable[Any]) -> list[str]:
        """Give values names that say nothing but their order."""
        names = []
        for value in values:
            names.append(f"%{self.count}")
            self.values[value.unique()] = names[-1]
            self.count += 1
        return names


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
