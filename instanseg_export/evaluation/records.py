"""What an evaluation found, ready for JSON."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from ..metadata import SettingValue

__all__ = [
    "ALL",
    "Curve",
    "Difference",
    "Estimate",
    "EvaluatedFile",
    "EvaluatedImage",
    "EvaluationData",
    "How",
    "ImageScores",
    "Scores",
    "Stability",
]

ALL = ""
"""The group of all images."""

How = Literal["pooled", "mean"]
"""Of counts summed over images; or the mean of the figures of images."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Estimate(_Record):
    """A figure with its 95 % interval.

    Attributes:
        value: None where there is none.
        low, high: None where there are fewer than two images (or units) to draw from.
    """

    value: float | None
    low: float | None = None
    high: float | None = None


class EvaluatedFile(_Record):
    """A file of the model in a runtime.

    Attributes:
        key: by which other records name it, as in "onnxruntime int8".
        title: what people call it.
        runtime, version, device: that ran it.
        file, sha256, precision: of the model.
        status: "passed" where all images were segmented.
        why: why it was not run, or what failed.
        seconds: of the runs of all images together, without loading.
    """

    key: str
    title: str
    runtime: str
    version: str = ""
    device: str = "cpu"
    file: str = ""
    sha256: str = ""
    precision: str = "fp32"
    status: Literal["passed", "failed", "not run"]
    why: str = ""
    seconds: float = 0.0


class EvaluatedImage(_Record):
    """An image with its label map.

    Attributes:
        name: of the pair.
        group: that tables are split by.
        unit: that is drawn as one for intervals.
        shape: (H, W) or (D, H, W).
        objects: true instances, by structure.
        sha256: of the pixels that the model's channels are taken from.
        labels_sha256: of the label map's values.
        notes: what was assumed of it, as sentences.
    """

    name: str
    group: str
    unit: str
    shape: tuple[int, ...]
    objects: dict[str, int]
    sha256: str = ""
    labels_sha256: str
    notes: tuple[str, ...] = ()


class ImageScores(_Record):
    """What a file found in an image, of one structure.

    Attributes:
        file: its key.
        image: its name.
        structure: as in "nuclei".
        true, found, matched: instances, the last at the chosen IoU.
        scores: figures by key; None where there is none.
        why: why the image was not segmented; then there are no figures.
    """

    file: str
    image: str
    structure: str
    true: int
    found: int = 0
    matched: int = 0
    scores: dict[str, float | None] = {}
    why: str = ""


class Scores(_Record):
    """Figures of a file on a group of images, of one structure.

    Attributes:
        file: its key.
        structure: as in "nuclei".
        group: of images; :data:`ALL` for all of them.
        how: pooled, or the mean over images.
        images: that count.
        true, found, matched: instances in them.
        scores: by key.
    """

    file: str
    structure: str
    group: str
    how: How
    images: int
    true: int
    found: int
    matched: int
    scores: dict[str, Estimate]


class Difference(_Record):
    """How far a file's figures are from those of the first one, on the images that both segmented.

    Attributes:
        file, reference: their keys.
        structure, group, how: as in :class:`Scores`.
        images: that count.
        scores: the file's less the reference's, by key.
    """

    file: str
    reference: str
    structure: str
    group: str
    how: How
    images: int
    scores: dict[str, Estimate]


class Curve(_Record):
    """F1 over IoU thresholds, pooled.

    Attributes:
        file, structure, group: as in :class:`Scores`.
        thresholds: of IoU.
        f1: at each.
    """

    file: str
    structure: str
    group: str
    thresholds: tuple[float, ...]
    f1: tuple[Estimate, ...]


class Stability(_Record):
    """How many instances keep a partner when an image is changed in a way that should change nothing.

    Attributes:
        kind: "shift", "mirror", "brightness" or "tiles".
        title: what was done.
        images: that it was done to.
        objects: instances found in them as they are.
        kept_50, kept_90: shares of these that have a partner of an IoU of at least 0.5 and 0.9, one to one.
        why: why it was not done.
    """

    kind: str
    title: str
    images: int = 0
    objects: int = 0
    kept_50: Estimate = Estimate(value=None)
    kept_90: Estimate = Estimate(value=None)
    why: str = ""


class EvaluationData(_Record):
    """All that one call of :func:`instanseg_export.evaluate` found.

    Attributes:
        model: its name.
        source_sha256: of the checkpoint, where the model says it.
        created: when, in UTC.
        machine: system, processor, cores, versions.
        settings: that were overridden.
        iou: the chosen threshold.
        source: the name of the images' file or folder.
        only: what the index had to say of an image for it to be evaluated, by column.
        grouped_by, drawn_by: what groups and units are, in words.
        files: in the order of tables; the others are compared with the first that ran.
        images: that were evaluated.
        scores, differences, curves: of all files and groups.
        per_image: of all files and images.
        stability: of the first file.
        warnings: what makes the figures doubtful, as sentences.
        notes: what else a reader should know.
    """

    model: str
    source_sha256: str = ""
    created: str
    machine: dict[str, str | int]
    settings: dict[str, SettingValue]
    iou: float
    source: str = ""
    only: dict[str, str] = {}
    grouped_by: str
    drawn_by: str
    files: tuple[EvaluatedFile, ...]
    images: tuple[EvaluatedImage, ...]
    scores: tuple[Scores, ...]
    differences: tuple[Difference, ...]
    curves: tuple[Curve, ...]
    per_image: tuple[ImageScores, ...]
    stability: tuple[Stability, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every file that could be run segmented every image."""
        return all(file.status != "failed" for file in self.files)

    @property
    def structures(self) -> tuple[str, ...]:
        """What was evaluated, as in ("nuclei", "cells")."""
        return tuple(dict.fromkeys(one.structure for one in self.per_image))

    @property
    def first(self) -> EvaluatedFile:
        """The first file that ran."""
        return next(file for file in self.files if file.status != "not run")

    def title_of(self, key: str) -> str:
        """Return what people call a file."""
        return next(file.title for file in self.files if file.key == key)

    def scores_in(self, file: str) -> list[Scores]:
        """Return all rows of figures of a file."""
        return [one for one in self.scores if one.file == file]

    def scores_of(self, file: str, structure: str, group: str, how: How) -> Scores:
        """Return one row of figures."""
        wanted = (file, structure, group, how)
        return next(one for one in self.scores if (one.file, one.structure, one.group, one.how) == wanted)
