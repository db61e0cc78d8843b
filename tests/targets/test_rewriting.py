"""Rules that are asked only where they can apply do what they do when they are asked everywhere."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import onnx
import onnx_ir as ir
import onnxscript.optimizer
import pytest
from onnxscript.rewriter import RewriteRule

from instanseg_export.targets.onnx.rewriting import quick_rewriting

_GRAPH = """
<ir_version: 10, opset_import: ["": 18]>
agraph (float[2, N] image, int64[1] two, int64[1] four, int64[1] zero)
    => (float[N, 2] a, float[2, 2] b, float[2, 2] c) {
    cast = Cast <to = 1> (image)
    turned = Transpose <perm = [1, 0]> (cast)
    back = Transpose <perm = [1, 0]> (turned)
    clipped = Relu (back)
    a = Transpose <perm = [1, 0]> (clipped)
    b = Slice (clipped, zero, two, two)
    c = Slice (clipped, two, four, two)
}
"""


def _optimized(how: Callable[[], contextlib.AbstractContextManager[None]]) -> str:
    model = ir.from_proto(onnx.parser.parse_model(_GRAPH))
    with how():
        onnxscript.optimizer.optimize_ir(model)
    return str(model)


def test_the_graph_is_the_same_for_fewer_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    ask = RewriteRule.try_rewrite

    def counted(rule: RewriteRule, *arguments: object, **options: object) -> object:
        asked.append(rule)
        return ask(rule, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(RewriteRule, "try_rewrite", counted)
    usual = _optimized(contextlib.nullcontext)
    everywhere = len(asked)
    assert "Cast" not in usual, "no rule applies to this graph"
    assert _optimized(quick_rewriting) == usual
    assert len(asked) - everywhere < everywhere / 4


def test_afterwards_the_rules_are_the_usual_ones() -> None:
    from onnxscript import rewriter

    before = rewriter._DEFAULT_REWRITE_RULES
    with pytest.raises(ValueError, match="stop"), quick_rewriting():
        raise ValueError("stop")
    assert rewriter._DEFAULT_REWRITE_RULES is before
