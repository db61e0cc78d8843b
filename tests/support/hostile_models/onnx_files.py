"""Files of ONNX: tensors that lie elsewhere, damage, and claims."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import partial

import numpy as np
import onnx
from onnx import TensorProto, helper

from support.hostile_models.parts import (
    Member,
    cut,
    flipped,
    later,
    one_file,
    onnx_bytes,
    sound_graph,
    sound_torchscript,
)

__all__ = ["onnx_files"]


def _external(location: str, *, kind: str = "initializer") -> bytes:
    tensor = TensorProto(name="far", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    if kind == "initializer":
        return onnx_bytes(sound_graph(initializers=(tensor,)))
    node = helper.make_node("Constant", [], ["far"], value=tensor)
    if kind == "attribute":
        return onnx_bytes(sound_graph(nodes=(node,)))
    if kind == "function":
        function = helper.make_function("own", "f", [], ["far"], [node], [helper.make_opsetid("", 18)])
        return onnx_bytes(functions=(function,))
    branch = helper.make_graph([node], "branch", [], [helper.make_tensor_value_info("far", TensorProto.FLOAT, [4])])
    condition = onnx.numpy_helper.from_array(np.array(True), "yes")
    choice = helper.make_node("If", ["yes"], ["chosen"], then_branch=branch, else_branch=branch)
    return onnx_bytes(sound_graph(initializers=(condition,), nodes=(choice,)))


def onnx_files() -> Iterator[Member]:
    for place in ("/etc/passwd", "../../secret.bin", "weights.bin", "", "/dev/zero", "a\x1b]0;b\x07"):
        build = one_file("model.onnx", later(_external, place))
        yield Member(f"ONNX: a tensor in {place!r}", build)
    for kind in ("attribute", "branch", "function"):
        yield Member(f"ONNX: a tensor of a {kind} elsewhere", one_file("model.onnx", later(_external, "w", kind=kind)))
    for tenth in range(10):
        yield Member(f"ONNX: cut at {tenth} tenths", one_file("model.onnx", partial(cut, onnx_bytes(), tenth)))
    size = len(onnx_bytes(graph_sha256=""))
    for bit in range(0, size - 4000, max(1, (size - 4000) // 20)):
        # All of the graph is under the hash; the last part, the description itself, is not.
        build = one_file("model.onnx", partial(flipped, onnx_bytes(), bit))
        yield Member(f"ONNX: a bit flipped at {bit}", build, harmless=bit < 100)
    field = struct.pack("<B", 7 << 3 | 2)
    yield Member("ONNX: a graph of 2**60 bytes", one_file("model.onnx", field + b"\x80" * 8 + b"\x10"))
    yield Member("ONNX: an endless number", one_file("model.onnx", field + b"\xff" * 100))
    yield Member("ONNX: two graphs", one_file("model.onnx", lambda: onnx_bytes() + field + b"\x00"))
    yield Member("ONNX: no graph", one_file("model.onnx", b"\x08\x0a"))
    yield Member("ONNX: groups", one_file("model.onnx", b"\x0b\x0c" * 50))
    yield Member("ONNX: a million fields", one_file("model.onnx", b"\x08\x0a" * 1_000_000))
    yield Member("ONNX: noise", one_file("model.onnx", np.random.default_rng(1).bytes(50_000)))
    yield Member("ONNX: nothing", one_file("model.onnx", b""))
    yield Member("ONNX: zeros", one_file("model.onnx", b"\x00" * 1000))
    yield Member("ONNX: a deep graph", one_file("model.onnx", _deep_onnx))
    yield Member("ONNX: a TorchScript file", one_file("model.onnx", sound_torchscript))


def _deep_onnx() -> bytes:
    """Graphs in attributes of nodes in graphs, written from the inside out."""

    def wrapped(number: int, data: bytes) -> bytes:
        length, size = bytearray(), len(data)
        while size > 0x7F:
            length.append(size & 0x7F | 0x80)
            size >>= 7
        return bytes([number << 3 | 2]) + bytes(length) + bytes([size]) + data

    data = b""
    for _ in range(3000):
        data = wrapped(1, wrapped(5, wrapped(6, data)))  # graph.node.attribute.g
    return wrapped(7, data)
