"""Configuration of NVIDIA's Triton Inference Server, whose ONNX backend runs the files as they are.

What the backend makes of a configuration was read in its source (triton-inference-server/onnxruntime_backend, June
2026): settings, which are initializers that a caller may override, are inputs marked ``optional``, which needs
``max_batch_size: 0``; a scalar has the dimensions [1]; and what is set for CUDA under ``parameters`` wins.
"""

from __future__ import annotations

from .model_files import ServedFile, Tensor

__all__ = ["MODEL_FILE", "triton_config"]

MODEL_FILE = "model.onnx"


def triton_config(served: ServedFile) -> str:
    """Return a file's config.pbtxt, in protobuf's text format."""
    sizes = (
        "images of one size" if served.fixed_size else "any batch, height and width; a request's images are of one size"
    )
    lines = [
        f"# {served.file.name}: {sizes}.",
        f"name: {_quoted(served.name)}",
        'backend: "onnxruntime"',
        f"default_model_filename: {_quoted(MODEL_FILE)}",
        "# The batch is among the dimensions below. With optional inputs, Triton does not batch requests itself.",
        "max_batch_size: 0",
        *(line for one in served.inputs for line in _tensor("input", one)),
        *(line for one in served.outputs for line in _tensor("output", one)),
        "# On a GPU: no TF32, which rounds to ten bits, and no race of algorithms, which round differently.",
        'parameters { key: "cudnn_conv_algo_search" value { string_value: "1" } }',
        "optimization {",
        "  execution_accelerators {",
        '    gpu_execution_accelerator { name: "cuda" parameters { key: "use_tf32" value: "0" } }',
        "  }",
        "}",
    ]
    return "\n".join(lines) + "\n"


def _tensor(kind: str, tensor: Tensor) -> list[str]:
    sizes = ", ".join(map(str, tensor.shape)) or "1"
    return [
        f"{kind} {{",
        f"  name: {_quoted(tensor.name)}",
        f"  data_type: TYPE_{tensor.data_type}",
        f"  dims: [ {sizes} ]",
        *(["  optional: true"] if tensor.optional else []),
        "}",
    ]


def _quoted(text: str) -> str:
    """Return a string of protobuf's text format, in which all that could end or change it is bytes in octal."""
    kept = (char if char.isprintable() and char not in '"\\' else _octal(char) for char in text)
    return f'"{"".join(kept)}"'


def _octal(char: str) -> str:
    return "".join(f"\\{byte:03o}" for byte in char.encode())
