"""The descriptions of models that segment cells and then look at each of them."""

from __future__ import annotations

from fractions import Fraction
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from ...limits import MAX_CHANNELS
from ..instanseg.spec import InstanSegSpec
from ..spec import ModelSpec, Name
from .classifier_spec import CropClassifierSpec, PositivitySpec

__all__ = ["ClassifiedSpec", "MarkerPositivitySpec", "TwoStageSpec"]

_SAME_SIZE = 0.01
"""Pixel sizes that differ by no more than this part are taken as equal: resampling would only blur the image."""

_LARGEST_FACTOR = 32


class TwoStageSpec(ModelSpec):
    """What both families share.

    Attributes:
        pixel_size: in micrometres, of the image that the model takes, and of its crops; None for the segmentation's.
        segmentation: the network that finds the cells. The image is resampled to its pixel size inside of the model.
        crop_size: rows and columns of the crop around a cell.
    """

    segmentation: InstanSegSpec
    crop_size: int = Field(ge=8, le=1024)

    @property
    def resampling(self) -> Fraction:
        """Rows of the image that is segmented, for each row of the image that is given."""
        own, wanted = self.pixel_size, self.segmentation.pixel_size
        if own is None or wanted is None or abs(own / wanted - 1) <= _SAME_SIZE:
            return Fraction(1)
        return Fraction(own / wanted).limit_denominator(64)

    @property
    def limits(self) -> tuple[str, ...]:
        return self.segmentation.limits

    @property
    def citations(self) -> tuple[tuple[str, str], ...]:
        return self.segmentation.citations

    @model_validator(mode="after")
    def _stages_fit(self) -> TwoStageSpec:
        if self.structures != self.segmentation.structures:
            raise ValueError(
                f"structures are {self.structures}, but what segments finds {self.segmentation.structures}"
            )
        if not 1 / _LARGEST_FACTOR <= self.resampling <= _LARGEST_FACTOR:
            raise ValueError(
                f"pixel_size {self.pixel_size:g} and that of what segments, {self.segmentation.pixel_size:g}, are more "
                f"than a factor of {_LARGEST_FACTOR} apart"
            )
        return self


class ClassifiedSpec(TwoStageSpec):
    """InstanSeg, then a classifier of each cell (thesis, chapter 5).

    Attributes:
        classifier: the network that sees the crops.
        classes: name of each class, in the order of the logits.
        first_logit: where the logits of ``classes`` begin: networks that were trained on several sets of labels give
            the logits of one set after the other.
        divisor: raw intensities are divided by this before they are classified.
    """

    title: ClassVar[str] = "InstanSeg and cell classifier"

    family: Literal["classified"] = "classified"
    classifier: CropClassifierSpec
    classes: tuple[Name, ...] = Field(min_length=2)
    first_logit: int = Field(default=0, ge=0, le=MAX_CHANNELS)
    divisor: float = Field(default=255.0, gt=0)
    crop_size: int = Field(default=128, ge=8, le=1024)

    @property
    def architecture(self) -> str:
        classes = ", ".join(self.classes)
        return f"{self.segmentation.architecture}; {self.classifier.architecture} of crops: {classes}"

    @property
    def tags(self) -> tuple[str, ...]:
        return (*self.segmentation.tags, "classification", self.classifier.architecture)

    @model_validator(mode="after")
    def _classes_fit(self) -> ClassifiedSpec:
        count, logits = len(self.classes), self.classifier.logits
        if len(set(self.classes)) != count or not all(name.strip() for name in self.classes):
            raise ValueError(f"classes need names of their own: {', '.join(self.classes)}")
        if logits % count:
            raise ValueError(f"classes has {count} names, but the classifier gives {logits} logits")
        if self.first_logit % count or self.first_logit >= logits:
            starts = ", ".join(map(str, range(0, logits, count)))
            raise ValueError(
                f"first_logit is {self.first_logit}, but a set of {count} classes in {logits} logits starts at {starts}"
            )
        if self.channels != self.classifier.channels:
            raise ValueError(f"channels is {self.channels}, but the classifier takes {self.classifier.channels}")
        if self.segmentation.channels not in (None, self.channels):
            raise ValueError(
                f"the classifier takes {self.channels} channels, but what segments takes {self.segmentation.channels}"
            )
        return self


class MarkerPositivitySpec(TwoStageSpec):
    """InstanSeg, then MobileNet-ISAB: which cells are positive in each channel (thesis, chapter 6).

    Attributes:
        classifier: the network that sees the crops of one channel at a time, and all cells of an image together.
    """

    title: ClassVar[str] = "InstanSeg and marker positivity"

    family: Literal["positivity"] = "positivity"
    classifier: PositivitySpec
    crop_size: int = Field(default=64, ge=8, le=1024)

    @property
    def architecture(self) -> str:
        return (
            f"{self.segmentation.architecture}; {self.classifier.architecture} of crops of one channel, induced set "
            "attention over all cells"
        )

    @property
    def tags(self) -> tuple[str, ...]:
        return (*self.segmentation.tags, "classification", "multiplexed", self.classifier.architecture)

    @model_validator(mode="after")
    def _channels_fit(self) -> MarkerPositivitySpec:
        if self.channels != self.segmentation.channels:
            raise ValueError(f"channels is {self.channels}, but what segments takes {self.segmentation.channels}")
        return self
