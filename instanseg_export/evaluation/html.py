"""An evaluation as one HTML page, which needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..html_page import facts_list, figure, html, page, status_mark, table
from .intervals import LEVEL, TIMES
from .pictures import COLOURS, Picture
from .records import ALL, EvaluationData, Scores
from .scoring import METRICS
from .tables import METRIC_TITLES, NONE, difference_rows, score_rows, stability_rows

__all__ = ["render_html"]

_COUNTS = "Instances: true / found / matched"


def render_html(data: EvaluationData, pictures: Sequence[Picture], charts: Sequence[tuple[str, str]]) -> str:
    """Return the page, with its pictures and charts inside, that loads nothing from anywhere.

    Args:
        data: the figures.
        pictures: of the worst images.
        charts: title of each, in plain text, and its SVG.
    """
    first = data.first
    sections = [
        f"<h1>Evaluation of {html(data.model)}</h1>",
        f"<p class='summary'>{len(data.images)} image{'s' * (len(data.images) != 1)} with label maps; matches at an "
        f"IoU of {data.iou:g} where none is named.</p>",
        *(f"<p class='failed'><strong>Warning.</strong> {html(sentence)}</p>" for sentence in data.warnings),
        f"<h2>Figures of {html(first.title)}</h2>",
        _scores(data.scores_in(first.key), data),
        f"<p class='legend'>Below each figure its {LEVEL:.0%} interval, of {TIMES:,} draws of images with replacement"
        f"{'' if data.drawn_by == 'image' else f', those of one {html(data.drawn_by)} together'}.</p>",
    ]
    if len(data.files) > 1:
        sections += ["<h2>By file and runtime</h2>", _files(data)]
    if data.differences:
        sections += [
            f"<h2>Differences from {html(first.title)}</h2>",
            "<p>Of pooled figures, taken draw by draw on the same images.</p>",
            _differences(data),
        ]
    sections += ["<h2>Charts</h2>"]
    sections += [f"<figure><figcaption>{html(title)}</figcaption>{chart}</figure>" for title, chart in charts]
    if data.stability:
        sections += ["<h2>Stability</h2>", _stability(data)]
    if pictures:
        sections += [
            f"<h2>The worst images of {html(first.title)}</h2>",
            _legend(),
            *(figure(picture.caption, picture.panels) for picture in pictures),
        ]
    sections += [
        "<details><summary>All images</summary>",
        _images(data),
        "</details>",
        "<h2>What the figures mean</h2>",
        facts_list([(metric.title, metric.meaning) for metric in METRICS]),
        "<h2>How it was made</h2>",
        *(f"<p>{html(note)}</p>" for note in data.notes),
        facts_list(_facts(data)),
    ]
    return page(f"Evaluation of {data.model}", sections)


def _escaped(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    return [[html(value) for value in row] for row in rows]


def _with_figures(row: Sequence[str], count: int) -> list[str]:
    """Return a row as HTML, in whose last cells the interval stands below the figure."""
    cells = [html(value) for value in row[:-count]]
    for value, _, bounds in (one.partition(" (") for one in row[-count:]):
        below = f"<br><span class='bounds'>{html(bounds.rstrip(')'))}</span>" if bounds else ""
        cells.append(f"{html(value)}{below}")
    return cells


def _shown(structure: str, data: EvaluationData) -> str:
    """Return a structure where there are several."""
    return structure if len(data.structures) > 1 else ""


def _scores(rows: Sequence[Scores], data: EvaluationData) -> str:
    cells = [[_shown(row[1], data), *row[2:]] for row in score_rows(rows, data)]
    columns = ("Structure", "Group", "How", "Images", _COUNTS, *METRIC_TITLES)
    return table(columns, [_with_figures(row, len(METRICS)) for row in cells])


def _differences(data: EvaluationData) -> str:
    rows = difference_rows([one for one in data.differences if one.how == "pooled"], data)
    cells = [[row[0], _shown(row[1], data), *row[2:]] for row in rows]
    columns = ("File", "Structure", "Group", "Images", *METRIC_TITLES)
    return table(columns, [_with_figures(row, len(METRICS)) for row in cells])


def _files(data: EvaluationData) -> str:
    ran = {row.file for row in data.scores}
    rows = []
    for file in data.files:
        start = [html(file.title), status_mark(file.status), html(" ".join([file.version, file.device]).strip())]
        end = [f"{file.seconds:.1f} s" if file.key in ran else "", html(file.why)]
        if file.key not in ran:
            rows.append([*start, *[""] * (len(METRICS) + 3), *end])
            continue
        for structure in data.structures:
            (row,) = score_rows([data.scores_of(file.key, structure, ALL, "pooled")], data)
            rows.append([*start, *_with_figures([_shown(structure, data), *row[4:]], len(METRICS)), *end])
    columns = ("Structure", "Images", _COUNTS, *METRIC_TITLES)
    return table(("File", "Result", "Version, device", *columns, "Time", "Why"), rows)


def _stability(data: EvaluationData) -> str:
    words = (
        f"<p>Shares of the instances that {html(data.first.title)} finds in an image as it is that keep a partner of "
        "an IoU of at least 0.5 and 0.9 when the image is changed in a way that should change nothing. An instance "
        "counts once for each change.</p>"
    )
    columns = ("Change", "Images", "Instances", "Keep IoU ≥ 0.5", "Keep IoU ≥ 0.9")
    return words + table(columns, [_with_figures(row, 2) for row in stability_rows(data)])


def _legend() -> str:
    words = {"found": "found", "missed": "missed (true outline)", "false": "false"}
    keys = "".join(
        f"<span class='key' style='background: rgb{COLOURS[name]}'></span>{html(text)}" for name, text in words.items()
    )
    return f"<p class='legend'>Outlines:{keys}</p>"


def _images(data: EvaluationData) -> str:
    groups = {image.name: image.group for image in data.images}
    rows = []
    for one in data.per_image:
        figures = [NONE if (value := one.scores.get(metric.key)) is None else f"{value:.3f}" for metric in METRICS]
        counts = f"{one.true:,} / {one.found:,} / {one.matched:,}" if not one.why else f"{one.true:,}"
        several = len({file.key for file in data.files}) > 1
        rows.append(
            [
                one.image,
                groups[one.image],
                data.title_of(one.file) if several else "",
                _shown(one.structure, data),
                counts,
                *(figures if not one.why else [""] * len(METRICS)),
                one.why,
            ]
        )
    return table(("Image", "Group", "File", "Structure", _COUNTS, *METRIC_TITLES, "Why not"), _escaped(rows))


def _facts(data: EvaluationData) -> list[tuple[str, str]]:
    machine = data.machine
    files = dict.fromkeys((file.file, file.sha256) for file in data.files if file.sha256)
    return [
        ("Made", f"{data.created} with instanseg-export {machine['exporter']}, Python {machine['python']}"),
        ("Machine", f"{machine['system']}, {machine['processor']}, {machine['cores']} cores"),
        ("Settings", json.dumps(data.settings) if data.settings else "as the file has them"),
        ("Images", " ".join([data.source, *(f"{column}={value}" for column, value in data.only.items())])),
        ("Groups", f"by {data.grouped_by}"),
        ("Draws", f"of {data.drawn_by}s" if data.drawn_by == "image" else f"of images with the same {data.drawn_by}"),
        ("Checkpoint, SHA-256", data.source_sha256 or "not stated"),
        *((f"{name}, SHA-256", digest) for name, digest in files),
        (
            "Matches",
            "An instance found and a true one match when their IoU is at least the threshold: one to one, in as many "
            "pairs as possible, and among those with the largest sum of IoU.",
        ),
    ]
