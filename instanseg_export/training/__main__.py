"""``python -m instanseg_export.training recipe.yaml`` trains a network, or goes on where it was left."""

from __future__ import annotations

import argparse
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from ..errors import InstansegExportError
from ..plain_text import escaped

__all__ = ["main"]

_DESCRIPTION = """\
Train a network, or go on where a training with the same recipe was left.

The recipe says all that decides the weights: the network, the data, the crops and how they are changed, the objective,
the optimiser and the seed. docs/training.md explains every key; model_zoo/nuclei/recipe.yaml is an example.

The process may be killed at any moment; the same command then goes on from the last state. In the folder are:

  state.pt, state-previous.pt   all that is needed to go on
  best.pt                       the averaged weights with the best rating: `instanseg-export best.pt` exports them
  latest.pt                     those of the last state
  losses.csv, scores.csv        the curves as tables; curves.png draws them
  samples.png                   image, truth and what the network finds now, for some images of the validation split
"""

_EXAMPLES = """\
examples:
  python -m instanseg_export.training model_zoo/nuclei/recipe.yaml --data dsb2018_train.zip
  python -m instanseg_export.training recipe.yaml --output /scratch/nuclei --device cuda --workers 8
  OMP_NUM_THREADS=1 nohup nice -n 19 python -m instanseg_export.training recipe.yaml &   in the background, one core
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0 done or stopped on request, 2 an error that a message explains."""
    parser = argparse.ArgumentParser(
        prog="python -m instanseg_export.training",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recipe", type=Path, help="YAML file")
    parser.add_argument("--output", type=Path, help="folder of the training (default: .training/ and the model's name)")
    parser.add_argument("--data", type=Path, help="folder or zip of the images (default: what the recipe says)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")
    parser.add_argument("--workers", type=int, default=0, help="processes that prepare batches (default: 0)")
    parser.add_argument("--minutes", type=float, default=5.0, help="between two states on disk, at most (default: 5)")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    given = parser.parse_args(arguments)
    with warnings.catch_warnings(), _signals() as signals:
        if not given.debug:
            warnings.simplefilter("ignore")
        return _run(given, signals)


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Yield a list to which the first signal to end is added; a second one interrupts."""
    signals: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if signals:
            raise KeyboardInterrupt
        signals.append(number)
        _say("stopping after this step; a second signal stops at once")

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(given: argparse.Namespace, signals: Sequence[int]) -> int:
    from .run import train

    try:
        trained = train(
            given.recipe,
            output=given.output,
            data=given.data,
            device=given.device,
            workers=given.workers,
            minutes=given.minutes,
            tell=_say,
            stop=lambda: bool(signals),
        )
    except InstansegExportError as error:
        if given.debug:
            raise
        sys.stderr.write(f"error: {error.message}\nhint: {error.hint}\n")
        return error.exit_code
    except KeyboardInterrupt:
        _say("interrupted; the same command goes on from the last state")
        return 130
    if trained.finished and trained.best is not None:
        _say(f"done: {trained.best}, rating {trained.rating:.4f}. Export it with: instanseg-export {trained.best}")
    return 0


def _say(line: str) -> None:
    sys.stdout.write(escaped(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
