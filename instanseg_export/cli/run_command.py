"""What ``run`` does and shows: one image, or many with a row for each."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from ..api.options import RunOptions
from ..errors import TooLargeError
from ..untrusted.boundary import plain
from .consent import with_trust
from .console import progress, result_console, show_error, show_json, show_table
from .slide_command import slide_command

if TYPE_CHECKING:
    from ..inference.result import RunFailure, RunResult

__all__ = ["run_command"]

_SHOWN = 3


def run_command(
    model: Path,
    images: Sequence[Path],
    options: RunOptions | None,
    *,
    recursive: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Return 0, or 2 when one of several images failed. What does not fit into memory is segmented in tiles."""
    options = options or RunOptions()
    if options.asks_for_tiles:
        return slide_command(model, images, options, as_json=as_json, quiet=quiet)

    def single(trusted: bool) -> RunResult:
        with progress(quiet=quiet) as shown:
            from ..api.run import run

            return run(model, images[0], options, trust=trusted, progress=shown)

    def several(trusted: bool) -> tuple[tuple[RunResult | RunFailure, ...], tuple[str, ...]]:
        with progress(quiet=quiet) as shown:
            from ..api.run import run_many

            return run_many(model, images, options, recursive=recursive, trust=trusted, progress=shown)

    if _is_one(images):
        try:
            result = with_trust(single, options.trust)
        except TooLargeError as large:
            if _asks_for_files(options):
                raise
            if not quiet:
                sys.stderr.write(f"{plain(large.message)} It is segmented in tiles.\n")
            return slide_command(model, images, options, as_json=as_json, quiet=quiet)
        if as_json:
            show_json(dataclasses.asdict(result))
        elif not quiet:
            _show_one(result)
        return 0
    ended, notes = with_trust(several, options.trust)
    failed = sum(1 for one in ended if _error(one) is not None)
    if as_json:
        show_json(
            {
                "images": [_document(one) for one in ended],
                "notes": notes,
                "segmented": len(ended) - failed,
                "failed": failed,
            }
        )
    elif not quiet:
        _show_many(ended, notes)
    for one in ended:
        error = _error(one)
        if error is not None:
            show_error(error)
    return 2 if failed else 0


def _asks_for_files(options: RunOptions) -> bool:
    """Tell whether files were asked for that tiles do not give."""
    return bool(options.polygons or options.table or options.label_format)


def _is_one(images: Sequence[Path]) -> bool:
    from ..inference.inputs import is_folder_of_images

    return len(images) == 1 and not is_folder_of_images(images[0])


def _error(one: RunResult | RunFailure) -> Any:
    return getattr(one, "error", None)


def _document(one: RunResult | RunFailure) -> dict[str, Any]:
    error = _error(one)
    if error is None:
        return dataclasses.asdict(one)
    kind = type(error).__name__
    return {"image": one.image, "error": {"kind": kind, "message": error.message, "hint": error.hint}}


def _area(value: float | None, unit: str, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f} {unit}"


def _show_one(result: RunResult) -> None:
    console = result_console()
    for note in result.notes:
        console.print(Text(f"Note: {note}"))
    rows = [
        (
            found.structure,
            str(found.instances),
            _area(found.median_area, "px", 0),
            _area(found.median_area_um2, "µm²", 1),
        )
        for found in result.found
    ]
    title = f"{result.image.name} in {result.runtime}, {result.seconds:.1f} s"
    show_table(title, ("structure", "instances", "median area", ""), rows)
    console.print(Text("\nWritten: " + "\n         ".join(map(str, result.written))))
    console.print("Next: open the label file in Fiji, QuPath or napari, or look at the overlay.")


def _show_many(ended: Sequence[RunResult | RunFailure], notes: Sequence[str]) -> None:
    console = result_console()
    for note in (*notes, *_grouped(ended)):
        console.print(Text(f"Note: {note}"))
    rows = []
    good: list[RunResult] = []
    for one in ended:
        error = _error(one)
        if error is not None:
            rows.append((str(one.image), "failed", "", "", "", "", error.message))
            continue
        good.append(one)  # type: ignore[arg-type]
        for place, found in enumerate(one.found):  # type: ignore[union-attr]
            areas = _area(found.median_area, "px", 0), _area(found.median_area_um2, "µm²", 1)
            seconds = f"{one.seconds:.1f} s" if place == 0 else ""  # type: ignore[union-attr]
            rows.append(
                (str(one.image) if place == 0 else "", found.structure, str(found.instances), *areas, seconds, "")
            )
    runtime = f" in {good[0].runtime}" if good else ""
    headings = ("image", "structure", "instances", "median area", "", "time", "")
    show_table(f"{len(ended)} images{runtime}", headings, rows)
    failed = len(ended) - len(good)
    objects = sum(found.instances for one in good for found in one.found)
    console.print(Text(f"\n{len(good)} segmented, {objects} objects; {failed} failed."))
    if good:
        console.print(Text(f"Written into {good[0].labels.parent}: {_endings(good)} for each."))


def _endings(good: Sequence[RunResult]) -> str:
    return ", ".join(f"*_{path.name.rpartition('_')[2]}" for path in good[0].written)


def _grouped(ended: Sequence[RunResult | RunFailure]) -> list[str]:
    """Return the notes of all images, those that differ by the image's name alone as one."""
    groups: dict[str, list[str]] = {}
    for one in ended:
        for note in getattr(one, "notes", ()):
            groups.setdefault(note.replace(one.image.name, "the image"), []).append(one.image.name)
    lines = []
    for note, names in groups.items():
        shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
        lines.append(f"{shown}: {note[:1].upper()}{note[1:]}")
    return lines
