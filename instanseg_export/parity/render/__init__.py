"""The report for people: a paragraph, a markdown file, and one HTML page."""

from .html import render_html
from .markdown import render_markdown
from .summary import summarise
from .tables import PRECISION_COLUMNS, comparisons, precision_row

__all__ = ["PRECISION_COLUMNS", "comparisons", "precision_row", "render_html", "render_markdown", "summarise"]
