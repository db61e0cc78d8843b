"""What ``run`` does and shows of an image that is segmented in tiles."""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from ..api.options import RunOptions
from ..errors import SettingError
from .consent import with_trust
from .console import progress, result_console, show_json, show_table

if TYPE_CHECKING:
    from ..slides.engine.events import RunEvent
    from ..slides.result import SlideResult

__all__ = ["slide_command"]

_URL = re.compile(r"(https?|s3|gs):/+")
_NONE_OF_TILES = ("polygons", "table", "label_format")


def slide_command(model: Path, images: Sequence[Path], options: RunOptions, *, as_json: bool, quiet: bool) -> int:
    """Segment one image in tiles, and return 0; with ``as_json``, events go to stderr as lines of JSON.

    Raises:
        SettingError: there are several images, or files are asked for that tiles do not give.
    """
    if len(images) != 1:
        raise SettingError(
            "In tiles, one image is segmented at a time.", hint="Start a run for each, with an --output of its own."
        )
    given = [f"--{name.replace('_', '-')}" for name in _NONE_OF_TILES if getattr(options, name)]
    if given:
        raise SettingError(
            f"{' and '.join(given)} {'has' if len(given) == 1 else 'have'} no effect in tiles.",
            hint="Leave it out: objects.geojson, objects.parquet and labels.zarr are written in any case.",
        )
    slide = _slide(images[0])
    if options.output is None:
        stem = (slide if isinstance(slide, str) else slide.name).rstrip("/").rpartition("/")[2].partition(".")[0]
        options = dataclasses.replace(options, output=Path(f"{stem}_segmented"))

    def work(trusted: bool) -> SlideResult:
        from ..api.segment_slide import segment_slide

        with progress(quiet=quiet or as_json) as shown:
            tell = _tell if as_json and not quiet else None
            return segment_slide(model, slide, options, trust=trusted, progress=shown, tell=tell)

    try:
        result = with_trust(work, options.trust)
    except KeyboardInterrupt:
        if (Path(options.output or ".") / "tiles").is_dir():
            sys.stderr.write("Finished tiles are kept: continue with --resume.\n")
        raise
    if as_json:
        show_json(dataclasses.asdict(result))
    elif not quiet:
        _show(result)
    return 0


def _slide(image: Path) -> Path | str:
    """Return a URL as it was typed: as a path it has lost a slash."""
    found = _URL.match(str(image))
    return image if found is None else f"{found[1]}://{str(image)[found.end() :]}"


def _tell(event: RunEvent) -> None:
    sys.stderr.write(event.json() + "\n")
    sys.stderr.flush()


def _show(result: SlideResult) -> None:
    console = result_console()
    for note in result.notes:
        console.print(Text(f"Note: {note}"))
    shape = " x ".join(f"{size:,}" for size in result.plane[::-1])
    failed = f", {len(result.failed):,} failed" if result.failed else ""
    title = f"{shape} pixels in {result.tiles:,} tiles{failed}, in {result.runtime}, {result.seconds:.1f} s"
    show_table(title, ("structure", "objects"), [(name, f"{count:,}") for name, count in result.counts.items()])
    console.print(Text("\nWritten: " + "\n         ".join(map(str, result.written))))
    next_step = "drag objects.geojson onto the slide in QuPath" if len(result.plane) == 2 else "read objects.parquet"
    console.print(f"Next: {next_step}, open labels.zarr in napari, or look at the overview.")
