"""How a model is evaluated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from ...errors import SettingError
from ...inference.image_options import ImageOptions
from ...untrusted.numbers import check_number, check_time_limit
from ..key_values import KeyValues
from .shared import SHOWN, AnyPath, InEveryRuntime, InEveryRuntimeKeywords

__all__ = ["EvaluateKeywords", "EvaluateOptions"]


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(InEveryRuntime):
    """How a model is evaluated.

    Attributes:
        runtimes: Runtimes to compare, or all. Default: the one that run uses, and one for files of reduced precision.
        precision: Precisions to compare: fp32, fp16, int8. Default: all that the package has.
        iou: From which IoU on an instance found and a true one match, where a figure has no thresholds of its own.
        structure: Evaluate one structure only, as in nuclei. Default: all that the model finds.
        index: Table of the images with a column id. Default: the index.csv beside the images, if there is one.
        only: Evaluate only images of which the index says so, as in --only split=val.
        group_by: Column of the index whose values get figures of their own. Default: type; without index, subfolders.
        draw_by: Column of the index whose images are not independent: intervals then draw them together.
        stability: Images that are also shifted, mirrored, brightened and tiled; 0 for none.
        pixel_size: Of the images, in micrometres, if their files are silent or wrong.
        ignore_memory: Go on where memory does not seem to suffice.
        device: cpu, cuda, cuda:1 or mps.
        output: Folder for evaluation.html, evaluation.json, tables as CSV and charts as SVG.
        time_limit: Seconds that a runtime may take for one image.

    Raises:
        ImageError: the pixel size is no length.
        SettingError: the IoU, the number of images or the time limit is out of range.
    """

    precision: Sequence[str] = ()
    iou: Annotated[float, SHOWN] = 0.5
    structure: str | None = None
    index: AnyPath | None = None
    only: KeyValues = field(default_factory=dict)
    group_by: str | None = None
    draw_by: str | None = None
    stability: Annotated[int, SHOWN] = 8
    pixel_size: float | None = None
    ignore_memory: bool = False
    device: Annotated[str, SHOWN] = "cpu"
    output: AnyPath | None = None
    time_limit: Annotated[float, SHOWN] = 600.0

    def __post_init__(self) -> None:
        if not 0 < self.iou <= 1:
            raise SettingError(f"{self.iou:g} is no IoU.", hint="Give a number above 0 and up to 1, as in 0.5.")
        check_number("number of images for stability", self.stability, 0, 1_000_000)
        check_time_limit(self.time_limit)
        ImageOptions(pixel_size=self.pixel_size)


class EvaluateKeywords(InEveryRuntimeKeywords, total=False):
    """The fields of :class:`EvaluateOptions` as keywords."""

    precision: Sequence[str]
    iou: float
    structure: str | None
    index: AnyPath | None
    only: Mapping[str, Any]
    group_by: str | None
    draw_by: str | None
    stability: int
    pixel_size: float | None
    ignore_memory: bool
    device: str
    output: AnyPath | None
    time_limit: float
