"""Builds runtimes from their sources, in any language, once, and keeps the builds where later runs find them.

A build lies in a folder named after the hash of its sources and commands, so that a new version of them is built anew
and an old build is never mistaken for it. Building may download libraries; what was built runs without a network.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from ..errors import OutputError
from ..files import scratch_folder, staged_folder
from ..plain_text import plain
from .description import Build, Runtime

__all__ = ["CACHE_VARIABLE", "Buildable", "build", "build_folder", "command_of", "fill_in", "missing_build"]

CACHE_VARIABLE = "INSTANSEG_EXPORT_CACHE"
"""The environment variable that names another folder for builds."""

_LIMIT = 1800.0
"""Seconds that a command of a build may take."""

_COMPLAINT = re.compile(r"^\W*(?:npm )?(?:error\b|ERR!)\W*", re.IGNORECASE)


class Buildable(Protocol):
    """What can be built: a runtime, or something else whose folder holds sources.

    Attributes:
        name: of the folder of its builds.
        folder: where its sources lie, as its recipe says.
        build: the recipe; None where nothing is to be built.
    """

    @property
    def name(self) -> str: ...
    @property
    def folder(self) -> Path: ...
    @property
    def build(self) -> Build | None: ...


def command_of(runtime: Runtime) -> list[str]:
    """Return what starts a runtime, without the arguments of the protocol."""
    return fill_in(runtime.program, runtime, str(build_folder(runtime)) if runtime.build else "")


def build_folder(runtime: Buildable) -> Path:
    """Return the folder where the build of a runtime lies, or would lie."""
    assert runtime.build is not None
    digest = _hash_of(runtime.build, _folder_of_sources(runtime))
    return _cache_folder() / "runtimes" / f"{runtime.name}-{digest[:16]}"


def missing_build(runtime: Buildable) -> str:
    """Return that a runtime has to be built; empty where it is, or needs no building."""
    return "" if runtime.build is None or build_folder(runtime).is_dir() else "it is not built yet"


def build(runtime: Buildable) -> str:
    """Build a runtime and put the outcome into the cache, unless it is there.

    Returns:
        Why it could not be built; empty when it is there, or needs no building.
    """
    recipe = runtime.build
    if recipe is None or not missing_build(runtime):
        return ""
    absent = [tool for tool in recipe.tools if shutil.which(tool) is None]
    if absent:
        return f"it is not built yet, and there is no program {' and no '.join(absent)} on the path"
    destination = build_folder(runtime)
    with scratch_folder() as work:
        root = work / "sources"
        _copy_sources(recipe, _folder_of_sources(runtime), root)
        for command in recipe.commands:
            if failure := _run(fill_in(command, runtime, str(destination)), root):
                return failure
        found = {pattern: sorted(root.glob(pattern)) for pattern in recipe.outcome}
        if lacking := [pattern for pattern, paths in found.items() if not paths]:
            return f"it was built, but that gave no {lacking[0]}"
        try:
            with staged_folder(destination, kind="build") as folder:
                for path in dict.fromkeys(path for paths in found.values() for path in paths):
                    shutil.move(path, folder / path.name)
        except OutputError as error:
            if not destination.is_dir():  # otherwise another process was faster
                return f"it is not built yet: {error.message}"
    return ""


def fill_in(command: Sequence[str], runtime: Buildable, built: str = "") -> list[str]:
    """Return a command with its placeholders replaced."""
    places = {"{python}": sys.executable, "{folder}": str(runtime.folder), "{build}": built}
    filled = []
    for part in command:
        for placeholder, value in places.items():
            part = part.replace(placeholder, value)
        filled.append(part)
    return filled


def _folder_of_sources(runtime: Buildable) -> Path:
    assert runtime.build is not None
    return (runtime.folder / runtime.build.sources).resolve()


def _source_files(recipe: Build, root: Path) -> list[Path]:
    return sorted({path for pattern in recipe.files for path in root.glob(pattern) if path.is_file()})


def _copy_sources(recipe: Build, root: Path, destination: Path) -> None:
    destination.mkdir()
    for source in _source_files(recipe, root):
        copy = destination / source.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, copy)  # with its mode: it may be a script


def _hash_of(recipe: Build, root: Path) -> str:
    digest = hashlib.sha256(recipe.model_dump_json().encode())
    for path in _source_files(recipe, root):
        content = path.read_bytes()
        digest.update(f"\0{path.relative_to(root).as_posix()}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _run(command: Sequence[str], folder: Path) -> str:
    """Run a command of a build and return why it failed; empty where it did not."""
    program = command[0]
    try:
        done = subprocess.run(
            [shutil.which(program) or program, *command[1:]],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=_LIMIT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{program} could not build it: {plain(error)}"
    if done.returncode == 0:
        return ""
    said = _complaint(done.stdout)
    return f"{program} could not build it: {plain(said, 300) or f'it ended with status {done.returncode}'}"


def _complaint(output: str) -> str:
    """Return the first line of a program's output that begins with "error" in any dress, or else the last line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for line in lines:
        if (found := _COMPLAINT.match(line)) and line[found.end() :]:
            return line[found.end() :]
    return lines[-1] if lines else ""


def _cache_folder() -> Path:
    if os.environ.get(CACHE_VARIABLE):
        return Path(os.environ[CACHE_VARIABLE]).expanduser().resolve()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "instanseg-export"
