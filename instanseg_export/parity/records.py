"""What a validation found: which runtime found what in which image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ..metadata import SettingValue
from .baseline_records import BaselineRecord
from .compare import Comparison
from .precision_records import PrecisionRecord
from .stages import StageDifference

__all__ = [
    "ImageRecord",
    "Machine",
    "Picture",
    "ReportData",
    "Result",
    "RuntimeRecord",
    "Status",
    "label_of",
    "largest_network_difference",
    "overall",
    "worst",
]

Status = Literal["passed", "failed", "not run"]


def label_of(title: str, device: str) -> str:
    """Return what people call a runtime on a device, by the runtime's title."""
    return title if device == "cpu" else f"{title} on {device}"


def overall(statuses: Iterable[Status]) -> Status:
    """Return "failed" if anything failed, else "passed" if anything passed, else "not run"."""
    seen = set(statuses)
    return "failed" if "failed" in seen else "passed" if "passed" in seen else "not run"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ImageRecord(_Record):
    """An image that was run.

    Attributes:
        name: unique in the report.
        note: what it is.
        shape: (B, C, H, W), or (B, C, D, H, W).
        sha256: of its float32 values in row-major order.
        sample: a picture of something rather than a corner case.
        notes: what its reader assumed or converted, as sentences.
    """

    name: str
    note: str
    shape: tuple[int, ...]
    sha256: str
    sample: bool
    notes: tuple[str, ...] = ()


class RuntimeRecord(_Record):
    """A runtime on a device.

    Attributes:
        name, title, description, target: see ``runtimes.Runtime``.
        device: that it was asked to run on, as in "cpu" or "cuda:1".
        reference: the others are compared with this one.
        exact: False where it rounds on purpose, so that it never fails the report.
        network_only: whether its file holds the network alone, whose output is compared instead of a label map.
        status: of all its images together.
        why: why it was not run, or what failed first.
        install: how to get it; empty where it is there.
        model_sha256: of the file that it ran.
        copied_input: whether it was given copies of the images, since a file of others may write to its input.
        version, hardware: its own and the device's, as it reported them.
        load_s: seconds to load the library and the file.
        peak_mb: the most memory, in MB, that its process held.
    """

    name: str
    title: str
    description: str
    target: str
    device: str = "cpu"
    reference: bool = False
    exact: bool = True
    network_only: bool = False
    status: Status
    why: str = ""
    install: str = ""
    model_sha256: str = ""
    copied_input: bool = False
    version: str = ""
    hardware: str = ""
    load_s: float | None = None
    peak_mb: float | None = None

    @property
    def label(self) -> str:
        """What people call it: its title, and the device where that is not the CPU."""
        return label_of(self.title, self.device)


class Result(_Record):
    """One image in one runtime on one device.

    Attributes:
        runtime, image: their names.
        device: see :class:`RuntimeRecord`.
        status: the reference passes where it gave a label map.
        why: why the image failed or was not run.
        defect: the name of what is wrong with the label map, in plain words.
        first_stage: the first stage of the forward that differs from the reference.
        instances: found, over all images of a batch and all structures.
        comparison: with the reference's label map.
        stages: how the stages compare, where they were read: in samples and where runtimes disagree.
        run_s: seconds per run.
    """

    runtime: str
    device: str = "cpu"
    image: str
    status: Status
    why: str = ""
    defect: str = ""
    first_stage: str | None = None
    instances: int | None = None
    comparison: Comparison | None = None
    stages: tuple[StageDifference, ...] = ()
    run_s: tuple[float, ...] = ()

    @property
    def network_difference(self) -> float | None:
        """The largest difference of the network's raw output; None where it was not read or is not finite."""
        return next((stage.maximum for stage in self.stages if stage.stage == "network"), None)


class Picture(_Record):
    """A picture of one image.

    Attributes:
        image: its name.
        runtime: whose result it shows beside the reference's; None for the reference's alone.
        device: on which that ran.
        caption: what to see, in plain words.
        panels: title and PNG in base64 of each part, from left to right.
    """

    image: str
    runtime: str | None
    device: str = "cpu"
    caption: str
    panels: tuple[tuple[str, str], ...]


class Machine(_Record):
    """Where the report was made."""

    system: str
    processor: str
    cores: int
    python: str
    exporter: str


class ReportData(_Record):
    """All results of one validation.

    Attributes:
        format: of this report.
        model: the name of the package or file.
        source_sha256: of the checkpoint that the files were made from, where they say it.
        created: UTC, ISO 8601.
        settings: that were overridden.
        rule: what agreement means, in one sentence.
        machine: where it was made.
        images, runtimes: that were compared.
        results: one for each runtime, device and image; ``cells`` in JSON.
        pictures: of images where runtimes disagree, and of samples.
        precisions: what files of reduced precision find, which need not agree to the pixel.
        changed: files that are not those for which the package's description was written.
        baseline: what drifted since an earlier report; None where there was none to compare with.
    """

    model_config = ConfigDict(validate_by_name=True, serialize_by_alias=True)

    format: Literal[2] = 2
    model: str
    source_sha256: str = ""
    created: str
    settings: dict[str, SettingValue] = Field(default_factory=dict)
    rule: str
    machine: Machine
    images: tuple[ImageRecord, ...]
    runtimes: tuple[RuntimeRecord, ...]
    results: tuple[Result, ...] = Field(validation_alias="cells", serialization_alias="cells")
    pictures: tuple[Picture, ...] = ()
    precisions: tuple[PrecisionRecord, ...] = ()
    changed: tuple[str, ...] = ()
    baseline: BaselineRecord | None = None

    @property
    def reference(self) -> RuntimeRecord | None:
        """The runtime that the others are compared with; None if none could run the model."""
        return next((runtime for runtime in self.runtimes if runtime.reference), None)

    @property
    def status(self) -> Status:
        """Failed if an image failed in an exact runtime, a precision loses more than it may, a file was changed since
        the package was written or something drifted from the baseline; passed if at least one label map was compared
        and none failed."""
        reference = self.reference
        if self.changed or (self.baseline is not None and self.baseline.drifts):
            return "failed"
        if any(record.status == "failed" and not record.allowed for record in self.precisions):
            return "failed"
        if reference is not None and reference.status == "failed":
            return "failed"
        judged = [one for one in self.runtimes if one.exact and one is not reference]
        if any(one.status == "failed" for one in judged):
            return "failed"
        return overall(one.status for one in judged if not one.network_only)

    @property
    def passed(self) -> bool:
        """Whether at least two runtimes were compared, all agree, and nothing drifted from a baseline."""
        return self.status == "passed"

    def results_of(self, runtime: str, device: str = "cpu") -> list[Result]:
        """Return the results of a runtime on a device, in the order of the images."""
        return [result for result in self.results if (result.runtime, result.device) == (runtime, device)]

    def image(self, name: str) -> ImageRecord:
        """Return the image of that name."""
        return next(image for image in self.images if image.name == name)


def largest_network_difference(results: Sequence[Result]) -> float | None:
    """Return the largest difference of the network's raw output; None where it was not read, or is not finite."""
    differences = [result.network_difference for result in results]
    return max((one for one in differences if one is not None), default=None)


def worst(results: Sequence[Result]) -> Comparison | None:
    """Return the comparison with the most differing pixels in a million, or None."""
    compared = [result.comparison for result in results if result.comparison is not None]
    return max(compared, key=lambda comparison: comparison.ppm, default=None)
