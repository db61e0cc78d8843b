"""The batches of classifiers: crops around cells, and bags of them, cut as the forward cuts them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ...families.two_stage.spec import ClassifiedSpec, TwoStageSpec
from ...stages.object_crops import crop_objects, list_objects, pixel_table
from ..data.batches import draw_weights
from ..data.dataset import AnnotatedImage
from ..data.intensities import change_intensities
from ..recipe import Crops
from ..recipe_file import Plan
from .options import ClassOptions, PositivityOptions
from .pixels import seen_pixels

__all__ = ["Bags", "CellCrops", "draw_crops", "turn"]


class _Image:
    """An image of whose cells crops are cut.

    Args:
        plan: of the training.
        image: with its cells.
    """

    def __init__(self, plan: Plan, image: AnnotatedImage) -> None:
        self.cells = image.cells
        self.height, self.width = image.labels.shape[1:]
        self.size = cast(TwoStageSpec, plan.spec).crop_size
        labels = torch.from_numpy(image.labels[-1:]).to(torch.float32)
        # Labels run from 1 on without gaps: row r is of label r + 1.
        self.objects = list_objects(labels).table
        self.table = pixel_table(seen_pixels(plan, image), labels)

    def crops(self, labels: Sequence[int], channels: list[int] | None = None) -> Tensor:
        """Return crops (n, C + 1, size, size) around cells, the mask last.

        Args:
            labels: of the cells.
            channels: of the image; None for all.
        """
        table = self.table if channels is None else self.table[:, [*channels, self.table.shape[1] - 1]]
        chunk = self.objects[torch.as_tensor(labels) - 1]
        return crop_objects(table, chunk, self.size, self.height, self.width).contiguous()


def turn(crop: Tensor, crops: Crops, chance: np.random.Generator) -> Tensor:
    """Return a crop (C, S, S) as it is, turned by quarters, or mirrored."""
    if crops.rotations:
        crop = torch.rot90(crop, int(chance.integers(4)), dims=(1, 2))
    if crops.flips and chance.integers(2):
        crop = crop.flip(2)
    return crop


class CellCrops(Dataset[dict[str, Tensor]]):
    """Crops around cells whose class somebody has told, one batch per step.

    Args:
        plan: of the training.
        images: with their cells.
    """

    def __init__(self, plan: Plan, images: Sequence[AnnotatedImage]) -> None:
        self.recipe = plan.recipe
        self.images = [_Image(plan, image) for image in images]
        told = [(place, row) for place, image in enumerate(images) for row in range(len(image.cells))]
        used, weights = draw_weights([images[place].kind for place, _ in told], plan.recipe.data.shares)
        self.told = [told[place] for place in used]
        if cast(ClassOptions, plan.options).balance:
            shares = plan.recipe.data.shares
            groups = [
                (images[place].kind if shares else "", int(images[place].cells[row, 2])) for place, row in self.told
            ]
            counts, classes = Counter(groups), Counter(kind for kind, _ in set(groups))
            weights = np.array([shares.get(kind, 1.0) / classes[kind] / counts[kind, one] for kind, one in groups])
        self.weights = weights / weights.sum()

    def __getitem__(self, step: int) -> dict[str, Tensor]:
        recipe = self.recipe
        crops = [self.crop(np.random.default_rng([recipe.seed, step, place])) for place in range(recipe.crops.batch)]
        return {name: torch.stack([crop[name] for crop in crops]) for name in crops[0]}

    def crop(self, chance: np.random.Generator) -> dict[str, Tensor]:
        place, row = self.told[int(chance.choice(len(self.told), p=self.weights))]
        image = self.images[place]
        label, labels, judged = (int(number) for number in image.cells[row])
        crop = turn(image.crops([label])[0], self.recipe.crops, chance)
        changed = change_intensities(crop[:-1], self.recipe.augmentations, chance)
        numbers = {"set": torch.tensor(labels), "class": torch.tensor(judged)}
        return {"image": torch.cat([changed, crop[-1:]]), **numbers}


class Bags(Dataset[dict[str, Tensor]]):
    """Bags of crops: cells of one image in one channel, of some of which somebody has told whether they are positive.

    Args:
        plan: of the training.
        images: with their cells.
    """

    def __init__(self, plan: Plan, images: Sequence[AnnotatedImage]) -> None:
        self.recipe = plan.recipe
        self.most = cast(PositivityOptions, plan.options).cells
        self.images = [_Image(plan, image) for image in images]
        bags = [(place, int(channel)) for place, image in enumerate(images) for channel in np.unique(image.cells[:, 1])]
        used, self.weights = draw_weights([images[place].kind for place, _ in bags], plan.recipe.data.shares)
        self.bags = [bags[place] for place in used]

    def __getitem__(self, step: int) -> dict[str, Tensor]:
        recipe = self.recipe
        bags = [self.bag(np.random.default_rng([recipe.seed, step, place])) for place in range(recipe.crops.batch)]
        most = max(len(crops) for crops, _ in bags)
        size = bags[0][0].shape[1:]
        image, positive = torch.zeros(len(bags), most, *size), torch.full((len(bags), most), -1)
        present = torch.zeros(len(bags), most, dtype=torch.bool)
        for place, (crops, told) in enumerate(bags):
            image[place, : len(crops)], positive[place, : len(crops)] = crops, told
            present[place, : len(crops)] = True
        return {"image": image, "present": present, "positive": positive}

    def bag(self, chance: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return crops (n, 2, size, size) and whether each is positive (n,), below 0 where nobody has told."""
        place, channel = self.bags[int(chance.choice(len(self.bags), p=self.weights))]
        image = self.images[place]
        told = {int(label): int(value) for label, of, value in image.cells if of == channel}
        # One of them at least is judged, or there would be nothing to learn from.
        first = int(chance.choice(list(told)))
        others = [int(label) for label in chance.permutation(len(image.objects)) + 1 if label != first]
        labels = [first, *others[: self.most - 1]]
        turned = [turn(crop, self.recipe.crops, chance) for crop in image.crops(labels, [channel])]
        crops = torch.stack(turned)
        # As slices of one volume: what is changed is the image, and with it all of its cells alike.
        seen = change_intensities(crops[:, 0][None], self.recipe.augmentations, chance)[0].clamp(-2.0, 3.0)
        return torch.stack([seen, crops[:, 1]], dim=1), torch.tensor([told.get(label, -1) for label in labels])


def draw_crops(plan: Plan, images: Sequence[AnnotatedImage]) -> Dataset[Any]:
    """Return the batches of a plan: crops where cells have classes, else bags."""
    return CellCrops(plan, images) if isinstance(plan.spec, ClassifiedSpec) else Bags(plan, images)
