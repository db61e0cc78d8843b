"""Tensors that claim more than their data hold."""

from __future__ import annotations

from collections.abc import Iterator

from support.hostile_checkpoints.member import MARKER, Member
from support.hostile_checkpoints.pickles import legacy_form, script_form, zip_form
from support.hostile_checkpoints.steps import call, name, plain, storage, text, view

__all__ = ["tensors"]


def tensors() -> Iterator[Member]:
    for offset, size, stride in (
        *((0, (5,), (1,)), (1, (4,), (1,)), (0, (2, 3), (3, 1)), (0, (10**12,), (0,)), (0, (10**6, 10**6), (0, 0))),
        *((0, (2, 2), (10**15, 1)), (2**63, (1,), (1,)), (-1, (2,), (1,)), (0, (-2,), (1,)), (0, (2,), (-1,))),
        *((0, (2,), (1, 1)), (0, ("2",), (1,)), (None, (2,), (1,)), (0, (2**62, 2**62), (0, 0)), (0, (4.0,), (1,))),
        *((0, [4], [1]), (0, (1,) * 100, (1,) * 100), (0, (0, 2**61, 2**61), (1, 1, 1)), (0, (True,), (1,))),
        *((2**61, (0,), (1,)), (0, (2**63,), (0,)), (0, (3,), (2**62,)), (0, None, None), (0, (), (1,))),
    ):
        steps = b"}" + text(MARKER.decode()) + view(offset, size, stride) + b"s"
        shown = f"{offset} {size} {stride}"[:80]
        for form, build in (("zip", zip_form), ("legacy", legacy_form), ("script", script_form)):
            yield Member(f"tensor, {form}: {shown}", build(steps))
    many = b"(" + b"".join(text(f"w{place}") + view(0, (1 + place % 4,), (0,)) for place in range(5000)) + b"u"
    yield Member("tensor, zip: 5,000 views of one datum", zip_form(b"}" + many))
    for title, steps in {
        "sparse": call("torch._utils", "_rebuild_sparse_tensor", b"NN"),
        "quantised": call("torch._utils", "_rebuild_qtensor", b"N" * 7),
        "without data": call("torch._utils", "_rebuild_meta_tensor_no_storage", b"N", plain((10**9, 10**9))),
        "of a wrapper": call("torch._utils", "_rebuild_wrapper_subclass", b"N" * 5),
        "of a derived type": call(
            "torch._tensor", "_rebuild_from_type_v2", name("torch._tensor", "_rebuild_from_type_v2"), b"N)N"
        ),
        "a parameter of a parameter": call("torch.nn.parameter", "Parameter", call("torch.nn.parameter", "Parameter")),
        "of an unknown type": call(
            "torch._utils", "_rebuild_tensor_v3", storage(), plain(0), plain((4,)), plain((1,)), b"\x89}N"
        ),
        "with no data": call("torch._utils", "_rebuild_tensor_v2", b"N", plain(0), plain((4,)), plain((1,)), b"\x89}"),
    }.items():
        weights = b"}" + text(MARKER.decode()) + steps + b"s"
        yield Member(f"tensor, zip: {title}", zip_form(weights))
        yield Member(f"tensor, script: {title}", script_form(weights), harmless=False)
