"""A report in one paragraph."""

from __future__ import annotations

from ..baseline_records import BaselineRecord
from ..precision_records import PrecisionRecord
from ..records import ReportData, RuntimeRecord, label_of, largest_network_difference, worst

__all__ = ["baseline_sentence", "summarise"]

_NAMED = 3
"""Drifts that the paragraph names; the table has them all."""


def summarise(report: ReportData) -> str:
    """Return the outcome in one paragraph of plain text, without times."""
    reference = report.reference
    changed = ""
    if report.changed:
        verb = "is not the file" if len(report.changed) == 1 else "are not the files"
        changed = f"{' and '.join(report.changed)} {verb} that the package was written for: the SHA-256 differs. "
    if reference is None:
        reasons = "; ".join(f"{runtime.label}: {runtime.why}" for runtime in report.runtimes)
        return f"{changed}No runtime could run {report.model}, so that nothing was compared. {reasons}."
    if report.baseline is not None:
        changed += f"{baseline_sentence(report.baseline)} "
    others = [runtime for runtime in report.runtimes if not runtime.reference]
    # Images that the user gave are samples too, and not the package's.
    samples = 0 if all(image.note == "given" for image in report.images) else sum(i.sample for i in report.images)
    parts = [f"{samples} of the package"] * (samples > 0) + [f"{len(report.images) - samples} others"] * (
        0 < samples < len(report.images)
    )
    where = f"{len(report.images)} image{'s' * (len(report.images) != 1)}" + (f" ({', '.join(parts)})" if parts else "")
    instances = sum(result.instances or 0 for result in report.results_of(reference.name, reference.device))
    sentences = [f"{changed}Compared with {reference.title} {reference.version} ({instances} instances) on {where}."]
    if reference.status == "failed":
        sentences.append(f"{reference.title} itself failed: {reference.why}.")
    agreeing = [one for one in others if one.exact and one.status == "passed" and not one.network_only]
    if agreeing:
        sentences.append(_agreement(report, agreeing))
    sentences += [_rounding(report, one) for one in others if not one.exact and one.status != "not run"]
    for runtime in others:
        if runtime.status == "passed" and runtime.network_only:
            largest = largest_network_difference(report.results_of(runtime.name, runtime.device))
            sentences.append(
                f"{runtime.label} {runtime.version} runs the network only; its output differs by at most {largest:.2g}."
            )
    for runtime in others:
        if runtime.exact and runtime.status == "failed":
            results = report.results_of(runtime.name, runtime.device)
            failed = sum(result.status == "failed" for result in results)
            sentences.append(f"{runtime.label} disagrees or fails on {failed} of {len(results)}: {runtime.why}.")
    absent: dict[str, list[str]] = {}
    for runtime in others:
        if runtime.status == "not run":
            absent.setdefault(runtime.why, []).append(runtime.label)
    for why, titles in absent.items():
        verb = "was" if len(titles) == 1 else "were"
        sentences.append(f"{', '.join(titles)} {verb} not run: {why}.")
    sentences += [_precision_sentence(record) for record in report.precisions]
    if any(runtime.copied_input for runtime in report.runtimes):
        sentences.append(
            "The TorchScript file is not ours and may write to its input: it was given copies of the images."
        )
    if report.status == "not run":
        sentences.append("Nothing was compared: it takes two runtimes.")
    return " ".join(sentences)


def baseline_sentence(record: BaselineRecord) -> str:
    """Return how the report compares with its baseline, in one sentence."""
    day = record.created.partition("T")[0]
    if not record.drifts:
        return f"As in the baseline of {day}: {record.compared} results."
    named = "; ".join(drift.sentence for drift in record.drifts[:_NAMED])
    more = f"; and {len(record.drifts) - _NAMED} more" if len(record.drifts) > _NAMED else ""
    return f"Drifted from the baseline of {day}: {named}{more}."


def _precision_sentence(record: PrecisionRecord) -> str:
    name = f"{record.file} in {record.runtime}" if record.runtime else record.file
    if record.why:
        return f"{record.outcome}{' (allowed)' if record.allowed else ''}: {record.why}."
    if record.score is not None:
        return (
            f"{name}: F1µ {record.score.f1_mu:.4f} against the labels of {record.labelled_images} images, "
            f"{record.delta_f1_mu:+.4f} to fp32."
        )
    return f"{name}: {record.matched_share or 1:.1%} of its instances and fp32's are matched pairs."


def _rounding(report: ReportData, runtime: RuntimeRecord) -> str:
    compared = [one.comparison for one in report.results_of(runtime.name, runtime.device) if one.comparison is not None]
    matched, expected = sum(one.matched_50 for one in compared), sum(one.reference_instances for one in compared)
    differing, pixels = sum(one.differing_pixels for one in compared), sum(one.pixels for one in compared)
    why = f"; {runtime.why}" if runtime.why else ""
    return (
        f"{runtime.label} rounds more than the others, which fails no report: {matched} of {expected} instances are "
        f"matched pairs (IoU 0.5), and {differing} of {pixels} pixels differ{why}."
    )


def _agreement(report: ReportData, agreeing: list[RuntimeRecord]) -> str:
    names = ", ".join(label_of(f"{runtime.title} {runtime.version}".strip(), runtime.device) for runtime in agreeing)
    results = [result for runtime in agreeing for result in report.results_of(runtime.name, runtime.device)]
    most = worst(results)
    if most is None or most.differing_pixels == 0:
        pixels = "no pixel differs"
    else:
        pixels = (
            f"at most {most.differing_pixels} of {most.pixels} pixels of an image differ ({most.ppm:.2g} in a million)"
        )
    verb = "finds" if len(agreeing) == 1 else "find"
    return f"{names} {verb} the same instances under the same ids; {pixels}."
