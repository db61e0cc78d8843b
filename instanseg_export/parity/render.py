"""The report for people: a paragraph, a markdown file, and one HTML page that needs nothing else."""

from __future__ import annotations

import json
from html import escape as html

from ..untrusted.boundary import plain
from ..untrusted.markdown import escape as markdown
from .compare import Comparison
from .pictures import COLOURS
from .quantization import RULE, PrecisionRecord
from .records import Cell, ImageRecord, Results, RuntimeRecord, Status, worst

__all__ = ["PRECISION_COLUMNS", "precision_row", "render_html", "render_markdown", "summarise"]

_MARKS: dict[Status, str] = {"passed": "✓", "failed": "✗", "not run": "·"}


def summarise(report: Results) -> str:
    """Return the outcome in one paragraph of plain text, without times."""
    reference = report.reference
    changed = ""
    if report.changed:
        verb = "is not the file" if len(report.changed) == 1 else "are not the files"
        changed = f"{' and '.join(report.changed)} {verb} that the package was written for: the SHA-256 differs. "
    if reference is None:
        reasons = "; ".join(f"{runtime.title}: {runtime.why}" for runtime in report.runtimes)
        return f"{changed}No runtime could run {report.model}, so that nothing was compared. {reasons}."
    others = [runtime for runtime in report.runtimes if not runtime.reference]
    # Images that the user gave are samples too, and not the package's.
    samples = 0 if all(image.note == "given" for image in report.images) else sum(i.sample for i in report.images)
    parts = [f"{samples} of the package"] * (samples > 0) + [f"{len(report.images) - samples} others"] * (
        0 < samples < len(report.images)
    )
    where = f"{len(report.images)} image{'s' * (len(report.images) != 1)}" + (f" ({', '.join(parts)})" if parts else "")
    instances = sum(cell.instances or 0 for cell in report.cells_of(reference.name))
    sentences = [f"{changed}Compared with {reference.title} {reference.version} ({instances} instances) on {where}."]
    if reference.status == "failed":
        sentences.append(f"{reference.title} itself failed: {reference.why}.")
    agreeing = [runtime for runtime in others if runtime.status == "passed"]
    if agreeing:
        sentences.append(_agreement(report, agreeing))
    for runtime in others:
        if runtime.status == "failed":
            cells = report.cells_of(runtime.name)
            failed = sum(cell.status == "failed" for cell in cells)
            sentences.append(f"{runtime.title} disagrees or fails on {failed} of {len(cells)}: {runtime.why}.")
    absent: dict[str, list[str]] = {}
    for runtime in others:
        if runtime.status == "not run":
            absent.setdefault(runtime.why, []).append(runtime.title)
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


def _precision_sentence(record: PrecisionRecord) -> str:
    if record.why:
        return f"{record.file} loses too much{' (allowed)' if record.allowed else ''}: {record.why}."
    if record.score is not None:
        return (
            f"{record.file}: F1µ {record.score.f1_mu:.4f} against the labels of {record.labelled_images} images, "
            f"{record.delta_f1_mu:+.4f} to fp32."
        )
    return f"{record.file}: {record.matched_share or 1:.1%} of its instances and fp32's are matched pairs."


def _agreement(report: Results, agreeing: list[RuntimeRecord]) -> str:
    names = ", ".join(f"{runtime.title} {runtime.version}".strip() for runtime in agreeing)
    cells = [cell for runtime in agreeing for cell in report.cells_of(runtime.name)]
    most = worst(cells)
    if most is None or most.differing_pixels == 0:
        pixels = "no pixel differs"
    else:
        pixels = (
            f"at most {most.differing_pixels} of {most.pixels} pixels of an image differ ({most.ppm:.2g} in a million)"
        )
    verb = "finds" if len(agreeing) == 1 else "find"
    return f"{names} {verb} the same instances under the same ids; {pixels}."


def _count(cells: list[Cell]) -> str:
    return " / ".join(str(sum(cell.status == status for cell in cells)) for status in ("passed", "failed", "not run"))


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} s"


def _total(cells: list[Cell]) -> float | None:
    times = [min(cell.run_s) for cell in cells if cell.run_s]
    return sum(times) if times else None


def _matched(cells: list[Cell], field: str) -> str:
    compared = [cell.comparison for cell in cells if cell.comparison is not None]
    if not compared:
        return ""
    return f"{sum(getattr(row, field) for row in compared)} of {sum(row.reference_instances for row in compared)}"


def _ppm(comparison: Comparison | None) -> str:
    return "" if comparison is None else f"{comparison.ppm:.3g}"


def _runtime_row(report: Results, runtime: RuntimeRecord) -> list[str]:
    cells = report.cells_of(runtime.name)
    return [
        runtime.title + (" (reference)" if runtime.reference else ""),
        f"{_MARKS[runtime.status]} {runtime.status}",
        _count(cells),
        _matched(cells, "matched_50"),
        _matched(cells, "matched_99"),
        _ppm(worst(cells)),
        _seconds(_total(cells)),
        "" if runtime.peak_mb is None else f"{runtime.peak_mb:.0f} MB",
        " ".join(filter(None, [runtime.version, runtime.device])),
    ]


_RUNTIME_COLUMNS = (
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
_CELL_COLUMNS = (
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


def precision_row(record: PrecisionRecord) -> list[str]:
    """Return the cells of :data:`PRECISION_COLUMNS` for a file; empty where there is nothing to say."""
    share, agreement, score = record.matched_share, record.agreement, record.score
    status = f"{_MARKS[record.status]} {record.status}"
    return [
        record.file,
        f"{status}, allowed" if record.status == "failed" and record.allowed else status,
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


def _precision_facts(report: Results) -> list[str]:
    """Return what explains the table of precisions, one sentence each."""
    facts = [f"{record.file}: {record.why}." for record in report.precisions if record.why]
    for record in report.precisions:
        if record.calibration_images:
            facts.append(
                f"{record.file} was calibrated on {record.calibration_images} images "
                f"(SHA-256 {record.calibration_sha256[:12]})."
            )
    sources = dict.fromkeys(record.source for record in report.precisions if record.source)
    return [*facts, *(f"Compared with fp32 in ONNX Runtime on: {source}." for source in sources), RULE]


def _cell_row(report: Results, cell: Cell) -> list[str]:
    compared = cell.comparison
    network = cell.network_difference
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
        cell.image,
        next(runtime.title for runtime in report.runtimes if runtime.name == cell.runtime),
        f"{_MARKS[cell.status]} {cell.status}",
        "" if cell.instances is None else str(cell.instances),
        *numbers,
        "" if network is None else f"{network:.2g}",
        _seconds(min(cell.run_s, default=None)),
        cell.why,
    ]


def _facts(report: Results) -> list[tuple[str, str]]:
    machine = report.machine
    files = dict.fromkeys((runtime.target, runtime.model_sha256) for runtime in report.runtimes if runtime.model_sha256)
    return [
        ("Made", f"{report.created} with instanseg-export {machine.exporter}, Python {machine.python}"),
        ("Machine", f"{machine.system}, {machine.processor}, {machine.cores} cores"),
        ("Device asked for", report.device),
        ("Settings", json.dumps(report.settings) if report.settings else "as the file has them"),
        ("Checkpoint, SHA-256", report.source_sha256 or "not stated"),
        *((f"{target}, SHA-256", digest) for target, digest in files),
        ("Agreement", report.rule),
    ]


def render_markdown(report: Results) -> str:
    """Return the report as markdown: the outcome, a table of runtimes, what failed, and a table of all images."""
    lines = [f"# Parity of {markdown(report.model)}: {report.status}", "", markdown(summarise(report)), ""]
    lines += ["## Runtimes", ""]
    lines += _markdown_table(_RUNTIME_COLUMNS, [_runtime_row(report, runtime) for runtime in report.runtimes])
    if report.precisions:
        lines += ["", "## Reduced precision", ""]
        lines += _markdown_table(PRECISION_COLUMNS, [precision_row(record) for record in report.precisions])
        lines += ["", *(f"- {markdown(fact)}" for fact in _precision_facts(report))]
    missing = [runtime for runtime in report.runtimes if runtime.install]
    if missing:
        lines += ["", *map(_missing, missing)]
    failures = [cell for cell in report.cells if cell.status == "failed"]
    if failures:
        lines += ["", "## What failed", ""]
        for cell in failures:
            title = next(runtime.title for runtime in report.runtimes if runtime.name == cell.runtime)
            lines.append(f"- **{markdown(title)}** on **{markdown(cell.image)}**: {markdown(cell.why)}")
            lines += [f"    - {markdown(f'{stage.stage}: {stage.detail}')}" for stage in cell.stages if stage.detail]
    lines += ["", "## Images", ""]
    lines += _markdown_table(
        _IMAGE_COLUMNS,
        [_image_row(image, 12) for image in report.images],
    )
    lines += ["", "## All results", ""]
    lines += _markdown_table(_CELL_COLUMNS, [_cell_row(report, cell) for cell in _by_image(report)])
    lines += ["", "## Made by", "", *(f"- {markdown(f'{name}: {value}')}" for name, value in _facts(report)), ""]
    return "\n".join(lines)


_IMAGE_COLUMNS = ("Image", "What it is", "Shape", "SHA-256", "How it was read")


def _image_row(image: ImageRecord, digits: int) -> list[str]:
    shape = " x ".join(map(str, image.shape))
    return [image.name, image.note, shape, image.sha256[:digits], " ".join(image.notes)]


def _missing(runtime: RuntimeRecord) -> str:
    remedy = plain(runtime.install).replace("`", "'")  # a backtick would end the code
    return f"- {markdown(runtime.title)} is not here ({markdown(runtime.why)}): `{remedy}`"


def _by_image(report: Results) -> list[Cell]:
    return [cell for image in report.images for cell in report.cells if cell.image == image.name]


def _markdown_table(columns: tuple[str, ...], rows: list[list[str]]) -> list[str]:
    """Return a table without the columns that are empty in every row."""
    kept = [index for index in range(len(columns)) if any(row[index] for row in rows)]

    def line(values: list[str]) -> str:
        return "| " + " | ".join(map(markdown, values)) + " |"

    return [
        line([columns[index] for index in kept]),
        "|" + "---|" * len(kept),
        *(line([row[index] for index in kept]) for row in rows),
    ]


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


def render_html(report: Results) -> str:
    """Return the report as one HTML page, with its pictures inside, that loads nothing from anywhere."""
    failures = [picture for picture in report.pictures if picture.runtime is not None]
    samples = [picture for picture in report.pictures if picture.runtime is None]
    sections = [
        f"<h1>Parity of {html(report.model)} {_status(report.status)}</h1>",
        f"<p class='summary'>{html(summarise(report))}</p>",
        "<h2>Runtimes</h2>",
        _html_table(_RUNTIME_COLUMNS, [_runtime_row(report, runtime) for runtime in report.runtimes]),
        *(
            f"<p>{html(runtime.title)} is not here ({html(runtime.why)}): <code>{html(runtime.install)}</code></p>"
            for runtime in report.runtimes
            if runtime.install
        ),
    ]
    if report.precisions:
        sections += [
            "<h2>Reduced precision</h2>",
            _html_table(PRECISION_COLUMNS, [precision_row(record) for record in report.precisions]),
            *(f"<p>{html(fact)}</p>" for fact in _precision_facts(report)),
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
        _html_table(_CELL_COLUMNS, [_cell_row(report, cell) for cell in _by_image(report)]),
        "</details>",
        "<details><summary>Images</summary>",
        _html_table(
            _IMAGE_COLUMNS,
            [_image_row(image, 64) for image in report.images],
        ),
        "</details>",
        "<h2>How it was made</h2>",
        "<dl>" + "".join(f"<dt>{html(name)}</dt><dd>{html(value)}</dd>" for name, value in _facts(report)) + "</dl>",
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
    for status, mark in _MARKS.items():
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
