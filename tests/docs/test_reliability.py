"""docs/reliability.md has the rows that the campaign tells."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from campaign.report import BEGIN, END, HEAD, PAGE, page, rows_of
from support.figures import PROPERTY, ROWS
from support.paths import TESTS


def test_the_table_has_the_rows_of_the_campaign() -> None:
    figures = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    assert HEAD in figures
    rows = [line for line in figures.partition(HEAD)[2].splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows] == list(ROWS)


def test_every_row_is_told_by_a_test() -> None:
    """Titles that end in a variable are compared by their start."""
    told = set()
    for path in TESTS.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node).startswith("tell(record_property, "):
                title = node.args[1].values[0] if isinstance(node.args[1], ast.JoinedStr) else node.args[1]
                assert isinstance(title, ast.Constant), path
                told.add(str(title.value))
    assert all(any(row.startswith(title) for title in told) for row in ROWS)
    assert all(any(row.startswith(title) for row in ROWS) for title in told)


def write_report(path: Path, titles: tuple[str, ...], *, failed: bool = False) -> Path:
    suite = ElementTree.Element("testsuite")
    for title in titles:
        for number in (1, 2):
            case = ElementTree.SubElement(suite, "testcase", classname="c", name=title, time="90")
            told = {"row": title, "tried": 1000, "figures": {"refused": number, "memory at most": 10 * number}}
            properties = ElementTree.SubElement(case, "properties")
            ElementTree.SubElement(properties, "property", name=PROPERTY, value=json.dumps(told))
    if failed:
        ElementTree.SubElement(case, "failure")
    ElementTree.ElementTree(suite).write(path)
    return path


def test_figures_are_summed_and_largest_kept(tmp_path: Path) -> None:
    reports = [write_report(tmp_path / "a.xml", ROWS[:3]), write_report(tmp_path / "b.xml", ROWS[3:])]
    text = page(f"before\n{BEGIN}\nold\n{END}\nafter\n", rows_of(reports), "2026-01-31", "abc")
    assert text.startswith(f"before\n{BEGIN}\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "On 2026-01-31, at commit `abc`" in text
    assert f"| {ROWS[0]} | 2,000 | 3 refused, memory at most 20 MB | 3 min |" in text


@pytest.mark.parametrize(("titles", "failed", "words"), [(ROWS, True, "failed"), (ROWS[1:], False, "No figures for")])
def test_no_page_from_a_campaign_that_failed(titles: tuple[str, ...], failed: bool, words: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=words):
        rows_of([write_report(tmp_path / "a.xml", titles, failed=failed)])
