"""What reduced precision costs: instances of a file compared with those of the fp32 file, and with true labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ParityError
from ..evaluation.metrics import F1_MU_THRESHOLDS, Counts, count_pairs
from ..files import scratch_folder, sha256_of, size_of
from ..metadata import SettingValue
from ..progress import Steps
from ..runtimes.description import Runtime
from ..runtimes.probe import probe
from ..runtimes.process import run_runtime
from ..runtimes.selection import preferred_runtimes
from ..targets import target_of
from .compare import compare_planes
from .precision_records import FEWEST_MATCHED, MOST_LOST, PrecisionRecord, Score, keeps

__all__ = ["PrecisionFiles", "compare_precisions"]

Labels = npt.NDArray[np.int64]

_TIME_LIMIT = 600.0

_UNNAMED = "onnxruntime"
"""The runtime that records do not name."""


@dataclass(frozen=True)
class PrecisionFiles:
    """The files to compare and what to compare them on.

    Attributes:
        reference: the fp32 file.
        files: precision to file.
        images: (C, H, W) each, of sizes that the files take; without labels.
        source: what they are, in plain words.
        labelled: pairs of an image (C, H, W) and its true label maps (T, H, W). Where these are smaller, the image was
            enlarged from their size, and only what is found in its upper left part is held against them.
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
    """Run the fp32 file and the others in one runtime, in processes of their own, and compare what they find.

    It is the first one here that takes such files: for ONNX files ONNX Runtime. The others are also run in each further
    runtime here whose description says that it judges precisions, and are compared with fp32 in the first one there
    too; one that does not take such a file has no record. Where no runtime takes such files, a record says so.

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
        runtimes, lacking = _runtimes(compared.reference)
        if lacking:
            return tuple(_not_run(compared, precision, lacking, allow_loss) for precision in compared.files)
        steps.expect(len(images) * (1 + len(compared.files) * len(runtimes)))
        runners = [_Runner(one, folder, images, settings or {}, steps) for one in runtimes]
        expected = runners[0].run(compared.reference)
        missing = next((error for error in expected.labels if isinstance(error, str)), None)
        if missing is not None:
            raise ParityError(
                f"{compared.reference.name} failed in {runtimes[0].title}: {missing}.",
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
                shown = {"runtime": runner.shown, "reference_runtime": runners[0].shown}
                facts = facts.model_copy(update={**shown, "reference": compared.reference.name})
                failed = next((error for error in found.labels if isinstance(error, str)), None)
                if failed is not None:
                    why = f"it failed in {runner.title}: {failed}"
                    records.append(facts.model_copy(update={"status": "failed", "why": why}))
                    continue
                labels = [one for one in found.labels if not isinstance(one, str)]
                records.append(_compared(facts, compared.source, reference, labels, truths))
        return tuple(records)


def _runtimes(reference: Path) -> tuple[list[Runtime], str]:
    """Return the first runtime here that takes the file, and the further ones that judge precisions; or what lacks."""
    target = target_of(reference).name
    fitting = [one for one in preferred_runtimes("cpu") if one.target == target]
    lacking = {one.name: probe(one) for one in fitting}
    ready = [one for one in fitting if not lacking[one.name]]
    if not ready:
        return [], "; ".join(f"{one.title}: {lacking[one.name]}" for one in fitting) or f"nothing runs {target} files"
    first, *others = ready
    return [first, *(one for one in others if one.judges_precisions)], ""


def _not_run(compared: PrecisionFiles, precision: str, why: str, allow_loss: bool) -> PrecisionRecord:
    facts = _record_of(precision, compared.files[precision], "", allow_loss)
    return facts.model_copy(update={"reference": compared.reference.name, "status": "not run", "why": why})


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
        self.shown = "" if runtime.name == _UNNAMED else runtime.title
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
        size=size_of(file),
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
                "fp32_score": _score(_cut(reference[first:], truths), [truth[None] for truth in truths])[0],
                "score": _score(_cut(found[first:], truths), [truth[None] for truth in truths])[0],
            }
        )
    why = _loss(row)
    return row.model_copy(update={"status": "failed" if why else "passed", "why": why})


def _cut(found: Sequence[Labels], truths: Sequence[Labels]) -> list[Labels]:
    """Return the parts of label maps that there is truth of."""
    return [labels[..., : truth.shape[-2], : truth.shape[-1]] for labels, truth in zip(found, truths, strict=True)]


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
