"""What reduced precision costs: instances of a file compared with those of the fp32 file, and with true labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from ..errors import ParityError
from ..evaluation.metrics import F1_MU_THRESHOLDS, Counts, count_pairs
from ..files import scratch_folder, sha256_of
from ..metadata import SettingValue
from ..progress import Steps
from ..runtimes.description import Runtime
from ..runtimes.probe import probe
from ..runtimes.process import run_runtime
from ..runtimes.selection import preferred_runtimes
from ..targets import target_of
from .compare import compare_planes

__all__ = [
    "FEWEST_MATCHED",
    "MOST_LOST",
    "RULE",
    "PrecisionFiles",
    "PrecisionRecord",
    "Score",
    "compare_precisions",
    "keeps",
    "require_kept",
]

Labels = npt.NDArray[np.int64]

MOST_LOST = 0.005
"""Against true labels, F1µ may be lower than that of fp32 by this much."""

FEWEST_MATCHED = 0.97
"""Without true labels, at least this share of the instances of both files must be pairs with an IoU of 0.5."""

RULE = (
    f"A file of reduced precision passes when its F1µ against true labels is at most {MOST_LOST} below that of fp32; "
    f"without true labels, when at least {FEWEST_MATCHED:.0%} of the instances that it and fp32 find are matched pairs "
    f"(IoU 0.5), or all but one."
)

_TIME_LIMIT = 600.0


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Score(_Record):
    """How well label maps agree with others, over all images together.

    Attributes:
        f1_mu: the mean of F1 over IoU thresholds from 0.5 to 0.9.
        f1_50: F1 at an IoU of 0.5.
    """

    f1_mu: float
    f1_50: float


class PrecisionRecord(_Record):
    """What a file of reduced precision finds.

    Attributes:
        precision: "fp16" or "int8".
        file, sha256, size: of the file; its size in bytes.
        calibration_images, calibration_sha256: of the images that int8 was calibrated on; 0 and empty for others.
        runtime: in which it was run: the title of one beside ONNX Runtime; empty for ONNX Runtime itself.
        version: of that.
        images: on which it was compared with fp32.
        source: what these are, in plain words.
        fp32_instances, instances: found in them.
        matched: pairs of an instance of each with an IoU of at least 0.5.
        agreement: with fp32's label maps in the place of true ones; None where neither finds anything.
        labelled_images: with true labels; 0 where none were given.
        fp32_score, score: of fp32 and of this file against true labels.
        status: by :data:`RULE`.
        why: why it failed, with figures.
        allowed: whether it was packaged all the same, since the user said so.
    """

    precision: str
    file: str
    sha256: str
    size: int
    calibration_images: int = 0
    calibration_sha256: str = ""
    runtime: str = ""
    version: str = ""
    images: int = 0
    source: str = ""
    fp32_instances: int = 0
    instances: int = 0
    matched: int = 0
    agreement: Score | None = None
    labelled_images: int = 0
    fp32_score: Score | None = None
    score: Score | None = None
    status: Literal["passed", "failed"]
    why: str = ""
    allowed: bool = False

    @property
    def matched_share(self) -> float | None:
        """Instances in matched pairs, of all that the two files find; None where they find nothing."""
        total = self.fp32_instances + self.instances
        return 2 * self.matched / total if total else None

    @property
    def delta_f1_mu(self) -> float | None:
        """F1µ against true labels less that of fp32; None without true labels."""
        return None if self.score is None or self.fp32_score is None else self.score.f1_mu - self.fp32_score.f1_mu

    @property
    def delta_f1_50(self) -> float | None:
        """F1 at an IoU of 0.5 against true labels less that of fp32; None without true labels."""
        return None if self.score is None or self.fp32_score is None else self.score.f1_50 - self.fp32_score.f1_50


@dataclass(frozen=True)
class PrecisionFiles:
    """The files to compare and what to compare them on.

    Attributes:
        reference: the fp32 file.
        files: precision to file.
        images: (C, H, W) each; without labels.
        source: what they are, in plain words.
        labelled: pairs of an image (C, H, W) and its true label maps (T, H, W).
    """

    reference: Path
    files: Mapping[str, Path]
    images: Sequence[npt.NDArray[Any]]
    source: str
    labelled: Sequence[tuple[npt.NDArray[Any], Labels]] = ()


def compare_precisions(
    compared: PrecisionFiles,
    *,
    allow_loss: bool = False,
    settings: Mapping[str, SettingValue] | None = None,
    steps: Steps | None = None,
) -> tuple[PrecisionRecord, ...]:
    """Run the fp32 file and the others in ONNX Runtime, in processes of their own, and compare what they find.

    The others are also run in each further runtime here whose description says that it judges precisions, and are
    compared with fp32 in ONNX Runtime there too; one that does not take such a file has no record.

    Args:
        compared: files and images.
        allow_loss: note in the records that a file may fail.
        settings: values to override in all files, by name.
        steps: counts the images that were run.

    Raises:
        ParityError: the fp32 file gives no label map for an image.
    """
    images = [*compared.images, *(image for image, _ in compared.labelled)]
    truths = [truth for _, truth in compared.labelled]
    with scratch_folder() as folder:
        steps = steps or Steps()
        runtimes = _runtimes(compared.reference)
        steps.expect(len(images) * (1 + len(compared.files) * len(runtimes)))
        runners = [_Runner(one, folder, images, settings or {}, steps) for one in runtimes]
        expected = runners[0].run(compared.reference)
        missing = next((error for error in expected.labels if isinstance(error, str)), None)
        if missing is not None:
            raise ParityError(
                f"{compared.reference.name} failed in ONNX Runtime: {missing}.",
                hint="instanseg-export doctor shows what this machine has.",
            )
        reference = [labels for labels in expected.labels if not isinstance(labels, str)]
        records = []
        for precision, file in compared.files.items():
            for runner in runners:
                found = runner.run(file)
                first = runner is runners[0]
                if found.refused and not first:
                    continue
                facts = _record_of(precision, file, found.version or expected.version, allow_loss)
                facts = facts.model_copy(update={"runtime": "" if first else runner.title})
                failed = next((error for error in found.labels if isinstance(error, str)), None)
                if failed is not None:
                    why = f"it failed in {runner.title}: {failed}"
                    records.append(facts.model_copy(update={"status": "failed", "why": why}))
                    continue
                labels = [one for one in found.labels if not isinstance(one, str)]
                records.append(_compared(facts, compared.source, reference, labels, truths))
        return tuple(records)


def _runtimes(reference: Path) -> list[Runtime]:
    """Return ONNX Runtime, and the further runtimes here that judge precisions."""
    target = target_of(reference).name
    first, *others = (one for one in preferred_runtimes("cpu") if one.target == target)
    return [first, *(one for one in others if one.judges_precisions and not probe(one))]


@dataclass(frozen=True)
class _Found:
    """What a file finds: the label map (1, T, H, W) of each image, or why there is none.

    Attributes:
        version: of the runtime.
        refused: whether the runtime does not take the file.
    """

    labels: list[Labels | str]
    version: str
    refused: bool


class _Runner:
    """The images as files, and a runtime."""

    def __init__(
        self,
        runtime: Runtime,
        folder: Path,
        images: Sequence[npt.NDArray[Any]],
        settings: Mapping[str, SettingValue],
        steps: Steps,
    ) -> None:
        self._settings = settings
        self._runtime = runtime
        self.title = runtime.title
        self._folder = folder
        self._steps = steps
        self._inputs = [folder / f"image-{index:04d}.npy" for index in range(len(images))]
        for path, image in zip(self._inputs, images, strict=True):
            np.save(path, np.ascontiguousarray(image[None], dtype=np.float32), allow_pickle=False)

    def run(self, model: Path) -> _Found:
        outputs = [
            self._folder / f"{self._runtime.name}-{model.stem}-{index:04d}.npz" for index in range(len(self._inputs))
        ]
        count = len(outputs)
        outcomes = run_runtime(
            self._runtime,
            model,
            self._inputs,
            outputs,
            time_limit=_TIME_LIMIT,
            settings=self._settings,
            on_image=lambda place: self._steps.end(f"{model.name}: image {place + 1} of {count}"),
        )
        found: list[Labels | str] = []
        for outcome in outcomes:
            try:
                found.append(outcome.labels())
            except ValueError as error:
                found.append(str(error))
        return _Found(found, outcomes[0].version, refused=all(outcome.unavailable for outcome in outcomes))


def _record_of(precision: str, file: Path, version: str, allow_loss: bool) -> PrecisionRecord:
    """Return what is known of a file before it is compared."""
    from ..targets import require_metadata

    calibration = require_metadata(file).calibration
    return PrecisionRecord(
        precision=precision,
        file=file.name,
        sha256=sha256_of(file),
        size=file.stat().st_size,
        calibration_images=calibration.images if calibration else 0,
        calibration_sha256=calibration.sha256 if calibration else "",
        version=version,
        status="passed",
        allowed=allow_loss,
    )


def _compared(
    record: PrecisionRecord,
    source: str,
    reference: Sequence[Labels],
    found: Sequence[Labels],
    truths: Sequence[Labels],
) -> PrecisionRecord:
    """Complete a record by what comparing the file's label maps with those of fp32, and with true ones, gives."""
    agreement, counts = _score(found, reference)
    row = record.model_copy(
        update={
            "images": len(found),
            "source": source,
            "fp32_instances": counts.true_positives + counts.false_negatives,
            "instances": counts.true_positives + counts.false_positives,
            "matched": counts.true_positives,
            "agreement": agreement,
        }
    )
    if truths:
        first = len(found) - len(truths)
        row = row.model_copy(
            update={
                "labelled_images": len(truths),
                "fp32_score": _score(reference[first:], [truth[None] for truth in truths])[0],
                "score": _score(found[first:], [truth[None] for truth in truths])[0],
            }
        )
    why = _loss(row)
    return row.model_copy(update={"status": "failed" if why else "passed", "why": why})


def _score(found: Sequence[Labels], truth: Sequence[Labels]) -> tuple[Score | None, Counts]:
    """Return the scores over all images together, None where there is nothing at all, and the counts at IoU 0.5."""
    totals = [Counts() for _ in F1_MU_THRESHOLDS]
    for labels, expected in zip(found, truth, strict=True):
        pairs, _ = compare_planes(labels, expected)
        totals = [
            total + count_pairs(pairs, threshold) for total, threshold in zip(totals, F1_MU_THRESHOLDS, strict=True)
        ]
    counts = totals[0]
    if not counts.true_positives + counts.false_positives + counts.false_negatives:
        return None, counts
    return Score(f1_mu=float(np.mean([total.f1 for total in totals])), f1_50=counts.f1), counts


def _loss(record: PrecisionRecord) -> str:
    """Return what is lost beyond the tolerance, with figures; empty where nothing is."""
    if record.fp32_score is not None and record.score is not None:
        lost = record.fp32_score.f1_mu - record.score.f1_mu
        if lost <= MOST_LOST:
            return ""
        return (
            f"F1µ against the labels of {record.labelled_images} images falls from {record.fp32_score.f1_mu:.4f} to "
            f"{record.score.f1_mu:.4f}, by {lost:.4f}; the tolerance is {MOST_LOST}"
        )
    if record.matched_share is None:
        return f"neither fp32 nor {record.precision} finds anything in {record.source}, so that nothing can be compared"
    if keeps(record.fp32_instances, record.instances, record.matched):
        return ""
    return (
        f"only {record.matched_share:.1%} of the instances that it ({record.instances}) and fp32 "
        f"({record.fp32_instances}) find in {record.source} are matched pairs; the tolerance is {FEWEST_MATCHED:.0%}"
    )


def keeps(expected: int, found: int, matched: int) -> bool:
    """Tell whether enough of two sets of instances are matched pairs: nearly all, or all but one."""
    return expected + found - 2 * matched <= 1 or 2 * matched >= FEWEST_MATCHED * (expected + found)


def require_kept(records: Sequence[PrecisionRecord]) -> None:
    """Refuse files that lose more than the tolerance in ONNX Runtime.

    Raises:
        ParityError: with the figures of each that fails and is not allowed to.
    """
    judged = [record for record in records if not record.runtime]
    failed = [record for record in judged if record.status == "failed" and not record.allowed]
    if not failed:
        return
    remedies = ["leave that precision out", "--allow-loss packages it all the same"]
    if any(record.calibration_images for record in failed):
        remedies.insert(0, "calibrate on more images of the kind that the model is made for (--calibrate FOLDER)")
    if any(record.score is None for record in failed):
        remedies.insert(0, "judge it on images with true labels (--labelled FOLDER)")
    hint = "; ".join(remedies)
    raise ParityError(
        " ".join(f"{record.precision} loses too much: {record.why}." for record in failed),
        hint=f"{hint[0].upper()}{hint[1:]}.",
    )
