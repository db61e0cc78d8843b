"""The recipe of a training: all that decides the weights, in one file of YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = [
    "Augmentations",
    "Averaging",
    "Channels",
    "Crops",
    "Data",
    "Optimiser",
    "Recipe",
    "RecipePart",
    "Validation",
]

Share = Annotated[float, Field(ge=0, le=1)]


class RecipePart(BaseModel):
    """A group of keys: frozen, without unknown ones, and with finite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Data(RecipePart):
    """Where the images are.

    Attributes:
        source: a folder, or a zip of one: images/ID.png, labels/ID.png (PNG or TIFF), and index.csv with a row per
            image in which "id", "split" and, where there are several, "type" say what it is. Relative to the recipe.
        labels: the folder of each structure's label maps; "labels" where there is one structure, else its own name.
        train, validation: values of "split".
        shares: how often images of each "type" are drawn, relative to one another; by default as often as there are
            images. Types that are not named are not used for training.
    """

    source: Path
    labels: dict[str, str] = Field(default_factory=dict)
    train: str = "train"
    validation: str = "val"
    shares: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)


class Crops(RecipePart):
    """What is cut out of the images.

    Attributes:
        size: height and width in pixels.
        depth: slices, of volumes.
        batch: crops per step.
        scale: smallest and largest factor by which a crop is enlarged, drawn with a uniform logarithm.
        diameters: the range into which the scale shall bring an image's median instance, in pixels; None for any. It
            narrows ``scale``, which stays the outer limit.
        flips, rotations: whether crops are mirrored, along slices too, and turned by quarters in the plane.
    """

    size: int = Field(default=256, ge=16, le=4096)
    depth: int | None = Field(default=None, ge=1, le=4096)
    batch: int = Field(default=3, ge=1, le=1024)
    scale: tuple[Annotated[float, Field(gt=0.1, lt=10)], Annotated[float, Field(gt=0.1, lt=10)]] = (1.0, 1.0)
    diameters: tuple[float, float] | None = None
    flips: bool = True
    rotations: bool = True

    @model_validator(mode="after")
    def _ascending(self) -> Crops:
        for name in ("scale", "diameters"):
            pair = getattr(self, name)
            if pair is not None and not 0 < pair[0] <= pair[1]:
                raise ValueError(f"{name} has to be a smaller and a larger number, not {list(pair)}")
        return self


class Augmentations(RecipePart):
    """How images are changed (Goldsborough et al. 2024, section 2.6). Amounts of 0 change nothing.

    All work on images whose 0.1 and 99.9 percentiles are 0 and 1, each with probability ``share`` and by a random
    amount up to the one given.

    Attributes:
        share: probability of each.
        brightness: added to all channels alike.
        contrast: of the logarithm of the factor around the mean.
        gamma: of the logarithm of the exponent.
        noise: standard deviation of Gaussian noise.
        blur: standard deviation of a Gaussian blur, in pixels.
        hue: turn of the colours around the grey axis, in parts of a full turn. For three channels.
        stains: of the logarithm of the optical density of each of haematoxylin, eosin and the rest. For three channels;
            greys stay grey.
        ranges: of what a tile's percentiles differ from its image's: of the lower and upper end, in parts of the range.
    """

    share: Share = 0.5
    brightness: float = Field(default=0.0, ge=0, le=2)
    contrast: float = Field(default=0.0, ge=0, le=2)
    gamma: float = Field(default=0.0, ge=0, le=2)
    noise: float = Field(default=0.0, ge=0, le=1)
    blur: float = Field(default=0.0, ge=0, le=10)
    hue: float = Field(default=0.0, ge=0, le=0.5)
    stains: float = Field(default=0.0, ge=0, le=2)
    ranges: float = Field(default=0.0, ge=0, lt=0.9)


class Channels(RecipePart):
    """Channel drop-out, for networks that take any number of channels (thesis of Goldsborough, section 4.3).

    Attributes:
        least: the fewest channels that an image keeps.
        most: the most.
    """

    least: int = Field(default=1, ge=1)
    most: int = Field(default=20, ge=1)


class Optimiser(RecipePart):
    """AdamW with a learning rate that rises linearly, then falls along half a cosine.

    Attributes:
        steps: in all.
        learning_rate: the highest.
        final_rate: the one at the end.
        warm_up: steps in which it rises.
        weight_decay: of all weights that are not of one dimension.
        clip: norm above which gradients are shortened; None for never.
    """

    steps: int = Field(ge=1)
    learning_rate: float = Field(default=1e-3, gt=0, le=1)
    final_rate: float = Field(default=1e-5, ge=0, le=1)
    warm_up: int = Field(default=500, ge=0)
    weight_decay: float = Field(default=1e-4, ge=0, le=1)
    clip: float | None = Field(default=20.0, gt=0)


class Averaging(RecipePart):
    """The moving average of the weights, which is what is validated and kept.

    Attributes:
        decay: how much of the average stays at each step; less at the beginning, (1 + step) / (10 + step). 0 for none.
    """

    decay: float = Field(default=0.999, ge=0, lt=1)


class Validation(RecipePart):
    """How the weights are judged: by the forward that is exported, at full size.

    Attributes:
        every: steps between two validations.
        select: types of images whose mean of F1 at 0.5 and F1µ, averaged over them, chooses the best checkpoint; all by
            default.
        pictures: how many images of the validation split are drawn, as evenly as possible from all types.
    """

    every: int = Field(default=1000, ge=1)
    select: tuple[str, ...] = ()
    pictures: int = Field(default=6, ge=0, le=100)


class Recipe(RecipePart):
    """All that decides the weights of a training.

    Attributes:
        model: the description of the network, with its family; see ``instanseg-export inspect checkpoint.pt --json``.
        objective: what the family's objective may be told.
        seed: of all that is drawn.
        precision: "32" is plain; "bf16" and "16" are mixed, on processors that have them.
        initial_weights: a checkpoint to start from: where a weight has its name and shape there, it is taken.
    """

    model: dict[str, Any]
    data: Data
    crops: Crops = Crops()
    augmentations: Augmentations = Augmentations()
    channels: Channels | None = None
    objective: dict[str, Any] = Field(default_factory=dict)
    optimiser: Optimiser
    averaging: Averaging = Averaging()
    validation: Validation = Validation()
    seed: int = Field(default=0, ge=0, lt=2**32)
    precision: Literal["32", "bf16", "16"] = "32"
    initial_weights: Path | None = None
