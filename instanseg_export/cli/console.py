"""What is shown while work goes on (stderr) and when it is done (stdout)."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from ..errors import InstansegExportError
from ..plain_text import escaped
from ..progress import Progress

__all__ = ["progress", "result_console", "show_error", "show_json", "show_table", "size_of"]

_STYLES = {
    "passed": "green",
    "ok": "green",
    "failed": "bold red",
    "broken": "bold red",
    "not run": "yellow",
    "missing": "yellow",
}


class _PlainConsole(Console):
    """Prints texts as they are: brackets and colons in a name are no markup, and control characters are written out."""

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*(_text(one) if isinstance(one, str | Text) else one for one in objects), **options)


def _text(text: str | Text) -> Text:
    plain, style = (text.plain, text.style) if isinstance(text, Text) else (text, "")
    return Text("\n".join(escaped(line) for line in plain.split("\n")), style=style)


def result_console() -> Console:
    """Return the console of results, which is as wide as it takes where it is no terminal."""
    return _PlainConsole(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else 240)


@contextlib.contextmanager
def progress(*, quiet: bool) -> Iterator[Progress | None]:
    """Yield a progress that draws a bar on a terminal and prints a line per step elsewhere.

    Whatever a library prints meanwhile goes to stderr, so that stdout holds the result alone.
    """
    with contextlib.redirect_stdout(sys.stderr):
        if quiet:
            yield None
        elif sys.stderr.isatty():
            yield from _bar()
        else:
            yield _lines()


def _bar() -> Iterator[Progress]:
    columns = (
        SpinnerColumn("line"),  # of ASCII, which any terminal has
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=Console(file=sys.stderr), transient=True) as bar:
        task = bar.add_task("starting", total=None)
        yield lambda what, done, total: bar.update(task, description=escaped(what), completed=done, total=total)


def _lines() -> Progress:
    seen: list[str] = []

    def show(what: str, done: int, total: int) -> None:
        if not seen or seen[-1] != what:
            seen.append(what)
            sys.stderr.write(f"[{done}/{total}] {_line(what)}\n")
            sys.stderr.flush()

    return show


def show_error(error: InstansegExportError) -> None:
    """Print an error as two lines that do nothing to a terminal."""
    sys.stderr.write(f"error: {_line(error.message)}\nhint: {_line(error.hint)}\n")


def _line(text: str) -> str:
    """Return text as one line of characters that can be seen."""
    return "".join(char if char.isprintable() else " " for char in escaped(text))


def show_json(document: dict[str, Any]) -> None:
    """Print one JSON document."""
    sys.stdout.write(json.dumps(document, indent=2, default=str, allow_nan=False) + "\n")


def show_table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a title and a table; a cell that says how something ended is coloured."""
    table = Table(show_header=any(headings), show_edge=False, pad_edge=False, box=None)
    for heading in headings:
        table.add_column(_text(heading), overflow="fold")
    for row in rows:
        table.add_row(*(_text(Text(cell, style=_STYLES.get(cell, ""))) for cell in row))
    console = result_console()
    console.print(Text(title, style="bold"), table, sep="\n")


def size_of(count: int) -> str:
    """Return a number of bytes in words, as in "3.4 MB"."""
    if count < 1_000_000:
        return f"{count / 1e3:.1f} kB"
    return f"{count / 1e6:.1f} MB"
