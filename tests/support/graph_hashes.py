"""Hashes of what exported files compute, for the proof that a change to this package changes no exported graph.

Run it before and after the change, each in a process of its own, and compare::

    python tests/support/graph_hashes.py before.json
    python tests/support/graph_hashes.py after.json --against before.json

Every family is exported from small networks with fixed weights. A hash covers all that a runtime computes with, and
nothing that says where the code stands or when it was written:

- ONNX: nodes, attributes, subgraphs, functions, initializers, inputs, outputs, opset and IR version, in order and with
  all names; no metadata, documentation strings or producer.
- TorchScript: code, weights, constants and attributes, where a class or a function counts by the last part of its name
  alone, so that a module may move; no metadata.

Each family is exported in a process of its own: how TorchScript names and orders what it compiles depends on what the
process compiled before.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import pickletools
import re
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
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

_NAMES = re.compile(r"\b__torch__(?:\.\w+)*\.(\w+)")
_DEFINITION = re.compile(r"^(?=class |def )", re.MULTILINE)
_LEFT_OUT = ("/extra/", ".debug_pkl", "/version", "/byteorder", "/.data/serialization_id")


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
    digest = hashlib.sha256()
    definitions = []
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            place = name.partition("/")[2]
            if any(part in f"/{place}" for part in _LEFT_OUT):
                continue
            content = archive.read(name)
            if place.startswith("code/"):
                definitions += [_plain(text) for text in _DEFINITION.split(content.decode()) if text.strip()]
            elif place.endswith(".pkl"):
                digest.update(f"{place} {_pickle(content)}\n".encode())
            else:
                digest.update(f"{place} {hashlib.sha256(content).hexdigest()}\n".encode())
    digest.update("\n".join(sorted(definitions)).encode())
    return digest.hexdigest()


def _plain(text: str) -> str:
    return _NAMES.sub(r"\1", text)


def _pickle(content: bytes) -> str:
    """Describe a pickle without executing it. Classes are named as "module name", so both become one name."""
    steps = []
    for operation, argument, _ in pickletools.genops(content):
        if operation.name == "GLOBAL":
            argument = _plain(str(argument).replace(" ", "."))
        steps.append(f"{operation.name} {argument!r}")
    return hashlib.sha256("\n".join(steps).encode()).hexdigest()


TARGET_HASHES: dict[str, Callable[[Path], str]] = {"torchscript": torchscript_hash, "onnx": onnx_hash}


def _checkpoint(spec: Any, network: Any) -> Checkpoint:
    return Checkpoint(spec, network, Path("random"), "0" * 64, "test")


def _instanseg(spec: Any) -> Checkpoint:
    return _checkpoint(spec, random_network(spec))


def _multihead(folder: Path) -> Checkpoint:
    backbone = UNetSpec(in_channels=3, layers=(4, 6, 8), norm="instance", heads=((4, 2, 2), (4, 2, 2)))
    fields = {"targets": ("nuclei", "cells"), "backbone": backbone, "dim_coords": 4, "dim_seeds": 2}
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
