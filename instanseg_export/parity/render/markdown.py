"""A report as a markdown file."""

from __future__ import annotations

from ...untrusted.boundary import plain
from ...untrusted.markdown import cell
from ...untrusted.markdown import escape as markdown
from ..records import ReportData, RuntimeRecord
from .summary import summarise
from .tables import (
    DRIFT_COLUMNS,
    IMAGE_COLUMNS,
    PRECISION_COLUMNS,
    RESULT_COLUMNS,
    RUNTIME_COLUMNS,
    baseline_facts,
    by_image,
    drift_row,
    facts,
    image_row,
    label_of_result,
    missing,
    precision_facts,
    precision_row,
    result_row,
    runtime_row,
)

__all__ = ["markdown_table", "render_markdown"]


def render_markdown(report: ReportData) -> str:
    """Return the report as markdown: the outcome, a table of runtimes, what failed, and a table of all images."""
    lines = [f"# Parity of {markdown(report.model)}: {report.status}", "", markdown(summarise(report)), ""]
    if report.baseline is not None:
        lines += ["## Baseline", ""]
        if report.baseline.drifts:
            lines += [*markdown_table(DRIFT_COLUMNS, [drift_row(drift) for drift in report.baseline.drifts]), ""]
        lines += [*(f"- {markdown(fact)}" for fact in baseline_facts(report.baseline)), ""]
    lines += ["## Runtimes", ""]
    lines += markdown_table(RUNTIME_COLUMNS, [runtime_row(report, runtime) for runtime in report.runtimes])
    if report.precisions:
        lines += ["", "## Reduced precision", ""]
        lines += markdown_table(PRECISION_COLUMNS, [precision_row(record) for record in report.precisions])
        lines += ["", *(f"- {markdown(fact)}" for fact in precision_facts(report))]
    if absent := missing(report):
        lines += ["", *map(_missing, absent)]
    failures = [result for result in report.results if result.status == "failed"]
    if failures:
        lines += ["", "## What failed", ""]
        for result in failures:
            title = label_of_result(report, result)
            lines.append(f"- **{markdown(title)}** on **{markdown(result.image)}**: {markdown(result.why)}")
            lines += [f"    - {markdown(f'{stage.stage}: {stage.detail}')}" for stage in result.stages if stage.detail]
    lines += ["", "## Images", ""]
    lines += markdown_table(
        IMAGE_COLUMNS,
        [image_row(image, 12) for image in report.images],
    )
    lines += ["", "## All results", ""]
    lines += markdown_table(RESULT_COLUMNS, [result_row(report, result) for result in by_image(report)])
    lines += ["", "## Made by", "", *(f"- {markdown(f'{name}: {value}')}" for name, value in facts(report)), ""]
    return "\n".join(lines)


def _missing(runtime: RuntimeRecord) -> str:
    remedy = plain(runtime.install).replace("`", "'")  # a backtick would end the code
    return f"- {markdown(runtime.title)} is not here ({markdown(runtime.why)}): `{remedy}`"


def markdown_table(columns: tuple[str, ...], rows: list[list[str]]) -> list[str]:
    """Return a table without the columns that are empty in every row."""
    kept = [index for index in range(len(columns)) if any(row[index] for row in rows)]

    def line(values: list[str]) -> str:
        return "| " + " | ".join(map(cell, values)) + " |"

    return [
        line([columns[index] for index in kept]),
        "|" + "---|" * len(kept),
        *(line([row[index] for index in kept]) for row in rows),
    ]
