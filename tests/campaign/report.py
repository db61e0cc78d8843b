"""Runs the campaign, and writes the table of docs/reliability.md from what its tests tell.

    python tests/campaign/report.py            runs python -m pytest -m campaign, then writes the table
    python tests/campaign/report.py XML...     writes the table from the files of earlier runs (pytest's --junitxml)
    python tests/campaign/report.py --commit NAME XML...     if those ran at another commit than this one

The table is written only if every test passed and every row has figures.
"""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

if __name__ == "__main__":  # as pytest does for tests
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.figures import MOST, PROPERTY, ROWS
from support.paths import ROOT

__all__ = ["BEGIN", "END", "HEAD", "PAGE", "Row", "page", "rows_of"]

PAGE = ROOT / "docs/reliability.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
HEAD = "| What was tried | How many | What happened | Time |\n|---|--:|---|--:|"


@dataclass
class Row:
    """A row of the table: what its tests told together, and how long they took."""

    tried: int = 0
    figures: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    def add(self, tried: int, figures: dict[str, int]) -> None:
        self.tried += tried
        for name, value in figures.items():
            known = self.figures.get(name, 0)
            self.figures[name] = max(known, value) if name.endswith(MOST) else known + value

    def shown(self, title: str) -> str:
        happened = ", ".join(
            f"{name} {value:,} MB" if name.endswith(MOST) else f"{value:,} {name}"
            for name, value in self.figures.items()
        )
        return f"| {title} | {self.tried:,} | {happened} | {max(1, round(self.seconds / 60))} min |"


def rows_of(reports: Iterable[Path]) -> dict[str, Row]:
    """Return the rows that tests told, by title.

    Raises:
        SystemExit: a test failed, or a row has no figures.
    """
    rows: dict[str, Row] = {}
    for report in reports:
        for case in ElementTree.parse(report).iter("testcase"):
            if case.find("failure") is not None or case.find("error") is not None:
                raise SystemExit(f"{case.get('classname')}.{case.get('name')} failed: the page is not written.")
            told = [json.loads(one.get("value", "")) for one in case.iter("property") if one.get("name") == PROPERTY]
            for one in told:
                row = rows.setdefault(one["row"], Row())
                row.add(one["tried"], one["figures"])
                row.seconds += float(case.get("time", "0")) / len(told)
    missing = [title for title in ROWS if title not in rows]
    if missing:
        raise SystemExit(f"No figures for {', '.join(missing)}: the page is not written.")
    return rows


def page(text: str, rows: dict[str, Row], day: str, commit: str) -> str:
    """Return the text of docs/reliability.md with new figures."""
    start, found, rest = text.partition(BEGIN)
    _, closed, end = rest.partition(END)
    if not found or not closed:
        raise SystemExit(f"{PAGE} has no place for the figures.")
    hours = sum(row.seconds for row in rows.values()) / 3600
    when = f"On {day}, at commit{'s' * ('`' in commit)} `{commit}`, the tests ran for {hours:.1f} hours in all:"
    table = "\n".join([HEAD, *(rows[title].shown(title) for title in ROWS)])
    return f"{start}{BEGIN}\n{when}\n\n{table}\n{END}{end}"


def main(reports: list[Path], commit: str) -> None:
    """Run the campaign where no reports are given, and write the table."""
    commit = commit or subprocess.run(
        ["git", "describe", "--always", "--abbrev=10", "--dirty", "--exclude=*"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        if not reports:
            reports = [Path(folder) / "campaign.xml"]
            command = [sys.executable, "-m", "pytest", "-m", "campaign", f"--junitxml={reports[0]}"]
            command += ["-o", "junit_family=xunit1"]  # which has properties of tests
            subprocess.run(command, cwd=ROOT, check=False)
        rows = rows_of(reports)
    day = datetime.date.today().isoformat()
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), rows, day, commit), encoding="utf-8")
    sys.stdout.write(f"Written: {PAGE}\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commit", default="")
    parser.add_argument("reports", nargs="*", type=Path, metavar="XML")
    given = parser.parse_args()
    main(given.reports, given.commit)
