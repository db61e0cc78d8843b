"""Runs a runtime's program on images, each with a time limit; a crash or a hang costs one image, never the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..metadata import SettingValue
from ..targets import known_target
from ..targets.capabilities import require_stages
from ..untrusted.arrays import npy_shape
from .call import Call
from .description import Runtime
from .outcome import Outcome
from .program import End, Program
from .report import Names, failure, outcome_of

__all__ = ["has_comparable_stages", "run_runtime"]


@dataclass
class _Run:
    """The state of one call of :func:`run_runtime`: which images are still to do, and what became of the others."""

    call: Call
    stages_from: int
    inputs: list[str]
    outputs: list[Path]
    shapes: list[tuple[int, ...]]
    names: Names
    time_limit: float
    on_image: Callable[[int], None]
    done: dict[int, Outcome] = field(default_factory=dict)

    def pending(self) -> list[int]:
        return [index for index in range(len(self.inputs)) if index not in self.done]

    def next_batch(self) -> list[int]:
        """Return the images for the next process: all that are to do, if one can give labels and stages."""
        pending = self.pending()
        plain = [index for index in pending if index < self.stages_from]
        return pending if self.call.runtime.mixes or not plain else plain

    def settle(self, index: int, outcome: Outcome) -> None:
        self.done[index] = outcome
        self.on_image(index)


def run_runtime(
    runtime: Runtime,
    model: Path,
    inputs: Sequence[Path],
    outputs: Sequence[Path],
    *,
    device: str = "cpu",
    time_limit: float = 120.0,
    settings: Mapping[str, SettingValue] | None = None,
    stages_from: int | None = None,
    split: bool = False,
    repeat: int = 1,
    threads: int | None = None,
    quiet: bool = False,
    on_image: Callable[[int], None] = lambda index: None,
) -> list[Outcome]:
    """Run a runtime on images that are all there, in as few processes as it takes.

    Args:
        runtime: of which a probe found nothing missing.
        model: the file or folder that it takes.
        inputs: images as .npy, float32 (B, C, H, W).
        outputs: the .npz to write, one per image.
        device: as the runtime calls it.
        time_limit: seconds for each image; the first has the runtime's ``start_limit`` on top, and so has the first
            with stages.
        settings: values to override, by name.
        stages_from: ask for the intermediate results too, of the images from this place on; None for no image's.
        split: ask for the seconds of normalisation and network; only for runtimes with ``splits``.
        repeat: how often each image is run, for timings.
        threads: that the program may use; by default what the environment says.
        quiet: whether the machine is left to the program, as for timings.
        on_image: called with an image's place when its outcome is known.

    Returns:
        One outcome per image, in order; all are ``unavailable`` on a device that the runtime does not offer.

    Raises:
        PackageError: stages are asked for, and files of the format do not give them.
        RuntimeUnavailableError: ``split`` is asked for, and the runtime has no ``splits``.
        OutputError: the disk is full, so that the program cannot write what it found.
    """
    if stages_from is not None and (target := known_target(runtime.target)) is not None:
        require_stages(target)
    call = Call.of(
        runtime,
        model,
        device=device,
        settings=settings,
        split=split,
        repeat=repeat,
        threads=threads,
        quiet=quiet,
    )
    run = _Run(
        call=call,
        stages_from=len(inputs) if stages_from is None else stages_from,
        inputs=[str(path.resolve()) for path in inputs],
        outputs=[path.resolve() for path in outputs],
        shapes=[npy_shape(path) for path in inputs],
        names=Names([model, *inputs, *outputs]),
        time_limit=time_limit,
        on_image=on_image,
    )
    if not runtime.offers(device):
        for index in run.pending():
            run.settle(index, Outcome(error=runtime.only_on, unavailable=True))
    fruitless = 0
    while batch := run.next_batch():
        end = _one_process(run, batch)
        left = [index for index in batch if index not in run.done]
        if not left:
            continue
        fruitless = fruitless + 1 if left == batch else 0
        # A program that fails before its first image will do so again; after two in a row the rest is not tried.
        hopeless = end.final or fruitless == 2
        outcome = failure(end, run.names)
        for index in run.pending() if hopeless else left[:1]:
            run.settle(index, outcome)
    return [run.done[index] for index in range(len(inputs))]


def _one_process(run: _Run, batch: Sequence[int]) -> End:
    """Start the program on some images and settle those that it finishes, until it ends or runs out of time."""
    arguments = ["--input", *(run.inputs[index] for index in batch)]
    arguments += ["--output", *(str(run.outputs[index]) for index in batch)]
    plain = sum(index < run.stages_from for index in batch)
    if plain < len(batch):
        arguments += ["--stages-from", str(plain)] if plain else ["--stages"]
    try:
        program = Program(run.call, arguments)
    except OSError as error:
        return End(f"the program cannot be started: {error}", final=True)
    waiting: dict[str, list[int]] = {}
    for index in batch:
        waiting.setdefault(run.inputs[index], []).append(index)
    try:
        while waiting:
            left = sum(map(len, waiting.values()))
            loads_again = 0 < plain == len(batch) - left
            line = program.listen(waiting, run.time_limit + (run.call.runtime.start_limit if loads_again else 0))
            if isinstance(line, End):
                return line
            if line.input in waiting:
                index = waiting[line.input].pop(0)
                if not waiting[line.input]:
                    del waiting[line.input]
                run.settle(index, outcome_of(line, run.outputs[index], run.shapes[index], run.names))
        program.finish()
        return End()
    finally:
        program.close()


def has_comparable_stages(runtime: Runtime) -> bool:
    """Tell whether the files that a runtime takes give their stages, and it computes them in float32."""
    target = known_target(runtime.target)
    return runtime.exact and (target is None or target.exposes_stages)
