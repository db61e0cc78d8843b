"""What can be chosen for each verb: fields of a frozen object, keywords of a function and flags of a command at once.

The command line takes names, types, defaults and help from the classes below. Beside each stands a ``...Keywords``, by
which editors and type checkers know the same options as keywords; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from cyclopts import Parameter

from ..errors import SettingError
from ..inference.image_options import Channel, ImageOptions
from ..inference.tile_options import TileOptions
from ..untrusted.numbers import check_number, check_time_limit
from .key_values import KeyValues

if TYPE_CHECKING:
    AnyPath = str | Path
else:
    AnyPath = Path  # what the command line makes of a word

__all__ = [
    "BenchKeywords",
    "BenchOptions",
    "ExportKeywords",
    "ExportOptions",
    "RunKeywords",
    "RunOptions",
    "ValidateKeywords",
    "ValidateOptions",
]

_Settings = Annotated[KeyValues, Parameter(name="--set")]
_SHOWN = Parameter(show_default=True)


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
    settings: _Settings = field(default_factory=dict)
    tta: bool = False
    spec: KeyValues = field(default_factory=dict)
    card: AnyPath | None = None
    samples: Sequence[AnyPath] = ()
    precision: Sequence[str] = ("fp32",)
    calibrate: AnyPath | None = None
    labelled: AnyPath | None = None
    allow_loss: bool = False
    static_size: Annotated[tuple[int, int], _SHOWN] = (512, 512)
    static_seeds: Annotated[int, _SHOWN] = 1024
    static_channels: int | None = None
    overwrite: bool = False
    validate: Annotated[bool, Parameter(negative="--no-validate")] = True

    def __post_init__(self) -> None:
        if self.tta and "tta" in self.settings:
            raise SettingError("Test-time augmentation is asked for twice.", hint="Give either --tta or --set tta=...")


@dataclass(frozen=True, kw_only=True)
class RunOptions(ImageOptions, TileOptions):
    """How images are segmented.

    Attributes:
        output: Folder of the results. Default: the current folder.
        overwrite: Replace existing results of this tool for the same image, if they were not changed.
        settings: Settings to override, as in --set seed_threshold=0.6.
        device: cpu, cuda, cuda:1 or mps.
        runtime: What runs the model (instanseg-export doctor lists them). Default: one that fits.
        time_limit: Seconds that the runtime may take for one image.
        trust: Run a program (.pt, .pt2) that instanseg-export did not write. It can read and write your files.

    Raises:
        ImageError: the pixel size is no length.
        SettingError: the time limit is none, or a number of tiles is out of range.
    """

    output: AnyPath | None = None
    overwrite: bool = False
    settings: _Settings = field(default_factory=dict)
    device: Annotated[str, _SHOWN] = "cpu"
    runtime: str | None = None
    time_limit: Annotated[float, _SHOWN] = 3600.0
    trust: bool = False

    def __post_init__(self) -> None:
        ImageOptions.__post_init__(self)
        TileOptions.__post_init__(self)
        check_time_limit(self.time_limit)


@dataclass(frozen=True, kw_only=True)
class _InEveryRuntime:
    """What ``validate`` and ``bench`` share.

    Attributes:
        channels: Channels of your images that the model sees, by number from 1 or by name, in its order. Default: all.
        runtimes: Runtimes to use (instanseg-export doctor lists them). Default: all that are here.
        settings: Settings to override at run time, as in --set seed_threshold=0.6.
        trust: Run programs (.pt, .pt2) that instanseg-export did not write. They can read and write your files.
        overwrite: Replace an existing output of this tool, if nothing in it was added or changed.
    """

    channels: Sequence[Channel] = ()
    runtimes: Sequence[str] = ()
    settings: _Settings = field(default_factory=dict)
    trust: bool = False
    overwrite: bool = False


@dataclass(frozen=True, kw_only=True)
class ValidateOptions(_InEveryRuntime):
    """How the runtimes are compared.

    Attributes:
        devices: Devices to use, as in --devices cpu cuda mps; also cuda:1. All are compared with a run on the CPU.
        output: Folder for report.json, report.md and report.html.
        time_limit: Seconds that a runtime may take for one image.

    Raises:
        SettingError: there is no device, or the time limit is none.
    """

    devices: Annotated[Sequence[str], _SHOWN] = ("cpu",)
    output: AnyPath | None = None
    time_limit: Annotated[float, _SHOWN] = 120.0

    def __post_init__(self) -> None:
        check_time_limit(self.time_limit)
        if isinstance(self.devices, str) or not all(self.devices) or not self.devices:
            raise SettingError(f"{self.devices!r} is no list of devices.", hint='Give a list, as in ["cpu", "cuda"].')


@dataclass(frozen=True, kw_only=True)
class BenchOptions(_InEveryRuntime):
    """How models are measured.

    Attributes:
        device: cpu, cuda, cuda:1 or mps.
        size: Draw an image of crowded nuclei, of so many pixels in height and width.
        objects: About how many nuclei to draw.
        threads: For each runtime. Default: all cores, or what OMP_NUM_THREADS says.
        turns: Counted runs of each row, in turns, each in a fresh process that has warmed up.
        output: Folder for bench.json and a bar chart, bench.png.
        time_limit: Seconds that a runtime may take for one image in one turn, warming up included.

    Raises:
        SettingError: the number of threads or turns, or the time limit, is out of range.
    """

    device: Annotated[str, _SHOWN] = "cpu"
    size: int | None = None
    objects: int | None = None
    threads: int | None = None
    turns: Annotated[int, _SHOWN] = 3
    output: AnyPath | None = None
    time_limit: Annotated[float, _SHOWN] = 600.0

    def __post_init__(self) -> None:
        check_number("number of threads", self.threads, 1, 4096)
        check_number("number of turns", self.turns, 1, 10_000)
        check_time_limit(self.time_limit)


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


class RunKeywords(TypedDict, total=False):
    """The fields of :class:`RunOptions` as keywords."""

    pixel_size: float | None
    channels: Sequence[Channel]
    region: tuple[int, int, int, int] | None
    polygons: Sequence[str]
    table: str | None
    label_format: str | None
    ignore_memory: bool
    tiled: bool
    tile: int | None
    halo: int | None
    annotation: AnyPath | None
    tissue: bool
    workers: int | None
    scheduler: str | None
    resume: bool
    strict: bool
    keep_tiles: bool
    output: AnyPath | None
    overwrite: bool
    settings: Mapping[str, Any]
    device: str
    runtime: str | None
    time_limit: float
    trust: bool


class _InEveryRuntimeKeywords(TypedDict, total=False):
    channels: Sequence[Channel]
    runtimes: Sequence[str]
    settings: Mapping[str, Any]
    trust: bool
    overwrite: bool


class ValidateKeywords(_InEveryRuntimeKeywords, total=False):
    """The fields of :class:`ValidateOptions` as keywords."""

    devices: Sequence[str]
    output: AnyPath | None
    time_limit: float


class BenchKeywords(_InEveryRuntimeKeywords, total=False):
    """The fields of :class:`BenchOptions` as keywords."""

    device: str
    size: int | None
    objects: int | None
    threads: int | None
    turns: int
    output: AnyPath | None
    time_limit: float
