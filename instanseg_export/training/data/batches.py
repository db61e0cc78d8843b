"""The batches of a training: what is drawn at a step depends on the recipe and the step, not on what came before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ...stages.normalize import finite
from ..recipe_file import Plan
from .channels import drop_channels
from .crops import cut_crop, draw_scale
from .dataset import AnnotatedImage
from .intensities import change_intensities

__all__ = ["Batches", "draw_weights"]


def draw_weights(kinds: Sequence[str], shares: Mapping[str, float]) -> tuple[list[int], npt.NDArray[np.float64]]:
    """Tell how often each of several things is drawn.

    Args:
        kinds: what each is.
        shares: of the kinds; those that are not named are not used. Empty for all things alike.

    Returns:
        The places of those that are used, and the probability of each.
    """
    used = [place for place, kind in enumerate(kinds) if not shares or kind in shares]
    counts = Counter(kinds)
    weights = np.array([shares[kinds[place]] / counts[kinds[place]] if shares else 1.0 for place in used])
    return used, weights / weights.sum()


class _Crops(Dataset[dict[str, Tensor]]):
    """The crops of all steps, one batch per index."""

    def __init__(self, plan: Plan, images: Sequence[AnnotatedImage]) -> None:
        self.plan = plan
        used, self.weights = draw_weights([image.kind for image in images], plan.recipe.data.shares)
        self.images = [images[place] for place in used]
        self.pixels = [self.normal(image).to(torch.float16) for image in self.images]
        self.labels = [torch.from_numpy(image.labels).to(torch.float32) for image in self.images]

    def normal(self, image: AnnotatedImage) -> Tensor:
        """Return an image as the network sees it, (C, [D,] H, W) float32, but for the family's last touch."""
        pixels = torch.from_numpy(np.ascontiguousarray(image.pixels, dtype=np.float32))[None]
        return self.plan.family.normal(self.plan.spec, finite(pixels))[0]

    def __len__(self) -> int:
        return self.plan.recipe.optimiser.steps

    def __getitem__(self, step: int) -> dict[str, Tensor]:
        recipe = self.plan.recipe
        crops = [self.crop(np.random.default_rng([recipe.seed, step, place])) for place in range(recipe.crops.batch)]
        most = max(len(crop["image"]) for crop in crops)
        for crop in crops:
            # Empty channels make the images of a batch one size (thesis of Goldsborough, section 4.3.10).
            missing = most - len(crop["image"])
            beside = [0, 0] * (crop["image"].ndim - 1)
            crop["image"] = torch.nn.functional.pad(crop["image"], (*beside, 0, missing))
        return {name: torch.stack([crop[name] for crop in crops]) for name in crops[0]}

    def crop(self, chance: np.random.Generator) -> dict[str, Tensor]:
        recipe, channels = self.plan.recipe, self.plan.spec.channels
        place = int(chance.choice(len(self.images), p=self.weights))
        scale = draw_scale(recipe.crops, self.images[place].diameter, chance)
        pixels, labels = cut_crop(self.pixels[place], self.labels[place], recipe.crops, scale, chance)
        if channels is not None and len(pixels) == 1:
            pixels = pixels.expand(channels, *pixels.shape[1:])
        pixels = change_intensities(pixels, recipe.augmentations, chance)
        if recipe.channels is not None:
            pixels = drop_channels(pixels, recipe.channels, chance)
        pixels = self.plan.family.finish(self.plan.spec, pixels)
        targets = {name: torch.from_numpy(array) for name, array in self.plan.family.targets(labels).items()}
        return {"image": pixels.contiguous(), "labels": torch.from_numpy(labels), **targets}


class Batches:
    """The batches from a step on, as an iterable of known length that a loop may take up where it left it.

    Args:
        plan: of the training.
        images: to draw from.
        workers: processes that prepare batches ahead; 0 for none.

    Attributes:
        first: the step of the first batch.
    """

    def __init__(self, plan: Plan, images: Sequence[AnnotatedImage], workers: int = 0) -> None:
        task = plan.family.cells
        self._crops: Dataset[dict[str, Tensor]] = _Crops(plan, images) if task is None else task.draws(plan, images)
        self._steps = plan.recipe.optimiser.steps
        self._workers = workers
        self.first = 0

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        more: dict[str, Any] = {"prefetch_factor": 4} if self._workers else {}
        # No generator of its own: torch's global one would move by a number at each start.
        nothing = torch.Generator().manual_seed(0)
        yield from DataLoader(
            self._crops,
            batch_size=None,
            sampler=range(self.first, len(self)),
            num_workers=self._workers,
            pin_memory=torch.cuda.is_available(),
            generator=nothing,
            **more,
        )

    def state_dict(self) -> dict[str, int]:
        """Return nothing that matters: the step says where to go on."""
        return {}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Take nothing; see :meth:`state_dict`."""
