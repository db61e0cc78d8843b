"""Finds out whether this machine has what a runtime needs, and builds it where that was asked for."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec

from ..untrusted.boundary import plain
from .build import build, fill_in, missing_build
from .description import Program, Runtime

__all__ = ["make_ready", "missing_program", "probe"]

_LIMIT = 30.0
"""Seconds that a program may take to tell its version."""


def probe(runtime: Runtime) -> str:
    """Return what this machine lacks to run a runtime, in words; empty if nothing. This may start programs."""
    return (
        runtime.defect
        or _missing_modules(runtime.probe.modules)
        or next(filter(None, map(missing_program, runtime.probe.programs)), "")
        or (_command_fails(fill_in(runtime.probe.command, runtime)) if runtime.probe.command else "")
        or missing_build(runtime)
    )


def make_ready(runtime: Runtime) -> str:
    """Build a runtime if that is what it lacks, and return what it lacks all the same; empty if nothing.

    Building takes a minute and downloads libraries: do it only where the user asked for this runtime.
    """
    lacks = probe(runtime)
    return build(runtime) or probe(runtime) if lacks and runtime.build else lacks


def _missing_modules(modules: Sequence[str]) -> str:
    absent = [module for module in modules if not _has_module(module)]
    return f"Python does not find {' and '.join(absent)}" if absent else ""


def _has_module(name: str) -> bool:
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        return False
    # A mere folder of that name on the path counts as a namespace package, which has no origin.
    return spec is not None and spec.origin is not None


def missing_program(program: Program) -> str:
    """Return that a program is not on the path, or too old; empty if neither."""
    place = shutil.which(program.name)
    if place is None:
        return f"there is no program {program.name} on the path"
    if not program.at_least:
        return ""
    version = _version(place, program.version, program.pattern)
    if not version:
        return f"{program.name} does not tell its version, and {program.at_least} or newer is needed"
    if _numbers(version) < _numbers(program.at_least):
        return f"{program.name} is version {version}, and {program.at_least} is needed"
    return ""


@cache
def _version(place: str, arguments: tuple[str, ...], pattern: str) -> str:
    """Return the version that a program prints; empty if it prints none."""
    try:
        done = subprocess.run(
            [place, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=_LIMIT, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.search(pattern, done.stdout) or re.search(pattern, done.stderr)
    return str(found[1] or "") if found else ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)))


def _command_fails(command: Sequence[str]) -> str:
    if shutil.which(command[0]) is None:
        return f"there is no program {command[0]} on the path"
    try:
        done = subprocess.run(command, capture_output=True, timeout=_LIMIT, stdin=subprocess.DEVNULL, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{' '.join(command)} failed: {error}"
    if done.returncode == 0:
        return ""
    said = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    return plain(said[-1], 200) if said else f"{' '.join(command)} ended with status {done.returncode}"
