"""The tables of a report, as rows of text."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..baseline_records import DRIFT_RULE, BaselineRecord, Drift
from ..compare import Comparison
from ..precision_records import RULE, PrecisionRecord
from ..records import ImageRecord, ReportData, Result, RuntimeRecord, Status, largest_network_difference, worst

__all__ = [
    "DRIFT_COLUMNS",
    "IMAGE_COLUMNS",
    "MARKS",
    "PRECISION_COLUMNS",
    "RESULT_COLUMNS",
    "RUNTIME_COLUMNS",
    "baseline_facts",
    "by_image",
    "comparisons",
    "drift_row",
    "facts",
    "image_row",
    "label_of_result",
    "missing",
    "precision_facts",
    "precision_row",
    "result_row",
    "runtime_row",
]

MARKS: dict[Status, str] = {"passed": "✓", "failed": "✗", "not run": "·"}


def _status(status: Status, *, allowed: bool) -> str:
    return f"{MARKS[status]} {status}" + (", allowed" if status == "failed" and allowed else "")


def _count(results: list[Result]) -> str:
    return " / ".join(
        str(sum(result.status == status for result in results)) for status in ("passed", "failed", "not run")
    )


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} s"


def _total(results: list[Result]) -> float | None:
    times = [min(result.run_s) for result in results if result.run_s]
    return sum(times) if times else None


def _matched(results: list[Result], field: str) -> str:
    compared = [result.comparison for result in results if result.comparison is not None]
    if not compared:
        return ""
    return f"{sum(getattr(row, field) for row in compared)} of {sum(row.reference_instances for row in compared)}"


def _ppm(comparison: Comparison | None) -> str:
    return "" if comparison is None else f"{comparison.ppm:.3g}"


def _remark(runtime: RuntimeRecord, results: list[Result]) -> str:
    if runtime.reference:
        return " (reference)"
    if not runtime.network_only:
        return ""
    largest = largest_network_difference(results)
    return " (network only)" if largest is None else f" (network only: largest difference {largest:.2g})"


def runtime_row(report: ReportData, runtime: RuntimeRecord) -> list[str]:
    results = report.results_of(runtime.name, runtime.device)
    return [
        runtime.label + _remark(runtime, results),
        _status(runtime.status, allowed=not runtime.exact),
        _count(results),
        _matched(results, "matched_50"),
        _matched(results, "matched_99"),
        _ppm(worst(results)),
        _seconds(_total(results)),
        "" if runtime.peak_mb is None else f"{runtime.peak_mb:.0f} MB",
        " ".join(filter(None, [runtime.version, runtime.hardware])),
    ]


RUNTIME_COLUMNS = (
    "Runtime",
    "Result",
    "Images passed / failed / not run",
    "Matched, IoU ≥ 0.5",
    "Matched, IoU ≥ 0.99",
    "Most pixels that differ, ppm",
    "Time, all images",
    "Peak memory",
    "Version, device",
)
PRECISION_COLUMNS = (
    "File",
    "Result",
    "Images",
    "Instances (fp32)",
    "Matched with fp32's, IoU ≥ 0.5",
    "F1µ, fp32's labels as reference",
    "F1 at 0.5, fp32's labels as reference",
    "Images with true labels",
    "F1µ, true labels (ΔF1µ to fp32)",
    "F1 at 0.5, true labels (ΔF1 to fp32)",
    "Size",
)
RESULT_COLUMNS = (
    "Image",
    "Runtime",
    "Result",
    "Instances",
    "Matched ≥ 0.5",
    "Matched ≥ 0.99",
    "Missing",
    "Too many",
    "Equal ids",
    "Pixels, ppm",
    "Network, largest difference",
    "Time",
    "Why",
)


DRIFT_COLUMNS = ("Runtime or file", "Image", "What", "In the baseline", "Now", "Why")


def drift_row(drift: Drift) -> list[str]:
    """Return the values of :data:`DRIFT_COLUMNS` for one thing that drifted."""
    return [drift.runtime, drift.image, drift.kind, drift.before, drift.now, drift.why]


def baseline_facts(record: BaselineRecord) -> list[str]:
    """Return what explains the comparison with a baseline, one sentence each."""
    made = f"Recorded {record.created} with instanseg-export {record.exporter} (SHA-256 {record.sha256[:12]})."
    return [made, f"Results compared: {record.compared}.", *record.notes, DRIFT_RULE]


def precision_row(record: PrecisionRecord) -> list[str]:
    """Return the values of :data:`PRECISION_COLUMNS` for a file; empty where there is nothing to say."""
    share, agreement, score = record.matched_share, record.agreement, record.score
    return [
        f"{record.file} in {record.runtime}" if record.runtime else record.file,
        _status(record.status, allowed=record.allowed),
        str(record.images) if record.images else "",
        f"{record.instances} ({record.fp32_instances})" if record.images else "",
        "" if share is None else f"{share:.2%}",
        "" if agreement is None else f"{agreement.f1_mu:.4f}",
        "" if agreement is None else f"{agreement.f1_50:.4f}",
        str(record.labelled_images) if record.labelled_images else "",
        "" if score is None else f"{score.f1_mu:.4f} ({record.delta_f1_mu:+.4f})",
        "" if score is None else f"{score.f1_50:.4f} ({record.delta_f1_50:+.4f})",
        f"{record.size / 1e6:.1f} MB",
    ]


def precision_facts(report: ReportData) -> list[str]:
    """Return what explains the table of precisions, one sentence each."""
    facts = [f"{precision_row(record)[0]}: {record.why}." for record in report.precisions if record.why]
    for record in report.precisions:
        if record.calibration_images and record.decides:
            facts.append(
                f"{record.file} was calibrated on {record.calibration_images} images "
                f"(SHA-256 {record.calibration_sha256[:12]})."
            )
    return [*facts, *comparisons(report.precisions), RULE]


def comparisons(records: Sequence[PrecisionRecord]) -> list[str]:
    """Say of each fp32 file in which runtime it was run, on which images, and which files were compared with it."""
    sentences = []
    for record in (one for one in records if one.source and one.decides):
        runtime = record.reference_runtime or "ONNX Runtime"
        sentences.append(f"Compared with {record.reference} (fp32) in {runtime} on {record.source}.")
    return list(dict.fromkeys(sentences))


def result_row(report: ReportData, result: Result) -> list[str]:
    compared = result.comparison
    network = result.network_difference
    numbers = (
        [""] * 6
        if compared is None
        else [
            str(compared.matched_50),
            str(compared.matched_99),
            str(compared.missing),
            str(compared.extra),
            "yes" if compared.equal_ids else "no",
            _ppm(compared),
        ]
    )
    return [
        result.image,
        label_of_result(report, result),
        f"{MARKS[result.status]} {result.status}",
        "" if result.instances is None else str(result.instances),
        *numbers,
        "" if network is None else f"{network:.2g}",
        _seconds(min(result.run_s, default=None)),
        result.why,
    ]


def label_of_result(report: ReportData, result: Result) -> str:
    """Return what people call the runtime and device of a result."""
    row = (result.runtime, result.device)
    return next(runtime.label for runtime in report.runtimes if (runtime.name, runtime.device) == row)


def missing(report: ReportData) -> list[RuntimeRecord]:
    """Return the runtimes that are not here, once each."""
    return list({runtime.name: runtime for runtime in report.runtimes if runtime.install}.values())


def facts(report: ReportData) -> list[tuple[str, str]]:
    machine = report.machine
    files = dict.fromkeys((runtime.target, runtime.model_sha256) for runtime in report.runtimes if runtime.model_sha256)
    return [
        ("Made", f"{report.created} with instanseg-export {machine.exporter}, Python {machine.python}"),
        ("Machine", f"{machine.system}, {machine.processor}, {machine.cores} cores"),
        ("Settings", json.dumps(report.settings) if report.settings else "as the file has them"),
        ("Checkpoint, SHA-256", report.source_sha256 or "not stated"),
        *((f"{target}, SHA-256", digest) for target, digest in files),
        ("Agreement", report.rule),
    ]


IMAGE_COLUMNS = ("Image", "What it is", "Shape", "SHA-256", "How it was read")


def image_row(image: ImageRecord, digits: int) -> list[str]:
    shape = " x ".join(map(str, image.shape))
    return [image.name, image.note, shape, image.sha256[:digits], " ".join(image.notes)]


def by_image(report: ReportData) -> list[Result]:
    return [result for image in report.images for result in report.results if result.image == image.name]
