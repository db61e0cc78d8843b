"""ONNX: what ONNX Runtime runs in Python, Java, C++, C# and web pages."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ExportError, PackageError
from ..metadata import LABELS, METADATA_KEY, ModelMetadata, parse_metadata
from .onnx_file import check_tensors, graph_sha256, outline

if TYPE_CHECKING:
    from ..forwards.base import Forward

__all__ = ["OPSET", "TARGET", "OnnxTarget", "with_metadata"]

OPSET = 18
"""The zoo's services run ONNX Runtime 1.20, and deepImageJ an older one."""

IR_VERSION = 10

_INPUT = "image"
_AXES = {2: ("batch", "channels", "height", "width"), 3: ("batch", "channels", "depth", "height", "width")}
_LARGEST = {"batch": 1024, "channels": 512, "depth": 4096, "height": 32768, "width": 32768}
_EXAMPLE = {2: (1180, 1310), 3: (24, 40, 48)}
"""Sizes that are not special: an exporter takes 0, 1 and equal sizes for constants, also those of the coarsest maps and
of the windows in them. It computes no values."""


class OnnxTarget:
    """Exports the forward through torch.export; loops become Loop and Scan, tunables overridable initializers."""

    name = "onnx"
    filename = "model.onnx"
    describes = f"ONNX opset {OPSET}, for ONNX Runtime from 1.20 in Python, Java, C++ and web pages"
    overridable = True
    dynamic_shapes = True
    exposes_stages = True

    def unavailable(self) -> str | None:
        """See :class:`targets.base.Target`."""
        return None

    def write(self, forward: Forward, metadata: ModelMetadata, path: Path) -> None:
        """See :class:`targets.base.Target`."""
        import onnx

        # Unsorted: the order of the stages says which comes first.
        metadata = metadata.model_copy(update={"stages": _tensors(forward)})
        try:
            model = _to_onnx(forward, metadata)
            onnx.checker.check_model(model, full_check=True)
        except Exception as error:  # the exporter raises errors of many kinds, with pages of text
            reason = next((line for line in str(error).strip().splitlines() if line.strip()), type(error).__name__)
            raise ExportError(
                f"The ONNX exporter refused the forward of {metadata.spec.name}: {reason}",
                hint="This is a defect of instanseg-export: please report it with the output of --debug.",
            ) from error
        path.write_bytes(with_metadata(model, metadata))

    def read_metadata(self, path: Path) -> ModelMetadata | None:
        """See :class:`targets.base.Target`."""
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


TARGET = OnnxTarget()


def with_metadata(model: Any, metadata: ModelMetadata) -> bytes:
    """Return the bytes of a file: the model, with its description as the only property.

    Args:
        model: an ``onnx.ModelProto``; it gets the property too.
        metadata: it is completed by the hash of the graph.
    """
    import onnx

    del model.metadata_props[:]
    digest = graph_sha256(model.SerializeToString(deterministic=True))
    text = metadata.model_copy(update={"graph_sha256": digest}).text()
    onnx.helper.set_model_props(model, {METADATA_KEY: text})
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _to_onnx(forward: Forward, metadata: ModelMetadata) -> Any:
    import copy

    import torch

    from .onnx_signature import OnnxSignature

    names = [_INPUT, *(row.name for row in metadata.tunables if not row.fixed)]
    # In any other order of a weight's numbers the exporter wants to know which sizes of features can be 1.
    signature = OnnxSignature(copy.deepcopy(forward).to(memory_format=torch.contiguous_format), names[1:])  # type: ignore[call-arg]
    sizes = [size for size in _AXES[forward.dimensions] if size != "channels" or forward.channels == 0]
    axes = [_AXES[forward.dimensions].index(size) for size in sizes]
    shape = {axis: torch.export.Dim(size, min=1, max=_LARGEST[size]) for axis, size in zip(axes, sizes, strict=True)}
    image = torch.rand(2, forward.channels or 3, *_EXAMPLE[forward.dimensions])
    baked = signature.baked()
    with warnings.catch_warnings(), _quiet(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.compiler.reset()  # or loop bodies of an earlier export, with its sizes, are taken for this one's
        # Guards such as "a width of 2 has other strides" hold for all sizes as far as values are concerned.
        program = torch.export.export(
            signature,
            (image, baked),
            dynamic_shapes=(shape, {name: {} for name in baked}),
            prefer_deferred_runtime_asserts_over_guards=True,
        )
        exported = torch.onnx.export(
            program,
            dynamo=True,
            opset_version=OPSET,
            input_names=names,
            output_names=list(_tensors(forward).values()),
            custom_translation_table={
                torch.ops.aten.masked_select.default: _masked_select,
                torch.ops.aten.div.Tensor_mode: _divide,
                torch.ops.aten.div.Scalar_mode: _divide,
            },
            verbose=False,
        )
    assert exported is not None
    return _finish(exported.model_proto, baked, metadata)


def _masked_select(values: Any, mask: Any) -> Any:
    """Copy what is chosen; the exporter's own way is to list the places first and to gather from them."""
    from onnxscript import opset18

    return opset18.Compress(values, mask)


def _divide(values: Any, divisor: Any, rounding_mode: str | None = None) -> Any:
    """Divide whole numbers as such; the exporter divides float32 numbers, which is wrong beyond 2**24."""
    from onnxscript import opset18
    from onnxscript.function_libs.torch_lib.ops.core import aten_div_mode

    if not values.dtype.is_integer() or rounding_mode is None:
        return aten_div_mode(values, divisor, rounding_mode=rounding_mode)
    divisor = opset18.CastLike(divisor, values)
    if rounding_mode == "trunc":
        return opset18.Div(values, divisor)
    return opset18.Div(opset18.Sub(values, opset18.Mod(values, divisor)), divisor)


def _tensors(forward: Forward) -> dict[str, str]:
    """Return the name of the tensor of each stage: outputs have their own, others have one that says what they are."""
    outputs = {"labels": LABELS} | {output.name: output.name for output in forward.further}
    return {stage: outputs.get(stage, f"stage.{stage}") for stage in forward.stage_names}


def _finish(model: Any, defaults: dict[str, Any], metadata: ModelMetadata) -> Any:
    """Make settings optional and stages internal, and drop what says more of this machine than of the model."""
    import onnx

    graph = model.graph
    for name, value in defaults.items():
        graph.initializer.append(onnx.numpy_helper.from_array(value.numpy(), name))
    results = {output.name: output for output in graph.output}
    del graph.output[:]
    graph.output.extend(results[name] for name in (output.name for output in metadata.outputs))
    _name_axes(graph, _AXES[len(graph.input[0].type.tensor_type.shape.dim) - 2])
    for node in _all_nodes(graph):
        del node.metadata_props[:]
        node.doc_string = ""
    del graph.value_info[:]
    del graph.metadata_props[:]
    for value in [*graph.input, *graph.output]:
        del value.metadata_props[:]
    model.ir_version = IR_VERSION
    model.producer_name = "instanseg-export"
    model.producer_version = metadata.version
    model.doc_string = f"{metadata.spec.name}: image in, label map out"
    return model


def _name_axes(graph: Any, axes: tuple[str, ...]) -> None:
    """Give the symbols of the image's shape their names, in inputs and outputs."""
    image = graph.input[0].type.tensor_type.shape.dim
    names = {dim.dim_param: name for dim, name in zip(image, axes, strict=True) if dim.dim_param}
    for value in [*graph.input, *graph.output]:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param:
                dim.dim_param = names.get(dim.dim_param, dim.dim_param)


def _all_nodes(graph: Any) -> Any:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _all_nodes(attribute.g)


@contextlib.contextmanager
def _quiet() -> Any:
    """Keep the exporter's progress and remarks about packages that it would like off the terminal."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
