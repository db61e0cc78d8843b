"""The report for people: a paragraph, a markdown file, and one HTML page; for CI JUnit XML and a job's summary."""

from .html import render_html
from .job_summary import render_job_summary
from .junit import render_junit
from .markdown import render_markdown
from .summary import summarise
from .tables import DRIFT_COLUMNS, PRECISION_COLUMNS, comparisons, drift_row, precision_row

__all__ = [
    "DRIFT_COLUMNS",
    "PRECISION_COLUMNS",
    "comparisons",
    "drift_row",
    "precision_row",
    "render_html",
    "render_job_summary",
    "render_junit",
    "render_markdown",
    "summarise",
]
