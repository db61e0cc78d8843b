"""A report as the short summary of a CI job: what one wants to know before opening the report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ...untrusted.boundary import plain
from ...untrusted.markdown import escape
from ..records import ReportData
from .markdown import markdown_table
from .summary import baseline_sentence
from .tables import (
    DRIFT_COLUMNS,
    PRECISION_COLUMNS,
    RUNTIME_COLUMNS,
    baseline_facts,
    drift_row,
    label_of_result,
    precision_facts,
    precision_row,
    runtime_row,
)

__all__ = ["MAX_BYTES", "render_job_summary"]

MAX_BYTES = 500_000
"""GitHub drops the summary of a step that is larger than 1 MiB; other steps of a job may write one too."""

_ROWS = 40
"""Of each table and list. A job's summary is read at a glance; the report has them all."""

_WORDS = 400


def render_job_summary(report: ReportData) -> str:
    """Return the outcome as markdown: what drifted, what failed, how each runtime did, and what was not run."""
    text = "\n".join(_lines(report))
    if len(text.encode()) > MAX_BYTES:
        text = "\n".join(_head(report)) + "\n\nThe tables are too large for this page: report.html has them.\n"
    return text


def _head(report: ReportData) -> Iterator[str]:
    mark = {"passed": "✅", "failed": "❌", "not run": "⚠️"}[report.status]
    yield f"## {mark} Parity of {_short(report.model)}: {report.status}"
    yield ""
    if report.changed:
        yield _short(f"{', '.join(report.changed)}: not as packaged, the SHA-256 differs.")
        yield ""
    if report.baseline is not None:
        yield _short(baseline_sentence(report.baseline))
        yield ""


def _lines(report: ReportData) -> Iterator[str]:
    yield from _head(report)
    if report.baseline is not None and report.baseline.drifts:
        yield from _table(DRIFT_COLUMNS, [drift_row(drift) for drift in report.baseline.drifts])
        yield ""
        yield (
            "If the change is meant, record a new baseline: replace the old one by the "
            "`report.json` of this run, once you have looked at it."
        )
        yield ""
    ran = [runtime for runtime in report.runtimes if runtime.status != "not run"]
    if ran:
        yield from _table(RUNTIME_COLUMNS, [runtime_row(report, runtime) for runtime in ran])
    else:
        yield "No runtime could run the model."
    yield ""
    if report.precisions:
        yield from _table(PRECISION_COLUMNS, [precision_row(record) for record in report.precisions])
        yield ""
    failed = [result for result in report.results if result.status == "failed"]
    if failed:
        yield "### What failed"
        yield ""
        yield from _list(
            f"**{_short(label_of_result(report, result))}** on **{_short(result.image)}**: {_short(result.why)}"
            for result in failed
        )
        yield ""
    absent = [runtime for runtime in report.runtimes if runtime.status == "not run"]
    if absent:
        yield from _folded("Not run", (f"{_short(one.label)}: {_short(one.why)}" for one in absent))
    facts = [report.rule, *(precision_facts(report) if report.precisions else [])]
    if report.baseline is not None:
        facts += baseline_facts(report.baseline)
    yield from _folded("What this means", map(_short, facts))


def _short(text: object) -> str:
    return escape(plain(text, _WORDS * 4))


def _table(columns: tuple[str, ...], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    cut = [[plain(cell, _WORDS) for cell in row] for row in rows[:_ROWS]]
    yield from markdown_table(columns, cut)
    if len(rows) > _ROWS:
        yield ""
        yield f"… and {len(rows) - _ROWS} more."


def _list(entries: Iterable[str]) -> Iterator[str]:
    for place, entry in enumerate(entries):
        if place == _ROWS:
            yield "- …"
            return
        yield f"- {entry}"


def _folded(title: str, entries: Iterable[str]) -> Iterator[str]:
    yield f"<details><summary>{title}</summary>"
    yield ""
    yield from _list(entries)
    yield ""
    yield "</details>"
    yield ""
