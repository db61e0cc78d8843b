"""What this machine can do, and how to get what it lacks."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from ..errors import RuntimeUnavailableError
from ..progress import Progress, Steps
from ..runtimes.description import Runtime
from ..runtimes.probe import make_ready, probe
from ..runtimes.registry import list_runtimes
from ..targets import TARGETS, known_target
from ..web.built import built_page, missing_page

__all__ = ["Finding", "doctor"]

_LIBRARIES = ("torch", "onnx", "onnxscript", "bioimageio.core", "numpy", "tifffile", "safetensors")
_EXTRAS = {
    "classify": ("torchvision", "exports networks with ResNet and EfficientNet encoders"),
    "coreml": ("coremltools", "writes Core ML programs"),
    "parquet": ("pyarrow", "writes tables as Parquet"),
    "scale": ("zarr", "segments whole slides, reads and writes OME-Zarr"),
    "openslide": ("openslide-python", "reads slides of further scanners"),
    "train": ("pytorch-lightning", "trains networks"),
    "openvino": ("openvino", "runs ONNX files in OpenVINO"),
    "executorch": ("executorch", "writes and runs the network only, for apps with ExecuTorch"),
    "peer": ("instanseg-torch", "compares with upstream's own forward"),
    "test": ("pytest", "runs the tests"),
}


@dataclass(frozen=True)
class Finding:
    """One line of the diagnosis.

    Attributes:
        group: "system", "library", "device", "target", "runtime", "page" or "extra".
        name: of the thing.
        state: "ok", "missing" (optional, and not here) or "broken" (needed, and not usable).
        detail: a version, or why not.
        remedy: what to type or do; empty when nothing is amiss.
    """

    group: Literal["system", "library", "device", "target", "runtime", "page", "extra"]
    name: str
    state: Literal["ok", "missing", "broken"]
    detail: str
    remedy: str = ""


def doctor(*, build_runtimes: bool = False, progress: Progress | None = None) -> list[Finding]:
    """Look at Python, libraries, devices, targets, runtimes, the web page and the extras of this machine.

    Args:
        build_runtimes: build first those that have to be built, and the page; a finding says why one cannot be.
        progress: told what is being built.
    """
    runtimes = _built(progress) if build_runtimes else [(one, probe(one)) for one in list_runtimes()]
    page = _page(Steps(progress) if build_runtimes else None)
    return [*_system(), *_libraries(), *_devices(), *_targets(), *_runtimes(runtimes), page, *_extras()]


def _built(progress: Progress | None) -> list[tuple[Runtime, str]]:
    runtimes = list_runtimes()
    steps = Steps(progress, sum(runtime.build is not None for runtime in runtimes))
    found = []
    for runtime in runtimes:
        if runtime.build is not None:
            steps.start(f"building {runtime.name}")
        found.append((runtime, make_ready(runtime)))
    return found


def _system() -> list[Finding]:
    python = platform.python_version()
    found = [Finding("system", "Python", "ok", f"{python} on {platform.platform(terse=True)} ({platform.machine()})")]
    if sys.version_info >= (3, 14):
        found.append(
            Finding(
                "system",
                "TorchScript",
                "broken",
                f"PyTorch does not support TorchScript on Python {python}",
                "Use Python 3.11 to 3.13 to export or run instanseg.pt.",
            )
        )
    java = shutil.which("javac")
    if java:
        found.append(Finding("system", "JDK", "ok", java))
    else:
        found.append(
            Finding(
                "system",
                "JDK",
                "missing",
                "no javac on the path",
                "Install a JDK 17 or newer to call models from Java.",
            )
        )
    return found


def _libraries() -> list[Finding]:
    found = []
    for name in _LIBRARIES:
        number = _version(name)
        if number:
            found.append(Finding("library", name, "ok", number))
        else:
            found.append(
                Finding("library", name, "broken", "not installed", "pip install --force-reinstall instanseg-export")
            )
    both = [name for name in ("onnxruntime", "onnxruntime-gpu") if _version(name)]
    if len(both) == 2:
        found.append(
            Finding(
                "library",
                "onnxruntime",
                "broken",
                "onnxruntime and onnxruntime-gpu are both installed and overwrite each other's files",
                "pip uninstall onnxruntime onnxruntime-gpu, then pip install one of them.",
            )
        )
    elif both:
        import onnxruntime

        providers = ", ".join(name.removesuffix("ExecutionProvider") for name in onnxruntime.get_available_providers())
        found.append(Finding("library", both[0], "ok", f"{_version(both[0])}, built for {providers}"))
    else:
        found.append(Finding("library", "onnxruntime", "broken", "not installed", "pip install onnxruntime"))
    return found


def _devices() -> list[Finding]:
    import psutil
    import torch

    memory = psutil.virtual_memory().total / 1e9
    found = [Finding("device", "cpu", "ok", f"{os.cpu_count()} cores, {memory:.0f} GB of memory")]
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            facts = torch.cuda.get_device_properties(index)
            found.append(Finding("device", f"cuda:{index}", "ok", f"{facts.name}, {facts.total_memory / 1e9:.0f} GB"))
    else:
        found.append(Finding("device", "cuda", "missing", "PyTorch finds no NVIDIA GPU", "Models run on the CPU."))
    if sys.platform == "darwin":
        usable = torch.backends.mps.is_available()
        found.append(Finding("device", "mps", "ok" if usable else "missing", "Apple GPU" if usable else "no Apple GPU"))
    return found


def _targets() -> list[Finding]:
    found = []
    for name in TARGETS.names():
        target = TARGETS.get(name)
        reason = target.unavailable()
        state: Literal["ok", "missing"] = "missing" if reason else "ok"
        found.append(Finding("target", name, state, reason or f"writes {target.filename}: {target.describes}"))
    return found


def _runtimes(runtimes: list[tuple[Runtime, str]]) -> list[Finding]:
    return [
        Finding("runtime", one.name, "missing", lacks, one.install.hint)
        if lacks
        else Finding("runtime", one.name, "ok", f"runs {one.filename} on {', '.join(one.devices)}{_part(one)}")
        for one, lacks in runtimes
    ]


def _page(steps: Steps | None) -> Finding:
    """Return whether the page that ``serve`` opens is built; build it if steps are given."""
    lacks = missing_page()
    if lacks and steps is not None:
        try:
            built_page(steps)
            lacks = ""
        except RuntimeUnavailableError as error:
            lacks = error.message
    if not lacks:
        return Finding("page", "web page", "ok", "opened by serve, written by export-web")
    return Finding("page", "web page", "missing", lacks, "serve and export-web build it, with Node 20.15 and npm.")


def _part(runtime: Runtime) -> str:
    target = known_target(runtime.target)
    return "" if target is None or target.whole else "; it holds the network only"


def _extras() -> list[Finding]:
    found = []
    for extra, (package, purpose) in _EXTRAS.items():
        number = _version(package)
        if number:
            found.append(Finding("extra", extra, "ok", f"{purpose} ({package} {number})"))
        else:
            remedy = f"pip install 'instanseg-export[{extra}]'"
            found.append(Finding("extra", extra, "missing", f"{purpose}: no {package}", remedy))
    return found


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
