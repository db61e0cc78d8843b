"""What a runtime's program is asked to do, whatever the images: its arguments and its environment."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import RuntimeUnavailableError
from ..metadata import SettingValue
from .build import command_of
from .description import Runtime

__all__ = ["Call"]


@dataclass(frozen=True)
class Call:
    """How a program is called.

    Attributes:
        runtime: the program's.
        model: the file or folder that it takes.
        arguments: the command, without images.
        environment: all variables.
    """

    runtime: Runtime
    model: Path
    arguments: tuple[str, ...]
    environment: Mapping[str, str]

    @classmethod
    def of(
        cls,
        runtime: Runtime,
        model: Path,
        *,
        device: str = "cpu",
        settings: Mapping[str, SettingValue] | None = None,
        split: bool = False,
        repeat: int = 1,
        threads: int | None = None,
        quiet: bool = False,
    ) -> Call:
        """Return the call that asks for this; :func:`.process.run_runtime` describes the arguments.

        Raises:
            RuntimeUnavailableError: ``split`` is asked for, and the runtime has no ``splits``.
        """
        if split and not runtime.splits:
            raise RuntimeUnavailableError(
                f"{runtime.title} cannot time the parts of a run.",
                hint="Ask a runtime whose runtime.toml says splits = true.",
            )
        arguments = [*command_of(runtime), "--model", str(model.resolve()), "--device", device, "--repeat", str(repeat)]
        if settings:
            arguments += ["--settings", json.dumps(dict(settings))]
        if split:
            arguments.append("--split")
        return cls(runtime, model, tuple(arguments), _environment(runtime, threads, quiet))


def _environment(runtime: Runtime, threads: int | None, quiet: bool) -> dict[str, str]:
    """Return the environment: only a runner that may import the exporter finds it on its path."""
    # ONNX Runtime reports to its makers unless it is told not to before it starts.
    environment = {"ORT_DISABLE_TELEMETRY": "1", **os.environ, "PYTHONUTF8": "1"}
    if not quiet:
        # OpenMP threads spin while they wait, by default. Where other programs want the same cores, that made PyTorch
        # ten times slower than sleeping does; where none do, sleeping makes it up to 2.5 times slower.
        environment.setdefault("OMP_WAIT_POLICY", "passive")
    if threads is not None:
        environment |= {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    if runtime.needs_exporter:
        root = str(Path(__file__).resolve().parent.parent.parent)
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, environment.get("PYTHONPATH")]))
    return environment
