"""The schema of runtime.toml, the one file that describes a runtime; docs/adding-a-member.md has it as a table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from ..plain_text import plain
from ..registry import closest

__all__ = ["Artefact", "Build", "Description", "Install", "Probe", "Program", "Runtime"]

_PLACEHOLDER = re.compile(r"(?<!\$)\{(\w+)\}")

Words = Annotated[str, AfterValidator(plain)]
"""Text that reports show."""

Filename = Annotated[str, Field(pattern=r"^[^/\\]+$")]

Command = Annotated[tuple[str, ...], Field(min_length=1)]
"""A program and its arguments; {python} is this Python, {folder} the runtime's folder, {build} that of its build."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _knows_all(cls, content: object) -> object:
        """Refuse unknown fields in words: a misspelt one would otherwise be a setting that nobody obeys."""
        odd = sorted(map(str, set(content) - set(cls.model_fields))) if isinstance(content, dict) else []
        if odd:
            guess = closest(odd[0], cls.model_fields)
            suggestion = f"did you mean {guess}? " if guess else ""
            raise ValueError(f"there is no field {odd[0]!r}; {suggestion}Known are {', '.join(cls.model_fields)}")
        return content


class Artefact(_Table):
    """What a runtime takes.

    Attributes:
        target: the format.
        filename: of the artefact in a package.
        kind: whether it is a file or a folder.
    """

    target: str
    filename: Filename
    kind: Literal["file", "folder"] = "file"


class Program(_Table):
    """A program that has to be on the path.

    Attributes:
        name: of the program.
        at_least: the oldest version that will do, as in "17" or "1.70"; any if empty.
        version: the arguments with which the program prints its version.
        pattern: a regular expression whose first group is the version in that.
    """

    name: str = Field(min_length=1)
    at_least: str = Field(default="", pattern=r"^(\d+(\.\d+)*)?$")
    version: tuple[str, ...] = ("--version",)
    pattern: str = r"(\d+(?:\.\d+)*)"

    @model_validator(mode="after")
    def _has_a_group(self) -> Program:
        try:
            groups = re.compile(self.pattern).groups
        except re.error as error:
            raise ValueError(f"pattern is no regular expression: {error}") from None
        if groups != 1:
            raise ValueError(f"pattern has {groups} groups, and the version is the first and only one")
        return self


class Probe(_Table):
    """What has to be there before a runtime can run.

    Attributes:
        modules: Python modules.
        programs: on the path.
        command: what must end with status 0; if not, the last line on its stderr says what is missing.
    """

    modules: tuple[str, ...] = ()
    programs: tuple[Program, ...] = ()
    command: tuple[str, ...] = ()


class Build(_Table):
    """How a runtime is built, once for each version of its sources, in a copy of them.

    Attributes:
        sources: the folder that is copied, relative to the runtime's own.
        files: which files of it, as patterns.
        tools: programs that building needs on the path.
        commands: what is run in the copy, one after the other.
        outcome: files and folders of the copy that become the build, as patterns; all lie side by side in {build}.
    """

    sources: str = "."
    files: Annotated[tuple[str, ...], Field(min_length=1)] = ("**/*",)
    tools: tuple[str, ...] = ()
    commands: Annotated[tuple[Command, ...], Field(min_length=1)]
    outcome: Annotated[tuple[str, ...], Field(min_length=1)]


class Install(_Table):
    """How to get what a runtime needs.

    Attributes:
        hint: for people, in one line.
    """

    hint: Words


class Description(_Table):
    """The contents of a runtime.toml.

    Attributes:
        name: as users type it.
        title: as reports show it.
        description: one sentence.
        program: the command that starts it, without the arguments of the protocol.
        devices: kinds of devices that it can run on: "cpu", "cuda", "mps", or what else it calls them.
        rank: its place in lists, lowest first. The lowest that runs a model is the reference of a validation, and what
            ``run`` uses.
        preferred_on: kinds of devices on which ``run`` uses it before those of lower rank.
        start_limit: seconds that it may take to start and to load a file.
        needs_exporter: it may import instanseg_export, and rebuilds the forward from the file's description.
        streams: it takes images one by one from its stdin (``--stream``), so that it loads its model once for many.
        mixes: it can give the stages of some images after the labels of others (``--stages-from``), so that it starts
            once for both.
        splits: it can time normalisation and network by themselves (``--split``).
        exact: it computes in float32. One that rounds more passes as files of reduced precision do, never fails a
            report, and is neither the reference nor what ``run`` picks.
        judges_precisions: files of reduced precision are compared with fp32 in it too.
        own_threads: it takes as many threads as it likes, whatever OMP_NUM_THREADS says.
        artefact: what it takes.
        probe: what must be there.
        build: how it is built; None for a program that needs no building.
        install: what to do where something is missing.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    title: Words
    description: Words
    program: Command
    devices: Annotated[tuple[str, ...], Field(min_length=1)] = ("cpu",)
    rank: int = Field(default=100, ge=0)
    preferred_on: tuple[str, ...] = ()
    start_limit: float = Field(default=120.0, gt=0, le=86_400)
    needs_exporter: bool = False
    streams: bool = False
    mixes: bool = False
    splits: bool = False
    exact: bool = True
    judges_precisions: bool = False
    own_threads: bool = False
    artefact: Artefact
    probe: Probe = Probe()
    build: Build | None = None
    install: Install

    @model_validator(mode="after")
    def _fits_together(self) -> Description:
        known = ["python", "folder", *(["build"] if self.build else [])]
        for name in self._placeholders():
            if name not in known:
                raise ValueError(f"nothing is known of {{{name}}}; placeholders are {{{'}, {'.join(known)}}}")
        if odd := [kind for kind in self.preferred_on if kind not in self.devices]:
            raise ValueError(f"preferred_on names {odd[0]}, which is none of its devices")
        return self

    def _placeholders(self) -> Iterator[str]:
        for command in (self.program, self.probe.command, *(self.build.commands if self.build else ())):
            for part in command:
                yield from _PLACEHOLDER.findall(part)

    @property
    def target(self) -> str:
        """The format that it takes."""
        return self.artefact.target

    @property
    def filename(self) -> str:
        """Of what it takes, in a package."""
        return self.artefact.filename

    def offers(self, device: str) -> bool:
        """Tell whether it can run on a device, such as "cpu" or "cuda:1"."""
        return device.partition(":")[0] in self.devices

    @property
    def only_on(self) -> str:
        """Why it is not run on other devices."""
        return f"it runs on {' and '.join(self.devices)} only"


class Runtime(Description):
    """A program that runs one kind of exported artefact. Whether this machine has what it needs, a probe tells.

    Attributes:
        folder: where its runtime.toml lies.
        defect: why its description could not be read; empty where it could.
    """

    folder: Path
    defect: str = ""
