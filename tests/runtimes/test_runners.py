"""Our runners stand alone: they prove that a file does."""

from __future__ import annotations

import ast

from instanseg_export.runtimes.registry import builtin_folder


def test_runners_share_no_code_with_the_exporter() -> None:
    for path in builtin_folder().glob("*/*.py"):
        imported = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0
                imported.add(str(node.module).partition(".")[0])
        assert ("instanseg_export" in imported) == (path.parent.name == "torch_eager"), path
