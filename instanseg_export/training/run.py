"""Runs a training, from its beginning or from where it was left."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..checkpoints import load_checkpoint
from ..errors import OutputError, RuntimeUnavailableError, SettingError, TrainingError
from ..files.words import cannot_write
from ..progress import Progress
from .data.dataset import digest_of, read_dataset
from .recipe_file import Plan, load_recipe

if TYPE_CHECKING:
    from torch import nn

    from .loop.validation import Scores

__all__ = ["Trained", "train"]


@dataclass(frozen=True)
class Trained:
    """How a training ended, or where it was stopped.

    Attributes:
        folder: of its files.
        step: the last one that was taken.
        finished: whether that is the last one of the recipe.
        best: the checkpoint with the best rating, which all commands of this package read; None before a validation.
        rating: of ``best``.
        scores: of the latest validation of this run, by type of images; empty where there was none.
    """

    folder: Path
    step: int
    finished: bool
    best: Path | None
    rating: float
    scores: dict[str, Scores]


def _nothing(line: str) -> None:
    pass


def train(
    recipe: str | Path,
    *,
    output: str | Path | None = None,
    data: str | Path | None = None,
    device: str = "auto",
    workers: int = 0,
    minutes: float = 5.0,
    progress: Progress | None = None,
    tell: Callable[[str], None] = _nothing,
    stop: Callable[[], bool] = lambda: False,
) -> Trained:
    """Train a network, or go on where a training with the same recipe was left.

    At any time the process may be killed. The same call then goes on from the last state, and on a CPU it comes to the
    same weights, bit for bit, as one that was not interrupted.

    Args:
        recipe: path of the YAML file; see :class:`.recipe.Recipe`.
        output: folder of the training; by default the recipe's name in ``.training/`` of the current folder.
        data: folder or zip of the images; by default what the recipe says.
        device: "auto", "cpu", "cuda" or "mps".
        workers: processes that prepare batches.
        minutes: between two states on disk, at most.
        progress: is told how far the reading of images has come.
        tell: is told what goes on, a line at a time.
        stop: tells whether to stop after the present step, with its state on disk.

    Returns:
        Where it stands.

    Raises:
        RecipeError, ImageError: the recipe or its data are at fault.
        TrainingError: the folder holds the state of another recipe, or the loss is not finite.
        OutputError: the disk is full, or the folder cannot be written to; what was there stays.
        RuntimeUnavailableError: Lightning is not installed.
    """
    plan = load_recipe(recipe, source=data)
    _check_devices(device, plan)
    lightning = _lightning()
    folder = Path(output) if output is not None else Path(".training") / plan.spec.name
    from .loop.lock import alone_in

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with alone_in(folder):
            return _train(plan, folder, lightning, device, workers, minutes, progress, tell, stop)
    except OSError as error:
        refused = cannot_write(error, folder)
        raise OutputError(
            f"The training stopped. {refused.message}",
            hint=f"{refused.hint} The same command then goes on from the last state.",
        ) from error


def _train(
    plan: Plan,
    folder: Path,
    lightning: Any,
    device: str,
    workers: int,
    minutes: float,
    progress: Progress | None,
    tell: Callable[[str], None],
    stop: Callable[[], bool],
) -> Trained:
    from .loop.state import StateFiles

    states = StateFiles(folder, plan)
    if states.exists():
        states.load_checkpoint(states.latest)  # before images are read, which takes a while
    images, validation = read_dataset(plan, progress)
    states.add_identity(images=digest_of(images))

    import torch

    from .data.batches import Batches
    from .loop.averaging import Average
    from .loop.keeper import BEST, Keeper
    from .loop.module import TrainingModule

    torch.manual_seed(plan.recipe.seed)
    network = _network(plan, tell)
    module = TrainingModule(plan, network, Batches(plan, images, workers))
    average = Average(plan.recipe.averaging.decay)
    keeper = Keeper(plan, folder, average, validation, states, minutes=minutes, tell=tell, stop=stop)
    tell(f"{len(images)} images to train, {len(validation)} to validate; {_size(network)} weights; {folder}")
    with _quiet():
        trainer = lightning.Trainer(
            accelerator="gpu" if device == "cuda" else device,
            devices=1,
            precision={"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}[plan.recipe.precision],
            max_steps=plan.recipe.optimiser.steps,
            gradient_clip_val=plan.recipe.optimiser.clip,
            callbacks=[average, keeper],
            plugins=[states],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        )
        trainer.fit(module, ckpt_path=states.latest if states.exists() else None, weights_only=True)
    best, step = folder / BEST, int(trainer.global_step)
    return Trained(
        folder,
        step,
        step >= plan.recipe.optimiser.steps,
        best if best.exists() else None,
        keeper.best,
        dict(keeper.latest.scores) if keeper.latest is not None else {},
    )


def _lightning() -> Any:
    # Lightning looks for a cluster, and counts its users, unless it is told not to.
    os.environ.setdefault("LIGHTNING_DISABLE_TELEMETRY", "1")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pytorch_lightning
    except ImportError as error:
        raise RuntimeUnavailableError(
            "Training needs Lightning, which is not installed.", hint="pip install 'instanseg-export[train]'"
        ) from error
    return pytorch_lightning


def _check_devices(device: str, plan: Plan) -> None:
    import torch

    present = {"auto": True, "cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device not in present:
        raise SettingError(f"There is no device {device!r}.", hint=f"Known are: {', '.join(present)}.")
    if not present[device]:
        raise SettingError(f"This machine has no device {device}.", hint="Leave --device out.")
    on_cpu = device == "cpu" or not (present["cuda"] or present["mps"])
    if plan.recipe.precision == "16" and on_cpu:
        raise SettingError(
            f'{plan.path}: precision "16" needs a GPU.', hint='Train on a GPU, or set precision to "bf16" or "32".'
        )


def _network(plan: Plan, tell: Callable[[str], None]) -> nn.Module:
    """Build the network, and copy what fits of the initial weights into it."""
    import torch

    network = plan.family.build(plan.spec, plan.first)
    if plan.recipe.initial_weights is not None:
        start = load_checkpoint(plan.beside(plan.recipe.initial_weights)).network.state_dict()
        own = network.state_dict()
        fitting = {name: tensor for name, tensor in start.items() if name in own and own[name].shape == tensor.shape}
        if not fitting:
            raise TrainingError(
                f"Nothing in {plan.recipe.initial_weights} fits the network of {plan.path}.",
                hint="Leave initial_weights out, or describe a network of the same layers.",
            )
        network.load_state_dict(fitting, strict=False)
        tell(f"{len(fitting)} of {len(own)} tensors are taken from {plan.recipe.initial_weights}")
    if all(weight.ndim <= 4 for weight in network.parameters()):
        network = network.to(memory_format=torch.channels_last)
    return network


def _size(network: nn.Module) -> str:
    return f"{sum(weight.numel() for weight in network.parameters()):,}"


class _quiet(warnings.catch_warnings):  # noqa: N801 -- as the class that it is
    """Leaves out what Lightning says of itself."""

    def __enter__(self) -> Any:
        entered = super().__enter__()
        warnings.filterwarnings("ignore", module=r"pytorch_lightning|lightning_fabric|lightning_utilities|torchmetrics")
        warnings.filterwarnings("ignore", message=".*(num_workers|LeafSpec|isinstance.treespec|GPU available).*")
        for name in ("pytorch_lightning", "lightning_fabric"):
            logging.getLogger(name).setLevel(logging.ERROR)
        return entered
