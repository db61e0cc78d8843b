"""The description of itself that an ONNX file carries, bound to its graph by a hash."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import PackageError
from ...metadata import METADATA_KEY, ModelMetadata, parse_metadata
from .external import check_tensors
from .outline import graph_sha256, outline

if TYPE_CHECKING:
    import onnx

__all__ = ["read_embedded", "with_metadata"]


def with_metadata(model: onnx.ModelProto, metadata: ModelMetadata) -> bytes:
    """Return the bytes of a file: the model, with its description as the only property.

    Args:
        model: it gets the property too.
        metadata: it is completed by the hash of the graph.
    """
    import onnx

    del model.metadata_props[:]
    digest = graph_sha256(model.SerializeToString(deterministic=True))
    text = metadata.model_copy(update={"graph_sha256": digest}).text()
    onnx.helper.set_model_props(model, {METADATA_KEY: text})
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def read_embedded(path: Path) -> ModelMetadata | None:
    """Return what :func:`with_metadata` embedded, or None if others wrote the file.

    Raises:
        PackageError: it is damaged, was changed since, refers to other files, or is of a newer version.
    """
    found = outline(path, METADATA_KEY)
    text = found.properties.get(METADATA_KEY)
    metadata = None if text is None else parse_metadata(text, path)
    known = metadata is not None and metadata.graph_sha256
    if known and known != found.graph_sha256:
        raise PackageError(
            f"{path} is damaged, or was changed after the export: its graph is not the one that was written.",
            hint="Export the checkpoint again, or get the file again from its publisher.",
        )
    if not known or found.may_refer:
        check_tensors(path)
    return metadata
