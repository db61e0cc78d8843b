"""Holds a report against one that was recorded earlier: has a runtime drifted since?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import ImageError, PackageError, SettingError
from ..files import sha256_of
from ..metadata import SettingValue
from .baseline_records import BaselineRecord, Drift
from .compare import Comparison, allowed_pixels
from .precision_records import PrecisionRecord
from .records import ImageRecord, ReportData, Result
from .report import Report

__all__ = ["Baseline", "compare_with_baseline", "read_baseline", "require_comparable"]

_RECORD = "Record one with instanseg-export validate MODEL --output baseline, and keep baseline/report.json."
_DIGITS = 12


@dataclass(frozen=True)
class Baseline:
    """A report that was recorded earlier.

    Attributes:
        path: of its file.
        sha256: of the file.
        report: that it holds.
    """

    path: Path
    sha256: str
    report: Report


def read_baseline(path: Path) -> Baseline:
    """Read a report.json, or the one in a folder that ``validate`` wrote.

    Raises:
        PackageError: it is missing, no report, or holds no result to compare with.
    """
    file = path / "report.json" if path.is_dir() else path
    if not file.exists():
        raise PackageError(f"There is no baseline at {file}.", hint=_RECORD)
    try:
        report = Report.read(file)
    except PackageError as error:
        raise PackageError(f"The baseline is of no use. {error.message}", hint=_RECORD) from error
    if not any(result.status == "passed" for result in report.results):
        raise PackageError(f"No result of the baseline {file} passed, so that nothing can drift.", hint=_RECORD)
    return Baseline(file, sha256_of(file), report)


def require_comparable(baseline: Baseline, images: Sequence[ImageRecord], settings: Mapping[str, SettingValue]) -> None:
    """Refuse a baseline of other settings, or of other images alone, before anything is run.

    Raises:
        SettingError: it was recorded with other settings.
        ImageError: it has none of the images.
    """
    recorded = baseline.report
    before, now = (json.dumps(dict(values), sort_keys=True, default=list) for values in (recorded.settings, settings))
    if before != now:
        raise SettingError(
            f"The baseline {baseline.path} was recorded with the settings {before}, and these are {now}.",
            hint="Give the same --set as for the baseline, or record a new one with these.",
        )
    names = {image.name for image in images}
    if not any(image.name in names for image in recorded.images) and not _same_images(recorded.images, images):
        raise ImageError(
            f"The baseline {baseline.path} has none of these images: it has "
            f"{', '.join(image.name for image in recorded.images[:5])}{', ...' * (len(recorded.images) > 5)}.",
            hint="Give the images that it was recorded on (--images), or record a new one.",
        )


def compare_with_baseline(
    report: ReportData, baseline: Baseline, *, runtimes: Sequence[str] | None, devices: Sequence[str]
) -> BaselineRecord:
    """Return what changed since the baseline was recorded; :data:`.DRIFT_RULE` says in words what drift is.

    Images are told by their SHA-256, whatever they are called.

    Args:
        report: of now.
        baseline: of then.
        runtimes: that were asked for; None for all.
        devices: that were asked for.
    """
    recorded = baseline.report
    images = _partners(recorded.images, report.images)
    rows = {(one.name, one.device): one for one in report.runtimes}
    now = {(one.runtime, one.device, one.image): one for one in report.results}
    labels = {(one.name, one.device): one.label for one in recorded.runtimes}
    inexact = {(one.name, one.device) for one in recorded.runtimes if not one.exact}
    drifts = [*_other_files(recorded, report), *_other_images(recorded.images, images)]
    notes: list[str] = [] if recorded.passed else ["The baseline itself did not pass."]
    skipped: dict[str, None] = {}
    gone: dict[str, str] = {}
    pixels: dict[str, list[tuple[Comparison, Comparison]]] = {}
    compared = 0
    for before in recorded.results:
        row = (before.runtime, before.device)
        label = labels.get(row, before.runtime)
        if before.status != "passed":
            continue
        if row not in rows and (runtimes is not None or before.device not in devices):
            skipped[label] = None
            continue
        image = images.get(before.image)
        if image is None:
            continue  # it is among the other images
        compared += 1
        if row not in rows or rows[row].status == "not run":
            gone[label] = rows[row].why if row in rows else "there is no such runtime any more"
            continue
        found = now.get((*row, image.name))
        exact = row not in inexact
        drifts += _result_drifts(label, before, found, exact=exact)
        if exact and found is not None and before.comparison is not None and found.comparison is not None:
            pixels.setdefault(label, []).append((before.comparison, found.comparison))
    drifts += [
        Drift(kind="outcome", runtime=label, before="passed", now="not run", why=why) for label, why in gone.items()
    ]
    for label, pairs in pixels.items():
        found_there = _pixel_drift(label, pairs)
        if isinstance(found_there, Drift):
            drifts.append(found_there)
        elif found_there:
            notes.append(found_there)
    if runtimes is None:
        drifts += _precision_drifts(recorded.precisions, report.precisions)
    if skipped:
        notes.append(f"Not asked for, and not compared: {', '.join(skipped)}.")
    return BaselineRecord(
        sha256=baseline.sha256,
        created=recorded.created,
        exporter=recorded.machine.exporter,
        compared=compared,
        drifts=tuple(drifts),
        notes=tuple(notes),
    )


def _same_images(before: Sequence[ImageRecord], now: Sequence[ImageRecord]) -> bool:
    return bool({image.sha256 for image in before} & {image.sha256 for image in now})


def _partners(before: Sequence[ImageRecord], now: Sequence[ImageRecord]) -> dict[str, ImageRecord | None]:
    """Return the image of now for each name of then; None where it is missing or another of that name."""
    found: dict[str, ImageRecord | None] = {}
    for image in before:
        same = [one for one in now if one.sha256 == image.sha256]
        found[image.name] = next((one for one in same if one.name == image.name), same[0] if same else None)
    return found


def _other_images(before: Sequence[ImageRecord], partners: Mapping[str, ImageRecord | None]) -> Iterator[Drift]:
    for image in before:
        if partners[image.name] is None:
            yield Drift(
                kind="image",
                image=image.name,
                before=f"SHA-256 {image.sha256[:_DIGITS]}",
                now="no such image",
                why="it is missing, or its pixels are others",
            )


def _other_files(before: ReportData, now: ReportData) -> Iterator[Drift]:
    """Compare the files that runtimes ran, once each."""
    files = {(one.name, one.device): one.model_sha256 for one in now.runtimes}
    pairs = {
        (one.target, one.model_sha256, files.get((one.name, one.device), "")): None
        for one in before.runtimes
        if one.model_sha256
    }
    for target, digest, other in pairs:
        if other and other != digest:
            yield Drift(
                kind="file",
                runtime=f"the {target} file",
                before=f"SHA-256 {digest[:_DIGITS]}",
                now=f"SHA-256 {other[:_DIGITS]}",
                why="exported again, or changed",
            )


def _result_drifts(label: str, before: Result, now: Result | None, *, exact: bool) -> Iterator[Drift]:
    if now is None or now.status != "passed":
        status, why = ("missing", "") if now is None else (now.status, now.why)
        yield Drift(kind="outcome", runtime=label, image=before.image, before="passed", now=status, why=why)
        return
    if not exact:
        return
    if before.instances is not None and now.instances != before.instances:
        yield Drift(
            kind="instances",
            runtime=label,
            image=before.image,
            before=_instances(before.instances),
            now=_instances(now.instances),
        )


def _pixel_drift(label: str, pairs: Sequence[tuple[Comparison, Comparison]]) -> Drift | str:
    """Compare how many pixels of a runtime differ from the reference, over all images; a drift, a note or nothing."""
    before, now = (sum(pair[place].differing_pixels for pair in pairs) for place in (0, 1))
    pixels = sum(pair[1].pixels for pair in pairs)
    if now <= before:
        return ""
    if now - before > allowed_pixels(pixels):
        return Drift(
            kind="pixels", runtime=label, before=f"{before} of {pixels} pixels differ", now=f"{now} of {pixels} do"
        )
    return f"{label}: {now} of {pixels} pixels differ, {now - before} more than in the baseline: within rounding."


def _precision_drifts(before: Sequence[PrecisionRecord], now: Sequence[PrecisionRecord]) -> Iterator[Drift]:
    found = {(one.file, one.runtime): one for one in now}
    for record in before:
        label = f"{record.file} in {record.runtime}" if record.runtime else record.file
        other = found.get((record.file, record.runtime))
        if other is not None and other.sha256 != record.sha256:
            before_sha, now_sha = (f"SHA-256 {one.sha256[:_DIGITS]}" for one in (record, other))
            yield Drift(kind="file", runtime=label, before=before_sha, now=now_sha, why="exported again, or changed")
        if record.status == "passed" and (other is None or other.status != "passed"):
            status, why = ("missing", "") if other is None else (other.status, other.why)
            yield Drift(kind="outcome", runtime=label, before="passed", now=status, why=why)


def _instances(count: int | None) -> str:
    return "no count" if count is None else f"{count} instance{'s' * (count != 1)}"
