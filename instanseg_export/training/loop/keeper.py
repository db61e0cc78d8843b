"""What is kept of a training while it runs: states, the best weights, curves and pictures."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from ...checkpoints import save_checkpoint
from ..data.dataset import AnnotatedImage
from ..recipe_file import Plan
from .averaging import Average
from .curves import Table, draw_curves
from .module import TrainingModule, learning_rate
from .pictures import choose_samples, draw_samples
from .state import StateFiles
from .validation import Validated, as_checkpoint, evaluate

__all__ = ["BEST", "LATEST", "Keeper"]

BEST, LATEST = "best.pt", "latest.pt"
_ROWS = 50
"""Steps that a row of the curves is the mean of."""


class Keeper(Callback):
    """Validates, writes, and tells, in an order that makes a resumed training the same as one that went through.

    At a step that is due for validation, the weights are validated first, and the state is written after that.

    Args:
        plan: of the training.
        folder: in which all is written.
        average: the averaged weights.
        images: of the validation split.
        states: where the state goes.
        minutes: between two states, at most.
        tell: is told what goes on, a line at a time.
        stop: tells whether to stop at the next step.
    """

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        average: Average,
        images: Sequence[AnnotatedImage],
        states: StateFiles,
        *,
        minutes: float,
        tell: Callable[[str], None],
        stop: Callable[[], bool],
    ) -> None:
        self.plan, self.folder, self.average, self.images, self.states = plan, folder, average, images, states
        self._seconds, self._tell, self._stop = minutes * 60.0, tell, stop
        self.best = -1.0
        self.best_step = -1
        self.latest: Validated | None = None
        self._sums: dict[str, float] = {}
        self._count = 0
        self._saved = self._began = time.monotonic()
        self._samples = choose_samples(images, plan.recipe.validation.pictures)

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "best_step": self.best_step, "sums": dict(self._sums), "count": self._count}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best, self.best_step = state_dict["best"], state_dict["best_step"]
        self._sums, self._count = dict(state_dict["sums"]), state_dict["count"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._losses = Table(self.folder / "losses.csv", trainer.global_step)
        self._scores = Table(self.folder / "scores.csv", trainer.global_step)
        self._saved = self._began = time.monotonic()
        if trainer.global_step == 0:
            trainer.save_checkpoint(self.states.latest)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, TrainingModule)
        step, recipe = trainer.global_step, self.plan.recipe
        for name, loss in pl_module.losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + loss
        self._count += 1
        if step % _ROWS == 0:
            self._tell_losses(step)
        done = step >= recipe.optimiser.steps
        validated = step % recipe.validation.every == 0 or done
        if validated:
            self.validate(step)
        stopping = self._stop() and not done
        if validated or stopping or time.monotonic() - self._saved >= self._seconds:
            trainer.save_checkpoint(self.states.latest)
            save_checkpoint(self._averaged(), self.folder / LATEST, overwrite=True)
            self._saved = time.monotonic()
        if stopping:
            self._tell(f"stopped after step {step}; the same command goes on from there")
            trainer.should_stop = True

    def validate(self, step: int) -> None:
        """Judge the averaged weights, and keep them if they are the best so far."""
        assert self.average.network is not None
        self.latest = evaluate(self.plan, self.average.network, self.images)
        row = {"step": float(step)}
        words = []
        for kind, score in self.latest.scores.items():
            row |= {f"{kind} {name}": value for name, value in score.values.items()}
            words.append(" ".join([kind or "images", *(f"{name} {value:.3f}" for name, value in score.values.items())]))
        rating = self.latest.rating(self.plan.recipe.validation.select)
        better = rating > self.best
        self._scores.add({name: value for name, value in row.items() if math.isfinite(value)})
        best = " (best so far)" if better else f" (best {self.best:.4f} at step {self.best_step})"
        self._tell(f"step {step}: {', '.join(words)}; rating {rating:.4f}{best}; {self.latest.seconds:.0f} s")
        if better:
            self.best, self.best_step = rating, step
            save_checkpoint(self._averaged(), self.folder / BEST, overwrite=True)
        panels = {"losses": self._losses.rows, "scores on the validation split": self._scores.rows}
        _replace(draw_curves(panels), self.folder / "curves.png")
        if self._samples:
            _replace(draw_samples(self.latest.shown, self._samples), self.folder / "samples.png")

    def _averaged(self) -> Any:
        assert self.average.network is not None
        return as_checkpoint(self.plan, self.average.network)

    def _tell_losses(self, step: int) -> None:
        means = {name: total / self._count for name, total in self._sums.items()}
        rate = learning_rate(self.plan.recipe.optimiser, step - 1)
        self._losses.add({"step": float(step), **means})
        now = time.monotonic()
        each = (now - self._began) / self._count
        self._began = now
        shown = ", ".join(f"{name} {value:.4f}" for name, value in means.items())
        steps = self.plan.recipe.optimiser.steps
        self._tell(f"step {step} of {steps}: {shown}; rate {rate:.2e}; {each:.2f} s a step")
        self._sums, self._count = {}, 0


def _replace(picture: Any, path: Path) -> None:
    """Write a picture whole or not at all."""
    half = path.with_name(path.name + ".part")
    picture.save(half, format="PNG")
    half.replace(path)
