"""The Java runtimes: built from their sources by Maven, once, and kept in a cache where later runs find them.

A build lies in a folder named after the hash of the sources, so that a new version of them is built anew and an old
build is never mistaken for it. Building downloads libraries; what was built runs without a network.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from ..errors import OutputError
from ..files import scratch_folder, staged_folder

__all__ = ["CACHE_VARIABLE", "build_java", "java_build", "missing_java"]

CACHE_VARIABLE = "INSTANSEG_EXPORT_CACHE"
"""The environment variable that names another folder for builds."""

_OLDEST_JAVA = 17
_BUILD_LIMIT = 1800.0
_SOURCES = ("pom.xml", "protocol", "djl", "ort")
"""Of java_smoke: what the runners are built from; the rest of it is tests of clients."""


def sources_folder() -> Path:
    """Return the folder of the Java sources: in an installed package, or in a source checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_java_smoke"
    return installed if installed.is_dir() else package.parent / "java_smoke"


def java_build(module: str) -> Path:
    """Return the folder where the build of a Maven module lies, or would lie."""
    return _cache_folder() / "java" / _hash_of_sources()[:16] / module.replace("/", "-")


def missing_java(module: str) -> str:
    """Return what this machine lacks to run a Maven module's program: Java, or the build; empty if nothing."""
    if shutil.which("java") is None:
        return "there is no program java on the path"
    version = _java_version(str(shutil.which("java")))
    if version < _OLDEST_JAVA:
        return f"java is version {version}, and {_OLDEST_JAVA} is needed"
    return "" if java_build(module).is_dir() else "it is not built yet"


def build_java(module: str) -> str:
    """Build a Maven module and put it with all that it needs into the cache, unless it is there.

    Args:
        module: its folder in java_smoke, as in "djl/libtorch-2.5".

    Returns:
        Why it could not be built; empty when it is there.
    """
    destination = java_build(module)
    if destination.is_dir():
        return ""
    absent = [program for program in ("javac", "mvn") if shutil.which(program) is None]
    if absent:
        return f"it is not built yet, and there is no program {' and no '.join(absent)} on the path"
    with scratch_folder() as work:
        root = work / "java_smoke"
        for source in _source_files():
            copy = root / source.relative_to(sources_folder())
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
        failure = _run_maven(root, module)
        if failure:
            return failure
        target = root / module / "target"
        try:
            with staged_folder(destination, kind="build") as folder:
                for jar in [*target.glob("*.jar"), *(target / "dependency").glob("*.jar")]:
                    shutil.move(jar, folder / jar.name)
        except OutputError as error:
            if not destination.is_dir():  # otherwise another process was faster
                return f"it is not built yet: {error.message}"
    return ""


def _run_maven(root: Path, module: str) -> str:
    goals = ["package", "dependency:copy-dependencies"]
    options = ["-B", "-q", "-DskipTests", "-DincludeScope=runtime", "-pl", module, "-am"]
    try:
        done = subprocess.run(
            [str(shutil.which("mvn")), *options, *goals],
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=_BUILD_LIMIT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"Maven could not build it: {error}"
    if done.returncode == 0:
        return ""
    errors = [line for line in done.stdout.splitlines() if line.startswith("[ERROR]")]
    reason = errors[0].removeprefix("[ERROR]").strip() if errors else f"mvn ended with status {done.returncode}"
    return f"Maven could not build it: {reason}"


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


def _source_files() -> Iterator[Path]:
    """Yield the files that a build is made of: poms and main sources, no tests and no results of former builds."""
    root = sources_folder()
    for name in _SOURCES:
        for path in sorted((root / name).rglob("*")) if (root / name).is_dir() else [root / name]:
            parts = path.relative_to(root).parts
            if path.is_file() and "target" not in parts and (path.name == "pom.xml" or "main" in parts):
                yield path


@cache
def _hash_of_sources() -> str:
    digest = hashlib.sha256()
    for path in _source_files():
        content = path.read_bytes()
        name = path.relative_to(sources_folder()).as_posix()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


@cache
def _java_version(program: str) -> int:
    """Return the feature version of a JVM: 8, 11, 17; 0 if it does not start."""
    try:
        done = subprocess.run(
            [program, "-version"], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r'version "(?:1\.)?(\d+)', done.stderr + done.stdout)
    return int(found[1]) if found else 0
