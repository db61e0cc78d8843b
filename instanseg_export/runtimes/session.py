"""A runtime's program that stays: it loads its model once, and is given images one by one as they come up."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from ..errors import RuntimeUnavailableError
from ..metadata import SettingValue
from ..untrusted.arrays import npy_shape
from .call import Call
from .description import Runtime
from .lines import Line
from .outcome import Outcome
from .program import End, Program
from .report import Names, failure, outcome_of

__all__ = ["RuntimeSession"]

_FRUITLESS = 2
"""A program that fails before its first image will do so again; after so many in a row no other is started."""


class RuntimeSession:
    """A program with a loaded model, for one thread at a time; use it as a context manager, or close it.

    A crash or a hang costs the image at hand, and the next image starts another program. A runtime that does not take
    images one by one (its ``streams`` is false) gets a program for each image, with the same results.

    Args:
        call: what the program is asked to do.
        time_limit: seconds for each image; the first of a program has the runtime's ``start_limit`` on top.
    """

    def __init__(self, call: Call, time_limit: float = 120.0) -> None:
        self._call = call
        self._time_limit = time_limit
        self._program: Program | None = None
        self._fruitless = 0
        self._hopeless: Outcome | None = None

    @classmethod
    def open(
        cls,
        runtime: Runtime,
        model: Path,
        *,
        device: str = "cpu",
        settings: Mapping[str, SettingValue] | None = None,
        threads: int | None = None,
        time_limit: float = 120.0,
    ) -> RuntimeSession:
        """Return a session; its program is started by :meth:`start` or with the first image.

        Args:
            runtime: of which a probe found nothing missing.
            model: the file or folder that it takes.
            device: as the runtime calls it.
            settings: values to override, by name.
            threads: that the program may use; by default what the environment says.
            time_limit: see the class.

        Raises:
            RuntimeUnavailableError: the runtime does not offer the device.
        """
        if not runtime.offers(device):
            raise RuntimeUnavailableError(
                f"{runtime.title} does not run on {device}: {runtime.only_on}.",
                hint="Choose another device or runtime.",
            )
        return cls(Call.of(runtime, model, device=device, settings=settings, threads=threads), time_limit)

    def __enter__(self) -> RuntimeSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self._abandon()

    @property
    def running(self) -> bool:
        """Tell whether there is a program that waits for images."""
        return self._program is not None and not self._program.ended

    def launch(self) -> None:
        """Start the program, unless it runs, and do not wait for it: it loads its model beside what the caller does."""
        if self._hopeless is None and not self.running and self._call.runtime.streams:
            self._abandon()
            with contextlib.suppress(OSError):  # the first image will tell
                self._program = Program(self._call)

    def start(self) -> Outcome:
        """Start the program, unless it runs, and wait until its model is loaded.

        Returns:
            An outcome with an ``error`` that says why there is no program; or else with its ``version``, ``device`` and
            ``load_s``, which are empty where nothing had to be started.

        Raises:
            OutputError: the disk is full.
        """
        if self._hopeless is not None:
            return self._hopeless
        if self.running or not self._call.runtime.streams:
            return Outcome()
        names = Names([self._call.model])
        said = self._ask(None)
        if isinstance(said, End):
            return self._settle(said, names)
        return replace(outcome_of(said, self._call.model, (), names), output=None)

    def run(self, source: Path, destination: Path) -> Outcome:
        """Run one image.

        Args:
            source: the image as .npy, float32 (B, C, [D,] H, W).
            destination: the .npz to write.

        Returns:
            What became of it.

        Raises:
            PackageError: the source is no .npy.
            OutputError: the disk is full, so that the program cannot write what it found.
        """
        shape = npy_shape(source)
        if self._hopeless is not None:
            return self._hopeless
        names = Names([self._call.model, source, destination])
        image = (str(source.resolve()), str(destination.resolve()))
        try:
            said = self._ask(image)
        except BaseException:  # the program may still be at work on the image
            self._abandon()
            raise
        if isinstance(said, End):
            return self._settle(said, names)
        self._fruitless = 0
        if not self._call.runtime.streams:
            self.close()
        return outcome_of(said, Path(image[1]), shape, names)

    def close(self) -> None:
        """End the program."""
        program, self._program = self._program, None
        if program is not None:
            program.finish()

    def _ask(self, image: tuple[str, str] | None) -> Line | End:
        """Return what a program says of an image or, without one, that it is ready; or why there will be nothing."""
        if self._program is not None and self._program.ended:  # between two images: neither is at fault
            self._abandon()
        streams = self._call.runtime.streams
        if self._program is None:
            alone = () if streams or image is None else ("--input", image[0], "--output", image[1])
            try:
                self._program = Program(self._call, alone)
            except OSError as error:
                return End(f"the program cannot be started: {error}", final=True)
        if image is not None and streams:
            self._program.give(*image)
        while True:
            line = self._program.listen(() if image is None else image[:1], self._time_limit)
            if isinstance(line, End) or image is None or line.input == image[0]:
                return line

    def _settle(self, end: End, names: Names) -> Outcome:
        """Give up the program, and all of its kind where another would fail too."""
        began = self._program is not None and self._program.ready
        self._abandon()
        self._fruitless = 0 if began else self._fruitless + 1
        outcome = failure(end, names)
        if not began and (end.final or self._fruitless == _FRUITLESS):
            self._hopeless = outcome
        return outcome

    def _abandon(self) -> None:
        program, self._program = self._program, None
        if program is not None:
            program.close()
