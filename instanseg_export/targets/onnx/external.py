"""Refuses ONNX files that are not self-contained: a tensor that lies in another file can lie anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...errors import PackageError, UnsafeFileError
from ...untrusted.boundary import parsing, plain

__all__ = ["check_tensors"]

_HINT = "Export the checkpoint again, or get the file again from its publisher."


def check_tensors(path: Path) -> None:
    """Load a file's graph, without what it refers to, and refuse tensors that lie in other files.

    Raises:
        PackageError: it is damaged.
        UnsafeFileError: a tensor lies in another file, wherever that is.
    """
    import onnx
    from onnx.external_data_helper import uses_external_data

    with parsing(path, "its graph", PackageError, hint=_HINT):
        model = onnx.load(path, load_external_data=False)
        for tensor in _tensors(model):
            if uses_external_data(tensor) or tensor.external_data:
                place = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
                raise UnsafeFileError(
                    f"{path} is not self-contained: its tensor {plain(tensor.name, 60)} lies in another file"
                    f"{f', {plain(place, 100)!r}' if place else ''}.",
                    hint="Save the model in one file (onnx.save without external data), or export the checkpoint.",
                )


def _tensors(model: Any) -> Iterator[Any]:
    """Yield the tensors of a model's graph, its functions, and the graphs inside of them."""
    waiting = [model.graph]
    nodes = [node for function in model.functions for node in function.node]
    while waiting or nodes:
        if waiting:
            graph = waiting.pop()
            nodes.extend(graph.node)
            yield from graph.initializer
            for sparse in graph.sparse_initializer:
                yield from (sparse.values, sparse.indices)
        for node in nodes:
            for attribute in node.attribute:
                yield from (attribute.t, attribute.sparse_tensor.values, attribute.sparse_tensor.indices)
                yield from attribute.tensors
                waiting.extend(attribute.graphs)
                if attribute.HasField("g"):
                    waiting.append(attribute.g)
        nodes.clear()
