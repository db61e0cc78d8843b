"""Reports as HTML pages that need nothing else: their look, tables, and figures with pictures inside."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape as html

__all__ = ["facts_list", "figure", "html", "page", "status_mark", "table"]

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --soft: #5d6879; --line: #d9dee6; --paper: #ffffff; --tint: #f4f6f9;
  --passed: #157347; --failed: #c02b37; --idle: #8a6d1a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --soft: #9aa5b5; --line: #353d4a; --paper: #14181f;
  --tint: #1d232c; --passed: #4ecb8d; --failed: #ff7a83; --idle: #e0bd5b; } }
body { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; color: var(--ink); background: var(--paper);
  max-width: 1120px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { font-size: 26px; margin: 0 0 4px; } h2 { font-size: 18px; margin: 36px 0 10px; }
p.summary { font-size: 16px; max-width: 80ch; }
.status { display: inline-block; border-radius: 999px; padding: 1px 10px; font-weight: 600; font-size: 13px;
  white-space: nowrap; border: 1px solid currentColor; }
.passed { color: var(--passed); } .failed { color: var(--failed); } .idle { color: var(--idle); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: 13.5px; }
th { text-align: left; color: var(--soft); font-weight: 600; vertical-align: bottom; }
th, td { padding: 6px 10px; border-bottom: 1px solid var(--line); }
td { vertical-align: top; font-variant-numeric: tabular-nums; } tbody tr:hover { background: var(--tint); }
figure { margin: 0 0 28px; padding: 14px; border: 1px solid var(--line); border-radius: 10px; background: var(--tint); }
figcaption { margin-bottom: 10px; font-weight: 600; }
.panels { display: flex; flex-wrap: wrap; gap: 12px; } .panel { flex: 1 1 220px; max-width: 340px; }
.panel img { width: 100%; image-rendering: pixelated; border-radius: 6px; display: block; background: #000; }
.panel span, .legend { color: var(--soft); font-size: 12.5px; } .key { display: inline-block; width: 11px; height: 11px;
  border-radius: 3px; margin: 0 5px 0 12px; vertical-align: -1px; }
.bounds { color: var(--soft); font-size: 12px; white-space: nowrap; } figure svg { max-width: 100%; height: auto; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 18px; font-size: 13.5px; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
details summary { cursor: pointer; font-weight: 600; font-size: 18px; margin: 36px 0 10px; }
"""


def page(title: str, sections: Sequence[str]) -> str:
    """Return a whole page.

    Args:
        title: in plain text.
        sections: of HTML, one under the other.
    """
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{html(title)}</title><style>{_STYLE}</style></head><body>\n"
        + "\n".join(sections)
        + "\n</body></html>\n"
    )


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table without the columns that are empty in all rows.

    Args:
        columns: their headings, in plain text.
        rows: of HTML.
    """
    kept = [index for index in range(len(columns)) if any(row[index] for row in rows)]
    head = "".join(f"<th>{html(columns[index])}</th>" for index in kept)
    body = "".join("<tr>" + "".join(f"<td>{row[index]}</td>" for index in kept) + "</tr>" for row in rows)
    return f"<div class='scroll'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def facts_list(facts: Sequence[tuple[str, str]]) -> str:
    """Return names and values, both in plain text, one under the other."""
    return "<dl>" + "".join(f"<dt>{html(name)}</dt><dd>{html(value)}</dd>" for name, value in facts) + "</dl>"


def status_mark(status: str) -> str:
    """Return "passed", "failed" or "not run" in its colour."""
    kind = "idle" if status == "not run" else status
    return f"<span class='status {kind}'>{html(status)}</span>"


def figure(caption: str, panels: Sequence[tuple[str, str]]) -> str:
    """Return pictures side by side under a caption.

    Args:
        caption: in plain text.
        panels: title of each, in plain text, and its PNG in base64.
    """
    pictures = "".join(
        f"<div class='panel'><img alt='{html(title)}' src='data:image/png;base64,{html(data)}'>"
        f"<span>{html(title)}</span></div>"
        for title, data in panels
    )
    return f"<figure><figcaption>{html(caption)}</figcaption><div class='panels'>{pictures}</div></figure>"
