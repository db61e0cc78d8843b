"""The README of a model in the zoo, made of its card and of what was recorded."""

from __future__ import annotations

from ..checkpoints.summary import parameters_of
from ..evaluation.intervals import LEVEL, TIMES
from ..evaluation.pictures import LEGEND
from ..evaluation.records import ALL, Scores
from ..evaluation.scoring import METRICS
from ..evaluation.tables import METRIC_TITLES, score_rows, stability_rows
from ..evaluation.worst import caption_of, worst_rows
from ..packaging.card_text import authors, citations, training_data
from ..parity.render.markdown import markdown_table
from ..parity.render.tables import RUNTIME_COLUMNS, runtime_row
from ..untrusted.markdown import entries, escape, without_html
from .clients import clients
from .folder import PICTURES_FOLDER, TARGETS, Records, ZooModel

__all__ = ["HEAD", "MOST_PICTURES", "picture_names", "render_page"]

HEAD = "<!-- Made by python -m instanseg_export.model_zoo: change card.yaml or training.md, and make it again. -->"
"""The first line, by which the file is known again."""

MOST_PICTURES = 6

_COUNTS = "Instances: true / found / matched"
_SIDES = ("image", "found, missed and false")
_SHOWN = (
    "Runtime",
    "Result",
    "Matched, IoU ≥ 0.5",
    "Matched, IoU ≥ 0.99",
    "Most pixels that differ, ppm",
    "Version, device",
)


def picture_names(number: int) -> tuple[str, str]:
    """Return the names of the two files of a picture, which are counted from 1: the image, and the outlines on it."""
    return f"worst-{number}-image.png", f"worst-{number}-outlines.png"


def render_page(model: ZooModel, records: Records) -> str:
    """Return a model's README, in Markdown. The same folder gives the same text."""
    card = model.card
    sections = [
        f"{HEAD}\n\n# {escape(card.name)}\n\n{escape(card.description)}\n\n{_facts(model)}",
        without_html(card.documentation.strip()),
        f"## How good it is\n\n{_figures(records)}",
        f"## Where it fails\n\n{_failures(records)}",
        f"## How to load it\n\n{clients(model)}",
        f"## Do all runtimes find the same?\n\n{_runtimes(records)}",
        f"## How it was trained\n\n{_training(model)}",
        f"## Cite\n\n{citations(card)}",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _facts(model: ZooModel) -> str:
    card, spec = model.card, model.checkpoint.spec
    names = f" ({', '.join(map(escape, card.channel_names))})" if card.channel_names else ""
    size = card.pixel_size or spec.pixel_size
    rows = [
        (
            "Finds",
            f"{' and '.join(map(escape, spec.structures))}, in {'images' if spec.dimensions == 2 else 'volumes'}",
        ),
        ("Channels", "any number" if spec.channels is None else f"{spec.channels}{names}"),
        ("Pixel size", f"{size:g} µm" if size else "not known"),
        ("Network", f"{escape(spec.architecture)}; {parameters_of(model.checkpoint):,} parameters"),
        ("Version", card.version),
        ("Licence of the weights", card.license),
        ("Authors", authors(card)),
    ]
    return entries(rows)


def _figures(records: Records) -> str:
    data = records.evaluation
    first = data.first
    chosen = " ".join(f"{column}={value}" for column, value in data.only.items())
    # Precision and recall are below, in words.
    figures = [place for place, metric in enumerate(METRICS) if metric.key not in ("precision", "recall")]
    rows = [[*row[1:6], *(row[6 + place] for place in figures)] for row in score_rows(data.scores_in(first.key), data)]
    columns = ["Structure", "Images of", "How", "Images", _COUNTS, *(METRIC_TITLES[place] for place in figures)]
    if len(data.structures) == 1:
        rows, columns = [row[1:] for row in rows], columns[1:]
    drawn = "" if data.drawn_by == "image" else f"; those of one {data.drawn_by} are drawn together"
    parts = [
        f"On {len(data.images)} images with label maps ({escape(data.source)}{', ' * bool(chosen)}{escape(chosen)}), "
        f"with {escape(first.title)}, at an IoU of {data.iou:g} where the figure has no thresholds of its own "
        "([what the figures are](../../docs/evaluate.md#the-figures)):",
        "\n".join(markdown_table(tuple(columns), rows)),
        f"In brackets the {LEVEL:.0%} interval of {TIMES:,} draws of images{drawn}.",
        *(f"**Warning.** {escape(sentence)}" for sentence in data.warnings),
    ]
    if data.stability:
        parts += [
            "How many instances keep a partner when an image is changed in a way that should change nothing "
            "([stability](../../docs/evaluate.md#stability)):",
            "\n".join(
                markdown_table(
                    ("Change", "Images", "Instances", "Keep IoU ≥ 0.5", "Keep IoU ≥ 0.9"), stability_rows(data)
                )
            ),
        ]
    return "\n\n".join([*parts, _command(records)])


def _command(records: Records) -> str:
    data = records.evaluation
    words = ["instanseg-export evaluate", data.model.replace(" ", "_"), data.source, data.source]
    if data.only:
        words += ["--only", *(f"{column}={value}" for column, value in data.only.items())]
    if data.drawn_by != "image":
        words += ["--draw-by", data.drawn_by]
    made = data.created.partition("T")[0]
    return f"Made on {made} by\n\n```text\n{' '.join(words)}\n```"


def _failures(records: Records) -> str:
    data = records.evaluation
    first = data.first
    pooled = [row for row in data.scores_in(first.key) if row.how == "pooled"]
    grouped = [row for row in pooled if row.group != ALL] or pooled
    several = len(data.structures) > 1
    parts = ["\n".join(f"- {_share(row, structure=several)}" for row in grouped)]
    groups = {image.name: image.group for image in data.images}
    worst = worst_rows([row for row in data.per_image if row.file == first.key], groups, MOST_PICTURES)
    if worst:
        parts.append(f"The worst images of each group. {LEGEND}")
    for number, row in enumerate(worst, start=1):
        group = f"{groups[row.image]}, " if groups[row.image] else ""
        cells = (
            f"![{title}]({PICTURES_FOLDER}/{name})" for title, name in zip(_SIDES, picture_names(number), strict=True)
        )
        caption = escape(f"{group}{caption_of(row, structure=several)}")
        parts.append(f"**{caption}**\n\n| {_SIDES[0]} | {_SIDES[1]} |\n|---|---|\n| {' | '.join(cells)} |")
    return "\n\n".join(parts)


def _share(row: Scores, *, structure: bool) -> str:
    """Say of a group how much is missed, and how much of what is found is false."""
    what = " ".join(filter(None, [row.group, row.structure if structure else ""])) or "All images"
    missed, false = row.true - row.matched, row.found - row.matched
    parts = []
    if row.true:
        parts.append(f"{missed:,} of {row.true:,} instances are missed ({missed / row.true:.0%})")
    if row.found:
        parts.append(f"{false:,} of {row.found:,} that are found are false ({false / row.found:.0%})")
    else:
        parts.append("nothing is found")
    return f"**{escape(what)}**, {row.images} image{'s' * (row.images != 1)}: {', and '.join(parts)}."


def _runtimes(records: Records) -> str:
    report = records.parity
    kept = [RUNTIME_COLUMNS.index(name) for name in _SHOWN]
    of_page = [runtime for runtime in report.runtimes if runtime.target in TARGETS]
    rows = [runtime_row(report, runtime) for runtime in of_page if runtime.status != "not run"]
    absent = [f"{runtime.label} ({runtime.why})" for runtime in of_page if runtime.status == "not run"]
    parts = [
        f"Recorded on {report.created.partition('T')[0]}, on {len(report.images)} images: the package's samples, and a "
        "standard set of hard cases. Runtimes agree when they find the same instances under the same ids, and hardly a "
        "pixel differs ([the rule](../../README.md#formats-and-runtimes)).",
        "\n".join(markdown_table(_SHOWN, [[row[place] for place in kept] for row in rows])),
        *([f"Not compared: {escape('; '.join(absent))}."] if absent else []),
    ]
    return "\n\n".join(parts)


def _training(model: ZooModel) -> str:
    parts = [model.training]
    if model.has_recipe:
        parts.append(
            "The recipe is [recipe.yaml](recipe.yaml): `python -m instanseg_export.training "
            f"model_zoo/{model.folder.name}/recipe.yaml` ([docs/training.md](../../docs/training.md))."
        )
    if data := training_data(model.card):
        parts.append(f"Training data:\n\n{data}")
    return "\n\n".join(filter(None, parts))
