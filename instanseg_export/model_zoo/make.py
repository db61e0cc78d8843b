"""Records what a model finds and how its files compare, and makes its page and the index of its zoo."""

from __future__ import annotations

import base64
import platform
from collections.abc import Mapping
from pathlib import Path

from ..api.evaluate import evaluate
from ..api.export import export
from ..errors import InstansegExportError, PackageError, ParityError, SettingError
from ..evaluation.records import EvaluationData
from ..evaluation.result import Evaluation
from ..files import check_file, check_folder, scratch_folder, staged_file, staged_files
from ..limits import MAX_REPORT_BYTES
from ..parity.report import Report
from ..progress import Progress
from ..untrusted.json_texts import load_json
from .folder import (
    EVALUATION_FILE,
    PAGE_FILE,
    PARITY_FILE,
    PICTURES_FOLDER,
    TARGETS,
    Records,
    read_evaluation,
    read_model,
    read_parity,
    read_records,
)
from .index import INDEX_FILE, listed, render_index
from .page import HEAD, MOST_PICTURES, picture_names, render_page

__all__ = ["make"]


def make(
    folder: Path,
    *,
    parity: bool = False,
    images: Path | None = None,
    only: Mapping[str, str] | None = None,
    draw_by: str | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Make a model's page and the index of its zoo, the folder above, after what is asked for was recorded anew.

    Page, records and pictures appear together, or not at all.

    Args:
        folder: of the model, with its card and checkpoint.
        parity: export the model, and record how all runtimes compare.
        images: export the model, and record what it finds in these: a folder or zip of images and label maps.
        only: values that columns of the images' index must have.
        draw_by: the column whose images are drawn together for intervals.
        progress: told what was done last.

    Returns:
        What was written.

    Raises:
        CardError: the folder has no card, or one that does not fit its checkpoint.
        CheckpointError: it has no checkpoint, or a damaged one.
        PackageError: a record that is not made anew is missing, damaged or of another checkpoint; or the model failed
            on an image.
        ParityError: runtimes disagree, or there are none to compare.
        ImageError, SettingError: as of :func:`instanseg_export.evaluate`.
        OutputError: a file is in the way that was not made by this function, or cannot be written.
    """
    if images is None and (only or draw_by):
        raise SettingError("--only and --draw-by choose and group images.", hint="Give the images with --evaluate.")
    if folder.name in ("", ".."):
        folder = folder.resolve()
    model = read_model(folder)
    others = [read_model(other) for other in listed(folder.parent) if other != folder]
    read = [(other, read_records(other)) for other in others]
    kept_evaluation = read_evaluation(model) if images is None else None
    kept_parity = None if parity else read_parity(model)
    _check_places(folder)
    with scratch_folder() as scratch:
        package = scratch / model.package
        texts: dict[str, str] = {}
        if parity or images is not None:
            exported = export(model.checkpoint, targets=TARGETS, output=package, validate=parity, progress=progress)
        if parity:
            texts[PARITY_FILE] = _parity_text(exported.report)
        found: Evaluation | None = None
        if images is not None:
            found = evaluate(package, images, images, only=only or {}, draw_by=draw_by, progress=progress)
            texts[EVALUATION_FILE] = _evaluation_text(found)
    records = Records(
        kept_evaluation or EvaluationData.model_validate_json(texts[EVALUATION_FILE]),
        kept_parity or Report.model_validate_json(texts[PARITY_FILE]),
    )
    texts[PAGE_FILE] = render_page(model, records)
    index = render_index([*read, (model, records)])
    return _write(folder, texts, found, index)


def _check_places(folder: Path) -> None:
    """Refuse early what may not be replaced."""
    for path in (folder / PAGE_FILE, folder / EVALUATION_FILE, folder / PARITY_FILE, folder.parent / INDEX_FILE):
        check_file(path, overwrite=True, ours=_is_ours)
    check_folder(folder / PICTURES_FOLDER, kind=PICTURES_FOLDER, overwrite=True)


def _parity_text(report: Report | None) -> str:
    """Return a report as JSON without pictures, which the page does not show."""
    assert report is not None
    if not report.passed:
        raise ParityError(f"The runtimes disagree: {report.summary()}", hint="See instanseg-export validate.")
    machine = report.machine.model_copy(update={"system": platform.system()})
    return report.model_copy(update={"pictures": (), "machine": machine}).model_dump_json(indent=1) + "\n"


def _evaluation_text(result: Evaluation) -> str:
    if not result.passed:
        raise PackageError(f"Images could not be segmented: {result.summary()}", hint="See instanseg-export evaluate.")
    # Which build of the system it was is nobody's business.
    machine = {**result.data.machine, "system": platform.system()}
    return result.data.model_copy(update={"machine": machine}).model_dump_json(indent=1) + "\n"


def _write(folder: Path, texts: Mapping[str, str], evaluation: Evaluation | None, index: str) -> list[Path]:
    pictures, listing = folder / PICTURES_FOLDER, folder.parent / INDEX_FILE
    with staged_files(folder, overwrite=True, ours=_is_ours) as files:
        for name, text in texts.items():
            files.add(folder / name).write_text(text, encoding="utf-8", newline="\n")
        if evaluation is not None:
            _write_pictures(evaluation, files.add_folder(pictures, kind=PICTURES_FOLDER))
    with staged_file(listing, overwrite=True, ours=_is_ours) as place:
        place.write_text(index, encoding="utf-8", newline="\n")
    return [*(folder / name for name in texts), *([] if evaluation is None else [pictures]), listing]


def _write_pictures(evaluation: Evaluation, folder: Path) -> None:
    """Write the pictures of the worst images, in the order in which the page takes them from the record."""
    for number, picture in enumerate(evaluation.pictures[:MOST_PICTURES], start=1):
        for name, (_, content) in zip(picture_names(number), picture.panels, strict=True):
            (folder / name).write_bytes(base64.b64decode(content))


def _is_ours(path: Path) -> bool:
    """Tell whether a file is one that :func:`make` wrote before: nothing that people wrote is replaced."""
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8", errors="replace").startswith(HEAD)
    try:
        content = load_json(path, "a record", PackageError, finite=False, limit=MAX_REPORT_BYTES)
    except InstansegExportError:
        return False
    return isinstance(content, dict) and any(key <= content.keys() for key in _KEYS)


_KEYS = ({"format", "models"}, {"model", "rule", "cells"}, {"model", "scores", "per_image"})
"""By which an index, a parity report and an evaluation are known."""
