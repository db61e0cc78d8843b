"""A report as one HTML page, which needs nothing else."""

from __future__ import annotations

from html import escape as html

from ..pictures import COLOURS
from ..records import ReportData
from .summary import summarise
from .tables import (
    IMAGE_COLUMNS,
    MARKS,
    PRECISION_COLUMNS,
    RESULT_COLUMNS,
    RUNTIME_COLUMNS,
    by_image,
    facts,
    image_row,
    missing,
    precision_facts,
    precision_row,
    result_row,
    runtime_row,
)

__all__ = ["render_html"]

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
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 18px; font-size: 13.5px; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
details summary { cursor: pointer; font-weight: 600; font-size: 18px; margin: 36px 0 10px; }
"""


def render_html(report: ReportData) -> str:
    """Return the report as one HTML page, with its pictures inside, that loads nothing from anywhere."""
    failures = [picture for picture in report.pictures if picture.runtime is not None]
    samples = [picture for picture in report.pictures if picture.runtime is None]
    sections = [
        f"<h1>Parity of {html(report.model)} {_status(report.status)}</h1>",
        f"<p class='summary'>{html(summarise(report))}</p>",
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
            *(_figure(picture.caption, picture.panels) for picture in failures),
        ]
    if samples:
        sections += ["<h2>What is found</h2>", *(_figure(picture.caption, picture.panels) for picture in samples)]
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
        "<dl>" + "".join(f"<dt>{html(name)}</dt><dd>{html(value)}</dd>" for name, value in facts(report)) + "</dl>",
    ]
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>Parity of {html(report.model)}: {report.status}</title><style>{_STYLE}</style></head><body>\n"
        + "\n".join(sections)
        + "\n</body></html>\n"
    )


def _status(status: str) -> str:
    kind = "idle" if status == "not run" else status
    return f"<span class='status {kind}'>{html(status)}</span>"


def _html_table(columns: tuple[str, ...], rows: list[list[str]]) -> str:
    kept = [index for index in range(len(columns)) if any(row[index] for row in rows)]
    head = "".join(f"<th>{html(columns[index])}</th>" for index in kept)
    body = "".join("<tr>" + "".join(f"<td>{_html_value(row[index])}</td>" for index in kept) + "</tr>" for row in rows)
    return f"<div class='scroll'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _html_value(value: str) -> str:
    for status, mark in MARKS.items():
        if value == f"{mark} {status}":
            return _status(status)
    return html(value)


def _legend() -> str:
    words = {"reference": "only in the reference", "runtime": "only in the runtime", "id": "another id"}
    keys = "".join(
        f"<span class='key' style='background: rgb{COLOURS[name]}'></span>{html(text)}" for name, text in words.items()
    )
    return f"<p class='legend'>Differences:{keys}</p>"


def _figure(caption: str, panels: tuple[tuple[str, str], ...]) -> str:
    pictures = "".join(
        f"<div class='panel'><img alt='{html(title)}' src='data:image/png;base64,{html(data)}'>"
        f"<span>{html(title)}</span></div>"
        for title, data in panels
    )
    return f"<figure><figcaption>{html(caption)}</figcaption><div class='panels'>{pictures}</div></figure>"
