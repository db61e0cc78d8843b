"""A report as one HTML page, which needs nothing else."""

from __future__ import annotations

from ...html_page import facts_list, figure, html, page, status_mark, table
from ..baseline_records import BaselineRecord
from ..pictures import COLOURS
from ..records import ReportData
from .summary import summarise
from .tables import (
    DRIFT_COLUMNS,
    IMAGE_COLUMNS,
    MARKS,
    PRECISION_COLUMNS,
    RESULT_COLUMNS,
    RUNTIME_COLUMNS,
    baseline_facts,
    by_image,
    drift_row,
    facts,
    image_row,
    missing,
    precision_facts,
    precision_row,
    result_row,
    runtime_row,
)

__all__ = ["render_html"]


def render_html(report: ReportData) -> str:
    """Return the report as one HTML page, with its pictures inside, that loads nothing from anywhere."""
    failures = [picture for picture in report.pictures if picture.runtime is not None]
    samples = [picture for picture in report.pictures if picture.runtime is None]
    sections = [
        f"<h1>Parity of {html(report.model)} {status_mark(report.status)}</h1>",
        f"<p class='summary'>{html(summarise(report))}</p>",
        *_baseline(report.baseline),
        "<h2>Runtimes</h2>",
        _html_table(RUNTIME_COLUMNS, [runtime_row(report, runtime) for runtime in report.runtimes]),
        *(
            f"<p>{html(runtime.title)} is not here ({html(runtime.why)}): <code>{html(runtime.install)}</code></p>"
            for runtime in missing(report)
        ),
    ]
    if report.precisions:
        sections += [
            "<h2>Reduced precision</h2>",
            _html_table(PRECISION_COLUMNS, [precision_row(record) for record in report.precisions]),
            *(f"<p>{html(fact)}</p>" for fact in precision_facts(report)),
        ]
    if failures:
        sections += [
            "<h2>Where they differ</h2>",
            _legend(),
            *(figure(picture.caption, picture.panels) for picture in failures),
        ]
    if samples:
        sections += ["<h2>What is found</h2>", *(figure(picture.caption, picture.panels) for picture in samples)]
    opened = " open" if report.status == "failed" else ""
    sections += [
        f"<details{opened}><summary>All results</summary>",
        _html_table(RESULT_COLUMNS, [result_row(report, result) for result in by_image(report)]),
        "</details>",
        "<details><summary>Images</summary>",
        _html_table(
            IMAGE_COLUMNS,
            [image_row(image, 64) for image in report.images],
        ),
        "</details>",
        "<h2>How it was made</h2>",
        facts_list(facts(report)),
    ]
    return page(f"Parity of {report.model}: {report.status}", sections)


def _baseline(record: BaselineRecord | None) -> list[str]:
    if record is None:
        return []
    table = _html_table(DRIFT_COLUMNS, [drift_row(drift) for drift in record.drifts])
    facts = [f"<p>{html(fact)}</p>" for fact in baseline_facts(record)]
    return ["<h2>Baseline</h2>", *([table] if record.drifts else []), *facts]


def _html_table(columns: tuple[str, ...], rows: list[list[str]]) -> str:
    return table(columns, [[_html_value(value) for value in row] for row in rows])


def _html_value(value: str) -> str:
    for status, mark in MARKS.items():
        if value == f"{mark} {status}":
            return status_mark(status)
    return html(value)


def _legend() -> str:
    words = {"reference": "only in the reference", "runtime": "only in the runtime", "id": "another id"}
    keys = "".join(
        f"<span class='key' style='background: rgb{COLOURS[name]}'></span>{html(text)}" for name, text in words.items()
    )
    return f"<p class='legend'>Differences:{keys}</p>"
