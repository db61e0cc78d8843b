"""What an exported file says of itself: written once per export, parsed once per file, typed from then on."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_serializer,
    model_validator,
)

from .errors import PackageError
from .limits import MAX_IMAGE_CHANNELS, MAX_METADATA_BYTES, MAX_PIXEL_SIZE, MAX_STRUCTURES, MIN_PIXEL_SIZE
from .metadata_history import brought_up
from .untrusted.boundary import first_problem, parsing, plain
from .untrusted.json_texts import load_json_text

__all__ = [
    "FOREIGN",
    "FORMAT",
    "INCOMPLETE",
    "LABELS",
    "METADATA_FILE",
    "METADATA_KEY",
    "NETWORK",
    "SEED_COUNT",
    "STRUCTURES",
    "Axis",
    "Calibration",
    "Contract",
    "Decides",
    "ModelMetadata",
    "OutputFacts",
    "Role",
    "SettingRow",
    "SettingValue",
    "SpecFacts",
    "parse_metadata",
]

FORMAT = 2
"""Rises when a reader of older metadata would misunderstand newer. Older ones are brought up to it while parsing."""

METADATA_KEY = "instanseg_export"
"""Name of the metadata property in an ONNX file."""

METADATA_FILE = f"{METADATA_KEY}.json"
"""Name of the extra file with the metadata in a TorchScript archive."""

LABELS = "instance_segmentation"
"""Name of every file's first output. Among the stages it is called "labels"."""

NETWORK = "network"
"""Name of the only output of a file that holds the network alone, and of the stage that it equals."""

Role = Literal["labels", "masks", "images", "scores", "classes", "rows", "semantic", "network", "other"]
"""What an output is for, whatever its name: label maps; whole masks that may overlap, the place in the batch, the score
and the class of each; further numbers for each label; a map of classes; what the network gives, before it is decoded;
or something that no later station uses."""

SEED_COUNT, INCOMPLETE = "seed_count", "incomplete"
"""Outputs of files of a fixed capacity: how many seeds an image has, (1,) float32; and (1,) float32, 0 where the labels
are complete, else the sum of 1 if there was no room for all seeds, and 2 if a loop did not come to its end."""

Axis = Literal["batch", "instance", "channel", "z", "y", "x"]

Decides = Literal["values", "graph", "forward"]
"""What a setting changes; see :class:`families.settings.Setting`."""

STRUCTURES = AliasChoices("structures", "targets")
"""Names of the field that says what is segmented. We write the first; older files have the second."""

SettingValue = bool | int | float | str | tuple[int, ...]

_LONGEST_WORDS = 512
_WHAT = "its description of itself"
_AGAIN = "Export the checkpoint again, or get the file again from its publisher."
_MAPS: tuple[Axis, ...] = ("batch", "channel", "y", "x")
_ROWS: tuple[Axis, ...] = ("batch", "instance", "channel")


def _words(text: str) -> str:
    """Free text of a file, which ends on terminals and in documents."""
    return plain(text, _LONGEST_WORDS)


Words = Annotated[str, Field(max_length=10 * _LONGEST_WORDS), AfterValidator(_words)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,63}$")]
Sha256 = Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]
Length = Annotated[float, Field(ge=MIN_PIXEL_SIZE, le=MAX_PIXEL_SIZE)]
"""In micrometres."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SettingRow(_Part):
    """One setting, as a file describes it; see :class:`families.settings.Setting`.

    Attributes:
        name: as clients send it.
        kind: how its value is written; "flags" is a list of 0 and 1, one per structure.
        help: one sentence with the unit.
        minimum, maximum: inclusive range of numbers; None for other kinds.
        choices: of a choice; at run time it is a number, the place in this list.
        decides: what it changes.
        fixed: whether this file does.
    """

    name: Name
    kind: Literal["float", "int", "bool", "choice", "flags"]
    help: Words
    minimum: int | float | None = None
    maximum: int | float | None = None
    choices: tuple[Words, ...] = ()
    decides: Decides = "values"
    fixed: bool = False

    def fits(self, value: SettingValue) -> bool:
        """Tell whether a value is of this kind and in range."""
        if self.kind == "bool":
            return isinstance(value, bool)
        if self.kind == "choice":
            return value in self.choices
        if self.kind == "flags":
            return isinstance(value, tuple) and bool(value) and set(value) <= {0, 1}
        if isinstance(value, bool) or not isinstance(value, int if self.kind == "int" else int | float):
            return False
        low = -math.inf if self.minimum is None else self.minimum
        high = math.inf if self.maximum is None else self.maximum
        return low <= value <= high


class OutputFacts(_Part):
    """One output of a file.

    Attributes:
        name: as clients know it.
        role: what it is for.
        axes: of the tensor; "instance" stands for rows: row r belongs to label r + 1.
        columns: what each column of the axis "channel" is; empty where they are the image's own channels.
        values: what each value from 0 on means, where values are numbers of classes.
    """

    name: Name
    role: Role
    axes: tuple[Axis, ...] = ()
    columns: tuple[Words, ...] = ()
    values: tuple[Words, ...] = ()

    @property
    def per_label(self) -> bool:
        """Whether it has a row for each label of an image."""
        return self.axes == _ROWS


class Calibration(_Part):
    """The images that a file of reduced precision was calibrated on.

    Attributes:
        images: how many.
        sha256: of them.
    """

    images: int = Field(ge=0)
    sha256: Sha256


class SpecFacts(BaseModel):
    """The description of the network: what later stations need is typed, the family's own fields are kept beside it.

    Attributes:
        family: name of the family.
        name: of the model.
        structures: what is segmented, in the order of the label map's channels.
        channels: of the image; None where any number is taken.
        pixel_size: in micrometres; None when unknown.
        slice_distance: in micrometres, of models of volumes; None when unknown.
        classes: names of the classes of objects, of families that have them.
        source_datasets: names of the training data.
    """

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)

    family: Name
    name: Words
    structures: tuple[Words, ...] = Field(validation_alias=STRUCTURES, min_length=1, max_length=MAX_STRUCTURES)
    channels: int | None = Field(ge=1, le=MAX_IMAGE_CHANNELS)
    pixel_size: Length | None = None
    slice_distance: Length | None = None
    classes: tuple[Words, ...] = ()
    source_datasets: tuple[Words, ...] = ()

    def whole(self) -> dict[str, Any]:
        """Return all fields as the file has them, from which the family rebuilds its own description."""
        return self.model_dump(mode="json", exclude_unset=True)


@dataclass(frozen=True)
class Contract:
    """What a caller of an exported file has to know of it. The defaults are what holds for files of others.

    Attributes:
        dimensions: spatial axes of the image, 2 or 3.
        channels: of the image; None where any number is taken, or nobody says.
        structures: names of the label map's channels; empty where nobody says.
        pixel_size, slice_distance: in micrometres, of images as the model wants them; None when unknown.
        outputs: in the order in which a call returns them.
        paired_by: see :class:`ModelMetadata`.
    """

    dimensions: int = 2
    channels: int | None = None
    structures: tuple[str, ...] = ()
    pixel_size: float | None = None
    slice_distance: float | None = None
    outputs: tuple[OutputFacts, ...] = (OutputFacts(name=LABELS, role="labels", axes=_MAPS),)
    paired_by: str | None = None

    def output(self, role: Role) -> OutputFacts | None:
        """Return the output of a role, or None."""
        return next((output for output in self.outputs if output.role == role), None)

    @property
    def per_label(self) -> tuple[OutputFacts, ...]:
        """The outputs that have a row for each label."""
        return tuple(output for output in self.outputs if output.per_label)


FOREIGN = Contract()
"""What is known of a file that this package did not write: others export models with the same name and first output."""


class ModelMetadata(_Part):
    """What an exported file says of itself.

    Attributes:
        format: of this description, :data:`FORMAT`.
        version: of the package that wrote the file.
        target: the format of the file.
        dimensions: spatial axes of the image, 2 or 3.
        spec: of the network.
        source_sha256: of the checkpoint.
        baked: the value of each setting that was baked in; "settings" in the file.
        setting_rows: what can be set, in the order of people's tables; "tunables" in the file.
        outputs: in the order in which a call returns them; the first one is the label map, unless the file holds the
            network alone: that gives :data:`NETWORK` and nothing else.
        stages: for each intermediate result the tensor in the graph; empty in TorchScript, which has a method for them.
        precision: of the network.
        calibration: of int8.
        convolves_after_network: whether there are convolutions in post-processing too, so that the network's end cannot
            be told by the last one.
        graph_sha256: of the bytes of an ONNX file's graph; empty where the format checks its own bytes.
        image_shape: (B, C, [D,] H, W) of the only images that the file takes; None where it takes images of any size.
        paired_by: the setting that gives a nucleus and its cell one label; None where structures are never matched.
        seed_capacity: how many seeds the file has room for; None where that is any number.
    """

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    format: Literal[2] = 2
    version: Words
    target: Name
    dimensions: Literal[2, 3]
    spec: SpecFacts
    source_sha256: Sha256
    baked: dict[Name, SettingValue] = Field(validation_alias="settings", serialization_alias="settings")
    setting_rows: tuple[SettingRow, ...] = Field(
        validation_alias="tunables", serialization_alias="tunables", max_length=256
    )
    outputs: tuple[OutputFacts, ...] = Field(min_length=1, max_length=64)
    stages: dict[Name, Words] = Field(default_factory=dict)
    precision: Literal["fp32", "fp16", "int8"] = "fp32"
    calibration: Calibration | None = None
    convolves_after_network: bool = False
    graph_sha256: Sha256 = ""
    image_shape: tuple[Annotated[int, Field(ge=1)], ...] | None = None
    paired_by: Name | None = None
    seed_capacity: Annotated[int, Field(ge=1)] | None = None

    @field_serializer("spec")
    def _whole_spec(self, spec: SpecFacts) -> dict[str, Any]:
        return spec.whole()

    @model_validator(mode="after")
    def _is_whole(self) -> ModelMetadata:
        rows = {row.name: row for row in self.setting_rows}
        if len(rows) != len(self.setting_rows):
            raise ValueError("a setting is described twice")
        if set(rows) != set(self.baked):
            odd = sorted(set(rows) ^ set(self.baked))
            raise ValueError(f"settings and their descriptions do not have the same names: {', '.join(odd[:5])}")
        for name, value in self.baked.items():
            if not rows[name].fits(value):
                raise ValueError(f"the setting {name} cannot be {value!r:.60}")
        if self.paired_by is not None and (self.paired_by not in rows or rows[self.paired_by].kind != "bool"):
            raise ValueError(f"labels cannot be paired by {self.paired_by!r}, which is no setting that is on or off")
        names = [output.name for output in self.outputs]
        if len(set(names)) != len(names):
            raise ValueError("an output is described twice")
        first = names[0], self.outputs[0].role
        if first != (LABELS, "labels") and (len(names) > 1 or first != (NETWORK, "network")):
            raise ValueError(f"the first output is not {LABELS}")
        if self.image_shape is not None and len(self.image_shape) != self.dimensions + 2:
            raise ValueError(f"an image of {self.dimensions} dimensions has not {len(self.image_shape)} axes")
        return self

    @property
    def whole(self) -> bool:
        """Whether the file gives label maps; otherwise it holds the network alone."""
        return self.outputs[0].role == "labels"

    @property
    def contract(self) -> Contract:
        """What a caller has to know."""
        return Contract(
            dimensions=self.dimensions,
            channels=self.spec.channels,
            structures=self.spec.structures,
            pixel_size=self.spec.pixel_size,
            slice_distance=self.spec.slice_distance,
            # How full a file of fixed capacity was is its own, and no result of the model.
            outputs=tuple(output for output in self.outputs if output.name not in (SEED_COUNT, INCOMPLETE)),
            paired_by=self.paired_by,
        )

    def text(self) -> str:
        """Return it as the text that is embedded in a file."""
        return json.dumps(self.model_dump(mode="json", by_alias=True))


def parse_metadata(text: str | bytes, path: Path) -> ModelMetadata:
    """Read what a file says of itself.

    Args:
        text: as it was embedded.
        path: of the file, as the user named it.

    Raises:
        PackageError: it is damaged, of a newer format, or says what cannot be.
    """
    content = load_json_text(text, path, _WHAT, PackageError, hint=_AGAIN, limit=MAX_METADATA_BYTES)
    with parsing(path, _WHAT, PackageError, hint=_AGAIN):
        written = content.get("format") if isinstance(content, dict) else None
        if isinstance(written, bool) or not isinstance(written, int):
            raise ValueError("it does not say which format it has")
        if written > FORMAT:
            raise PackageError(
                f"{path} was written by a newer version ({plain(content.get('version'), 40)}).",
                hint="Update instanseg-export.",
            )
        try:
            # As JSON, where a list is a tuple but "3" is no number.
            return ModelMetadata.model_validate_json(json.dumps(brought_up(content)), strict=True)
        except ValidationError as error:
            raise ValueError(first_problem(error)) from None
