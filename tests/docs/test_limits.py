"""docs/limits.md lists every limit as the code has it."""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from pathlib import Path

from instanseg_export import limits
from support.paths import ROOT


def limits_table() -> str:
    """The table of docs/limits.md, from the constants and the texts below them."""
    body = ast.parse(Path(limits.__file__).read_text(encoding="utf-8")).body
    lines = ["| Limit | Value | What it counts, and why |", "|---|---|---|"]
    for statement, below in pairwise(body):
        if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
            continue
        name = statement.targets[0].id
        if name != "__all__":
            assert isinstance(below, ast.Expr), f"{name} has no text below it"
            assert isinstance(below.value, ast.Constant), f"{name} has no text below it"
            value = getattr(limits, name)
            shown = f"{value:,}" if isinstance(value, int) else f"{value:g}"
            lines.append(f"| `{name}` | {shown} | {' '.join(str(below.value.value).split())} |")
    return "\n".join(lines)


def test_the_table_of_limits_is_the_code_s() -> None:
    page = (ROOT / "docs/limits.md").read_text(encoding="utf-8")
    found = re.search(r"<!-- table: begin -->\n(.*?)\n?<!-- table: end -->", page, re.DOTALL)
    assert found is not None
    assert found[1] == limits_table(), "put this into docs/limits.md:\n" + limits_table()


def test_every_limit_is_listed_for_import() -> None:
    names = re.findall(r"^([A-Z][A-Z_]+) = ", Path(limits.__file__).read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(limits.__all__) == sorted(names)
