"""What a file is: a checkpoint with what can be made of it, or an exported model with what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..archives.torch_archive import is_script_file
from ..checkpoints import Checkpoint, load_checkpoint
from ..errors import CheckpointError, ExportError, PackageError
from ..families.registry import build_forward
from ..metadata import SettingValue
from ..targets import TARGETS, is_artifact, read_metadata, require_available
from ..targets.base import Target
from ..targets.capabilities import require_form
from ..targets.quantization import REDUCED
from ..targets.static import StaticShape
from ..untrusted.boundary import regular_file

if TYPE_CHECKING:
    from ..families.base import SegmentationForward

__all__ = ["CheckpointFacts", "ModelFacts", "inspect"]


@dataclass(frozen=True)
class CheckpointFacts:
    """A checkpoint.

    Attributes:
        path: what was inspected.
        spec: the description of the network (see ``families.spec``), JSON-ready.
        reader: which reader recognised the file.
        sha256: of the file with the weights, in hex.
        architecture: the network in a few words.
        parameters: trained numbers.
        gflop_per_megapixel: thousand million operations of the network for 10^6 pixels.
        inferred: one sentence for each fact that no file states.
        exports_to: targets that this machine can write.
    """

    path: Path
    spec: dict[str, Any]
    reader: str
    sha256: str
    architecture: str
    parameters: int
    gflop_per_megapixel: float
    inferred: tuple[str, ...]
    exports_to: tuple[str, ...]

    @property
    def next_step(self) -> str:
        return f"instanseg-export {self.path}"

    def rows(self) -> list[tuple[str, str]]:
        """Return label and text of each fact, for people."""
        return [
            ("checkpoint of", f"{self.spec['family']}, read as {self.reader}"),
            *_spec_rows(self.spec),
            ("network", self.architecture),
            ("parameters", f"{self.parameters:,}"),
            ("cost", f"{self.gflop_per_megapixel:.1f} GFLOP per megapixel"),
            ("source", f"sha256 {self.sha256[:16]}"),
            ("exports to", ", ".join(self.exports_to)),
        ]


@dataclass(frozen=True)
class ModelFacts:
    """An exported model.

    Attributes:
        path: what was inspected.
        files: exported files in it, by target.
        spec: the description of the network, JSON-ready.
        architecture: the network in a few words.
        settings: the baked-in value of each setting.
        version: of the package that wrote it.
        source_sha256: of the checkpoint that it was made from.
        precision: of a single file's network; fp32 for packages.
        image_shape: (B, C, [D,] H, W) of the only images that a single file takes; None where it takes any size.
        seed_capacity: how many seeds a single file has room for; None for any number.
        changed: files of a package that are not those that its description was written for.
    """

    path: Path
    files: dict[str, str]
    spec: dict[str, Any]
    architecture: str
    settings: dict[str, SettingValue]
    version: str
    source_sha256: str
    precision: str = "fp32"
    image_shape: tuple[int, ...] | None = None
    seed_capacity: int | None = None
    changed: tuple[str, ...] = ()
    inferred: tuple[str, ...] = ()

    @property
    def next_step(self) -> str:
        return f"instanseg-export run {self.path} IMAGE"

    def rows(self) -> list[tuple[str, str]]:
        """Return label and text of each fact, for people."""
        return [
            ("exported model of", str(self.spec["family"])),
            ("files", ", ".join(f"{name} ({target})" for target, name in self.files.items())),
            *_spec_rows(self.spec),
            ("network", self.architecture),
            *([] if self.precision == "fp32" else [("precision", self.precision)]),
            *([] if self.image_shape is None else [("image size", self._capacity())]),
            ("settings", ", ".join(f"{name}={_text(value)}" for name, value in self.settings.items())),
            ("written by", f"instanseg-export {self.version}"),
            ("source", f"sha256 {self.source_sha256[:16]}"),
            *([("changed", f"{', '.join(self.changed)}, since the package was written")] if self.changed else []),
        ]

    def _capacity(self) -> str:
        assert self.image_shape is not None
        size = " x ".join(map(str, self.image_shape[2:]))
        room = "" if self.seed_capacity is None else f", with room for {self.seed_capacity:,} seeds"
        return f"{size} only{room}; all settings are fixed"


def inspect(path: str | Path, *, spec: Mapping[str, str] | None = None) -> CheckpointFacts | ModelFacts:
    """Find out what a file or folder is.

    Args:
        path: a checkpoint of any kind, or a package's folder, its zip, or one exported file.
        spec: for checkpoints: fields of the description that override what the files say.

    Raises:
        CheckpointError: it is neither, or a damaged checkpoint.
        PackageError: it is a damaged model, or one that this package did not write.
    """
    path = Path(path)
    if not path.is_dir():
        regular_file(path, CheckpointError)
    exported = path.suffix != ".pt" and is_artifact(path)  # a .pt can be a checkpoint
    if exported or path.suffix in (".zip", ".onnx") or (path / "rdf.yaml").is_file():
        return _model_facts(path)
    is_torchscript = path.suffix == ".pt" and path.is_file() and is_script_file(path)
    if is_torchscript and read_metadata(path) is not None:  # else others exported it: for us it is a checkpoint
        return _model_facts(path)
    return _checkpoint_facts(path, load_checkpoint(path, spec=spec))


def _checkpoint_facts(path: Path, checkpoint: Checkpoint) -> CheckpointFacts:
    from ..checkpoints.summary import summarise

    summary = summarise(checkpoint)
    return CheckpointFacts(
        path=path,
        spec=checkpoint.spec.model_dump(mode="json"),
        reader=summary.reader,
        sha256=summary.sha256,
        architecture=summary.architecture,
        parameters=summary.parameters,
        gflop_per_megapixel=summary.gflop_per_megapixel,
        inferred=summary.inferred,
        exports_to=_formats(checkpoint),
    )


def _formats(checkpoint: Checkpoint) -> tuple[str, ...]:
    """Name the formats that this machine can write, and that the network can be written in."""
    forward = build_forward(checkpoint)
    static = StaticShape(channels=None if forward.channels else 1)
    return tuple(target.name for target in TARGETS if _writes(target, forward, static))


def _writes(target: Target, forward: SegmentationForward, static: StaticShape) -> bool:
    try:
        require_available(target)
        require_form(target, forward, static)
    except ExportError:
        return False
    return True


def _model_facts(path: Path) -> ModelFacts:
    from ..checkpoints.single_file import parse_spec
    from ..exported_model import open_model

    with open_model(path) as exported:
        if exported.metadata is None:
            raise PackageError(
                f"{path} holds no file that says what it is.",
                hint="Only files that instanseg-export wrote do: export the checkpoint again.",
            )
        names = {target: TARGETS.get(target).filename for target in TARGETS.names()}
        files = {target: file.name for target, name in names.items() if (file := exported.file(name)) is not None}
        if not is_artifact(exported.path):
            files |= {one.name: one.filename for one in REDUCED if exported.file(one.filename) is not None}
        spec = exported.metadata.spec.whole()
        is_package = (exported.path / "rdf.yaml").is_file()
        return ModelFacts(
            path=path,
            files=files,
            spec=spec,
            architecture=parse_spec(spec, path).architecture,
            settings=exported.metadata.baked,
            version=exported.metadata.version,
            source_sha256=exported.metadata.source_sha256,
            precision=exported.metadata.precision,
            image_shape=None if is_package else exported.metadata.image_shape,
            seed_capacity=None if is_package else exported.metadata.seed_capacity,
            changed=exported.changed,
        )


def _spec_rows(spec: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = [
        ("name", str(spec["name"])),
        ("structures", ", ".join(spec["structures"])),
        ("channels", "any number" if spec["channels"] is None else str(spec["channels"])),
        ("pixel size", "unknown" if spec["pixel_size"] is None else f"{spec['pixel_size']:g} µm"),
    ]
    if spec["source_datasets"]:
        rows.append(("trained on", ", ".join(spec["source_datasets"])))
    return rows


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
