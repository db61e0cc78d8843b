"""Our files and upstream's of the same weights, as programs that take turns."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import psutil
from planted import planted_checkpoint
from upstream import script_upstream, upstream_classifier, upstream_network

from instanseg_export import build_forward, load_checkpoint
from instanseg_export.benchmark.inputs import dense_image, normalised
from instanseg_export.benchmark.measure import Program
from instanseg_export.checkpoints import Checkpoint
from instanseg_export.runtimes.registry import find_runtime
from instanseg_export.targets import TARGETS, write_artifact

__all__ = ["DEMO", "ONNX", "TORCHSCRIPT", "UPSTREAM", "Files", "Peers"]

ROOT = Path(__file__).resolve().parent.parent.parent
DEMO = ROOT / "model_zoo" / "nuclei_dsb2018" / "checkpoint.pt"
UPSTREAM, TORCHSCRIPT, ONNX = "upstream TorchScript", "our TorchScript", "our ONNX, ONNX Runtime"
_GOLDEN = ("nuclei_batchnorm", "he_example_512.npz")


class Files:
    """Upstream's file and ours of one checkpoint.

    Args:
        checkpoint: whose weights are taken.
        folder: to write to; it is made.
        planted: the network is the planted one, which is none of upstream's modules.
    """

    def __init__(self, checkpoint: Checkpoint, folder: Path, *, planted: bool = False) -> None:
        folder.mkdir()
        self.channels = checkpoint.spec.channels or 3
        if planted:
            network = type(checkpoint.network)(
                self.channels, upstream_classifier(checkpoint.network.pixel_classifier)
            ).eval()
        else:
            network = upstream_network(checkpoint, folder)
        self.upstream = script_upstream(network, checkpoint.spec, folder / "upstream.pt")
        # Upstream's file ignores min_size: without it both have the same objects to paint.
        forward = build_forward(checkpoint, {"min_size": 0})
        for target in ("torchscript", "onnx"):
            write_artifact(target, forward, checkpoint, folder / TARGETS.get(target).filename)
        self.torchscript = folder / TARGETS.get("torchscript").filename
        self.onnx = folder / TARGETS.get("onnx").filename

    def programs(self, *, limited: bool = False) -> list[Program]:
        """Return upstream's file first; it goes through the same program as our TorchScript file.

        Args:
            limited: upstream's program may not take more than four fifths of the memory that is free.
        """
        torch = find_runtime("torchscript")
        return [
            Program(UPSTREAM, _with_memory_limit(torch) if limited else torch, self.upstream),
            Program(TORCHSCRIPT, torch, self.torchscript),
            Program(ONNX, find_runtime("onnxruntime"), self.onnx),
        ]


def _with_memory_limit(runtime):  # type: ignore[no-untyped-def]
    if sys.platform != "linux":
        return runtime
    kilobytes = int(psutil.virtual_memory().available * 0.8 / 1024)
    # Of data, not of addresses: libraries reserve far more of these than they use.
    shell = ("sh", "-c", f'ulimit -d {kilobytes}; exec "$@"', "sh")
    return runtime.model_copy(update={"program": (*shell, *runtime.program)})


class Peers:
    """The checkpoints of the rows and their images; each file is written once, when a row first needs it.

    Args:
        folder: to write to.
        shared: folder with genuine checkpoints and images; the demo takes their place where it is missing.
    """

    def __init__(self, folder: Path, shared: Path) -> None:
        self.folder = folder
        self._shared = shared
        self._made: dict[str, Files] = {}

    @property
    def demo(self) -> Files:
        """The demo model."""
        return self._files("demo", lambda: load_checkpoint(DEMO))

    @property
    def planted(self) -> Files:
        """The network that hands on the fields in its image."""
        return self._files("planted", planted_checkpoint, planted=True)

    def genuine(self) -> tuple[str, Files, np.ndarray]:
        """Return a name, a genuine checkpoint's files and its 512 x 512 golden image, or the demo and a drawn one."""
        variant, image = _GOLDEN
        golden = self._shared / "golden" / variant / image
        if not golden.is_file():
            return "demo, drawn nuclei", self.demo, self.drawn(512, 650)
        files = self._files(variant, lambda: load_checkpoint(self._shared / "checkpoints" / variant))
        with np.load(golden) as content:
            array = content["input"]
        # Upstream's file writes to its input where it clamps it.
        return f"{variant}, {golden.stem}", files, array[None].clip(-2, 3).astype(np.float32)

    def drawn(self, size: int, objects: int) -> np.ndarray:
        """Return drawn nuclei for the demo, normalised as upstream's file expects it."""
        return normalised(dense_image(self.demo.channels, size, objects).batch())

    def _files(self, name, read, *, planted: bool = False) -> Files:  # type: ignore[no-untyped-def]
        if name not in self._made:
            self._made[name] = Files(read(), self.folder / name, planted=planted)
        return self._made[name]


def shared_folder() -> Path:
    """Return where the genuine checkpoints are, if they are."""
    return Path(os.environ.get("INSTANSEG_EXPORT_SHARED", ROOT.parent / "shared"))
