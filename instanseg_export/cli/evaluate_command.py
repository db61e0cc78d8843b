"""What ``evaluate`` does on the command line: calls the API, and shows tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..api.options import EvaluateOptions
from .consent import with_trust
from .console import progress, result_console, show_json, show_table

if TYPE_CHECKING:
    from ..evaluation.result import Evaluation

__all__ = ["evaluate_command"]


def evaluate_command(
    model: Path, images: Path, labels: Path, options: EvaluateOptions | None, *, as_json: bool, quiet: bool
) -> int:
    """Return 0 when every file that runs here segmented every image, else 1."""
    options = options or EvaluateOptions()

    def work(trusted: bool) -> Evaluation:
        with progress(quiet=quiet) as shown:
            from ..api.evaluate import evaluate

            return evaluate(model, images, labels, options, trust=trusted, progress=shown)

    result = with_trust(work, options.trust)
    if as_json:
        show_json(result.document())
    elif not quiet:
        _show(result)
        if options.output is not None:
            result_console().print(
                f"\nWritten: {Path(options.output, 'evaluation.html')}, with tables (CSV), charts (SVG) and "
                "evaluation.json beside it."
            )
        else:
            result_console().print("\nNext: add --output FOLDER for charts, the worst images and a line per object")
    return 0 if result.passed else 1


def _show(result: Evaluation) -> None:
    from ..evaluation.records import ALL
    from ..evaluation.tables import METRIC_TITLES, score_rows, stability_rows

    data, console = result.data, result_console()
    several = len(data.structures) > 1
    head = [*(["structure"] if several else []), "group", "how", "images", "true / found / matched", *METRIC_TITLES]
    rows = [row[1:] if several else row[2:] for row in score_rows(data.scores_in(data.first.key), data, bounds=False)]
    show_table(f"{data.first.title}, IoU {data.iou:g}", head, rows)
    if len(data.files) > 1:
        pooled = [one for one in data.scores if one.group == ALL and one.how == "pooled"]
        status = {file.title: file.status for file in data.files}
        table = [
            [row[0], *(row[1:2] if several else []), status[row[0]], *row[5:]]
            for row in score_rows(pooled, data, bounds=False)
        ]
        console.print()
        head = ["file", *(["structure"] if several else []), "", "true / found / matched", *METRIC_TITLES]
        show_table("All images, pooled", head, table)
    if data.stability:
        console.print()
        show_table("Stability", ["change", "images", "instances", "keep IoU 0.5", "keep IoU 0.9"], stability_rows(data))
    for sentence in data.warnings:
        console.print(f"\nWarning: {sentence}")
    for note in data.notes:
        console.print(f"Note: {note}")
    console.print(f"\n{result.summary()}")
