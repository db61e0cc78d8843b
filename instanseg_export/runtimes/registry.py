"""Which runtimes there are, and which of them this machine has.

A runtime is a folder with a ``runtime.toml`` and the program that it names. Ours lie in ``runtimes/``; a third party
adds one by an entry point in the group ``instanseg_export.runtimes`` whose value is the folder's path, or names the
folder itself wherever a runtime's name is asked for.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from ..errors import PackageError, UnknownNameError
from ..limits import MAX_TOML_BYTES
from ..registry import closest
from ..untrusted.boundary import first_problem, parsing, plain
from ..untrusted.texts import read_text
from .java import build_java, java_build, missing_java

__all__ = ["ENTRY_POINTS", "Runtime", "build_runtime", "find_runtime", "list_runtimes"]

ENTRY_POINTS = "instanseg_export.runtimes"
_FILE = "runtime.toml"
_PROBE_LIMIT = 30.0
_ORDER = ("torch_eager", "torchscript", "onnxruntime", "onnxruntime_unoptimised")


_Words = Annotated[str, AfterValidator(plain)]
"""Text that reports show."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _Artefact(_Strict):
    target: str
    filename: str


class _Probe(_Strict):
    modules: tuple[str, ...] = ()
    command: tuple[str, ...] = ()


class _Build(_Strict):
    java: str = Field(min_length=1)


class _Install(_Strict):
    hint: _Words


class _Description(_Strict):
    """The contents of a runtime.toml.

    Attributes:
        name: as users type it.
        title: as reports show it.
        description: one sentence.
        program: the command; {python} is this Python, {folder} the runtime's folder, {build} that of its build.
        start_limit: seconds that it may take to start and to load a file.
        needs_exporter: it may import instanseg_export.
        splits: it can time normalisation and network by themselves (``--split``).
        own_threads: it takes as many threads as it likes, whatever OMP_NUM_THREADS says.
        artefact: the target whose file it takes, and that file's name in a package.
        probe: what must be there: Python modules, and a command that exits with status 0.
        build: the Maven module in java_smoke that has to be built first, for programs in Java.
        install: what to do when it is not.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    title: _Words
    description: _Words
    program: tuple[str, ...] = Field(min_length=1)
    start_limit: float = Field(default=120.0, gt=0, le=86_400)
    needs_exporter: bool = False
    splits: bool = False
    own_threads: bool = False
    artefact: _Artefact
    probe: _Probe = _Probe()
    build: _Build | None = None
    install: _Install


@dataclass(frozen=True)
class Runtime:
    """A program that runs one kind of exported file.

    Attributes:
        name: as users type it.
        title: as reports show it.
        description: one sentence.
        target: the target whose file it takes.
        filename: of that file in a package.
        command: what starts it, without its arguments.
        start_limit: seconds that it may take to start and to load a file.
        needs_exporter: it may import instanseg_export.
        available: whether this machine has what it needs.
        reason: why not, or empty.
        install: what to do then.
        java: the Maven module that its program is built from; empty if it is not in Java.
        splits: it can time normalisation and network by themselves.
        own_threads: it takes as many threads as it likes, whatever OMP_NUM_THREADS says.
    """

    name: str
    title: str
    description: str
    target: str
    filename: str
    command: tuple[str, ...]
    start_limit: float
    needs_exporter: bool
    available: bool
    reason: str
    install: str
    java: str = ""
    splits: bool = False
    own_threads: bool = False


def builtin_folder() -> Path:
    """Return the folder of our own runtimes: in an installed package, or in a source checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_runtimes"
    return installed if installed.is_dir() else package.parent / "runtimes"


def list_runtimes() -> list[Runtime]:
    """Return every runtime, ours first, whether this machine has it or not.

    A third party's runtime that cannot be read is listed as not available, with the reason.
    """
    ours = {path.parent.name: path.parent for path in builtin_folder().glob(f"*/{_FILE}")}
    names = [*(name for name in _ORDER if name in ours), *sorted(set(ours) - set(_ORDER))]
    runtimes = [read_runtime(ours[name]) for name in names]
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name):
        try:
            runtimes.append(read_runtime(Path(point.load())))
        except Exception as error:  # whatever a third party's package does, the others still work
            runtimes.append(_broken(point.name, point.value, error))
    return runtimes


def find_runtime(name: str) -> Runtime:
    """Return the runtime of that name, or the one that lies in the folder of that path.

    Raises:
        UnknownNameError: there is none; the hint suggests the closest name.
        PackageError: the folder's runtime.toml is malformed.
    """
    if (Path(name) / _FILE).is_file():
        return read_runtime(Path(name))
    runtimes = {runtime.name: runtime for runtime in list_runtimes()}
    if name in runtimes:
        return runtimes[name]
    guess = closest(name, runtimes)
    suggestion = f"Did you mean {guess!r}? " if guess else ""
    raise UnknownNameError(
        f"There is no runtime called {name!r}.",
        hint=f"{suggestion}Known are: {', '.join(runtimes)}, and any folder with a {_FILE}.",
    )


def read_runtime(folder: Path) -> Runtime:
    """Read a runtime's description and look for what it needs.

    Raises:
        PackageError: there is no runtime.toml, or it is malformed.
    """
    path = folder.resolve() / _FILE
    hint = "A runtime is a folder with a runtime.toml; see runtimes/."
    text = read_text(path, "the description of a runtime", PackageError, hint=hint, limit=MAX_TOML_BYTES)
    with parsing(path, "its TOML", PackageError, hint=hint):
        content = tomllib.loads(text)
    try:
        row = _Description.model_validate(content)
    except ValidationError as error:
        raise PackageError(
            f"{path} is malformed at {first_problem(error)}.", hint="Compare it with runtimes/torchscript/runtime.toml."
        ) from error
    java = row.build.java if row.build else ""
    reason = _missing(row.probe) or (missing_java(java) if java else "")
    places = {"{python}": sys.executable, "{folder}": str(path.parent)}
    if java:
        places["{build}"] = str(java_build(java))
    return Runtime(
        name=row.name,
        title=row.title,
        description=row.description,
        target=row.artefact.target,
        filename=row.artefact.filename,
        command=tuple(_fill_in(part, places) for part in row.program),
        start_limit=row.start_limit,
        needs_exporter=row.needs_exporter,
        available=not reason,
        reason=reason,
        install=row.install.hint,
        java=java,
        splits=row.splits,
        own_threads=row.own_threads,
    )


def build_runtime(runtime: Runtime) -> Runtime:
    """Build a runtime in Java, if that is what it lacks; otherwise, or where that fails, the reason says why not.

    Building takes a minute and downloads libraries: do it only where the user asked for this runtime.
    """
    if runtime.available or not runtime.java:
        return runtime
    reason = build_java(runtime.java) or missing_java(runtime.java)
    return replace(runtime, available=not reason, reason=reason)


def _fill_in(part: str, places: Mapping[str, str]) -> str:
    for placeholder, value in places.items():
        part = part.replace(placeholder, value)
    return part


def _missing(probe: _Probe) -> str:
    absent = [module for module in probe.modules if not _has_module(module)]
    if absent:
        return f"Python does not find {' and '.join(absent)}"
    if not probe.command:
        return ""
    return _command_fails(probe.command)


def _has_module(name: str) -> bool:
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        return False
    # A mere folder of that name on the path counts as a namespace package, which has no origin.
    return spec is not None and spec.origin is not None


def _command_fails(command: Sequence[str]) -> str:
    if shutil.which(command[0]) is None:
        return f"there is no program {command[0]} on the path"
    try:
        done = subprocess.run(command, capture_output=True, timeout=_PROBE_LIMIT, stdin=subprocess.DEVNULL, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{' '.join(command)} failed: {error}"
    return "" if done.returncode == 0 else f"{' '.join(command)} ended with status {done.returncode}"


def _broken(name: str, value: str, error: Exception) -> Runtime:
    return Runtime(
        name=name,
        title=name,
        description=f"Added by the entry point {value}.",
        target="",
        filename="",
        command=(),
        start_limit=0.0,
        needs_exporter=False,
        available=False,
        reason=f"it cannot be read: {plain(error)}",
        install="Update or remove the package that adds it.",
    )
