"""How a checkpoint is exported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, TypedDict

from cyclopts import Parameter

from ...errors import SettingError
from ..key_values import KeyValues
from .shared import SHOWN, AnyPath, Settings

__all__ = ["ExportKeywords", "ExportOptions"]


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """How a checkpoint is exported.

    Attributes:
        targets: Formats to write (instanseg-export doctor lists them). Default: torchscript and onnx.
        output: Folder of the package; its zip and the report are put inside. Default: a folder named after the model.
        settings: Settings to bake in, as in --set seed_threshold=0.6 min_size=30.
        tta: Bake in test-time augmentation: more objects are found right, in eight times the time.
        spec: What the checkpoint's files do not say or say wrongly, as in --spec pixel_size=0.5.
        card: Name, authors, licence and citation of the model. Default: the card.yaml beside the checkpoint, if any.
        samples: Images that show the model at work: cover, test tensors, comparison of runtimes.
        precision: fp32 (always), fp16 (onnx, coreml) and int8 (onnx; faster on CPUs). Each must find what fp32 finds.
        calibrate: Folder of images for the ranges of int8 and the comparison of precisions. Default: the samples.
        labelled: Folder of images with true label maps (subfolders images and labels) to judge precisions on.
        allow_loss: Package fp16 and int8 files even if they lose more than the tolerance.
        static_size: Height and width, in pixels, of images for static formats (onnx_static, coreml, ...).
        static_seeds: For how many seeds they have room. A crop of 512 x 512 pixels of dense tissue has 400 to 500.
        static_channels: How many channels they take, for networks that take any number.
        overwrite: Replace an existing output of this tool, if nothing in it was added or changed.
        validate: Compare the files in every runtime at the end.

    Raises:
        SettingError: test-time augmentation is asked for twice.
    """

    targets: Sequence[str] = ("torchscript", "onnx")
    output: AnyPath | None = None
    settings: Settings = field(default_factory=dict)
    tta: bool = False
    spec: KeyValues = field(default_factory=dict)
    card: AnyPath | None = None
    samples: Sequence[AnyPath] = ()
    precision: Sequence[str] = ("fp32",)
    calibrate: AnyPath | None = None
    labelled: AnyPath | None = None
    allow_loss: bool = False
    static_size: Annotated[tuple[int, int], SHOWN] = (512, 512)
    static_seeds: Annotated[int, SHOWN] = 1024
    static_channels: int | None = None
    overwrite: bool = False
    validate: Annotated[bool, Parameter(negative="--no-validate")] = True

    def __post_init__(self) -> None:
        if self.tta and "tta" in self.settings:
            raise SettingError("Test-time augmentation is asked for twice.", hint="Give either --tta or --set tta=...")


class ExportKeywords(TypedDict, total=False):
    """The fields of :class:`ExportOptions` as keywords."""

    targets: Sequence[str]
    output: AnyPath | None
    settings: Mapping[str, Any]
    tta: bool
    spec: Mapping[str, Any]
    card: AnyPath | None
    samples: Sequence[AnyPath]
    precision: Sequence[str]
    calibrate: AnyPath | None
    labelled: AnyPath | None
    allow_loss: bool
    static_size: tuple[int, int]
    static_seeds: int
    static_channels: int | None
    overwrite: bool
    validate: bool
