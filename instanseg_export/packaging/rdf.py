"""The resource description (RDF) of a model: ``rdf.yaml``, as the zoo, Fiji and Python read it.

Fiji's deepImageJ reads it by JDLL (0.6.1 in deepImageJ 3.1; 0.5.10 and 0.6.3 read the same). Beyond the format it
wants an ``id``, axes of one letter, and on an output no other ``scale`` than 1: it takes the scale for the ratio of the
output's size to the input's, so that a pixel size there makes it expect a result of another size, and the run fails.
QuPath, on the other hand, takes the pixel size from that very key. It prefers ``model.yml`` over ``rdf.yaml``, and
nobody else reads that: so the same description, with pixel sizes, goes there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from .. import __version__
from ..families.outputs import FurtherOutput
from ..files import sha256_of
from ..metadata import LABELS
from .contents import Contents, require_weights
from .rdf_file import quiet_reader

__all__ = [
    "TEST_INPUT",
    "describe",
    "file_entry",
    "preprocess",
    "test_output",
    "with_pixel_size",
]

FORMAT_VERSION = "0.5.5"
"""An early version that has all we need, so that older readers take the file too. From 0.5.11 on the documentation and
the covers are groups of keys instead of paths, which QuPath's reader refuses."""

TEST_INPUT = "test-input.npy"
INPUT_ID = "raw"

_ANY_CHANNELS = "c"
_ROWS = "i"
"""Ids of axes that are no space and have no channel names: JDLL wants one letter, and ``c`` for channels."""

_SMALLEST = {"z": 8, "y": 32, "x": 32}
"""Smallest sizes that clients are told of. Every size works, but some take the smallest for a tile."""

_SMALLEST_WITH_ROWS = 128
"""The same for models with a row per instance: the zoo cuts pieces of this size out of the middle of the test image,
and takes an output without rows for an error."""

_TORCHSCRIPT_NEEDS = "2.0.0"
_MODALITIES = (
    "electron-microscopy",
    "cryo-electron-microscopy",
    "fluorescence-light-microscopy",
    "transmission-light-microscopy",
    "super-resolution-microscopy",
    "x-ray-microscopy",
    "force-microscopy",
    "high-content-imaging",
    "whole-slide-imaging",
    "other",
)
_SOFTWARE = ("qupath", "fiji", "imagej", "deepimagej")


def test_output(name: str) -> str:
    """Return the file name of an output's test tensor."""
    return f"test-output-{name}.npy"


def file_entry(folder: Path, name: str) -> dict[str, str]:
    """Return a file of the package with its hash, as the RDF lists it."""
    return {"source": name, "sha256": sha256_of(folder / name)}


def _model_id(name: str) -> str:
    """Return an id made of a model's name; the zoo replaces it by its own when the model is published."""
    return re.sub(r"[^a-z0-9_]+", "-", name.lower()).strip("-_") or "model"


def _identifier(name: str) -> str:
    """Older readers want channel names to be identifiers."""
    text = re.sub(r"\W+", "_", name).strip("_") or "channel"
    return f"channel_{text}" if text[0].isdigit() else text


def _space(axis: str, size: dict[str, Any]) -> dict[str, Any]:
    return {"type": "space", "id": axis, "size": size}


def _short(scale: float) -> float:
    """Return a scale that survives a product with a size and a division by itself.

    The zoo's reader compares an output's size with the input's, times its scale, divided by the output's, and
    96 * 0.2 / 0.2 is not 96. With the digits of a float32 the product is exact; the difference is below a part in ten
    million.
    """
    if all(size * scale / scale == size for size in range(1, 4097)):
        return scale
    return float(np.float32(scale))


def _space_axes(model: Contents) -> dict[str, float | None]:
    """Return the spatial axes, and the distance of neighbours in micrometres along each."""
    axes = {"y": model.pixel_size, "x": model.pixel_size}
    return {"z": model.slice_distance, **axes} if model.forward.dimensions == 3 else axes


def _like_input(axis: str) -> dict[str, Any]:
    """Return an axis of an output that has the input's size. JDLL 0.5.10 takes a missing scale for -1."""
    return _space(axis, {"tensor_id": INPUT_ID, "axis_id": axis, "offset": 0}) | {"scale": 1.0}


def with_pixel_size(content: Mapping[str, Any], model: Contents) -> dict[str, Any]:
    """Return a description with the distance of neighbours on each spatial axis whose distance is known."""
    copy = deepcopy(dict(content))
    distances = _space_axes(model)
    for tensor in [*copy["inputs"], *copy["outputs"]]:
        for axis in tensor["axes"]:
            if axis["type"] == "space" and (distance := distances[axis["id"]]):
                axis |= {"unit": "micrometer", "scale": _short(float(distance))}
    return copy


def _input(model: Contents) -> dict[str, Any]:
    if model.channel_names is None:
        # QuPath reads an index axis of step 1 as "any number of channels".
        channel_axis: dict[str, Any] = {"type": "index", "id": _ANY_CHANNELS, "size": {"min": 1, "step": 1}}
    else:
        names = [_identifier(name) for name in model.channel_names]
        channel_axis = {"type": "channel", "id": "channel", "channel_names": names}
    # Step 1: the model pads by itself. A client that sees another step cuts the image into tiles, and ids collide.
    space = _space_axes(model)
    pixels = f", with pixels of {model.pixel_size:g} µm" if model.pixel_size else ""
    return {
        "id": INPUT_ID,
        "description": f"Raw image of any range{pixels}; images that are normalised already are left as they are.",
        "axes": [
            {"type": "batch"},
            channel_axis,
            *(_space(axis, {"min": _smallest(axis, model), "step": 1}) for axis in space),
        ],
        "data": {"type": "float32"},
        "preprocessing": [
            {
                "id": "scale_range",
                "kwargs": {
                    "axes": list(space),
                    "min_percentile": model.forward.percentiles[0],
                    "max_percentile": model.forward.percentiles[1],
                },
            }
        ],
    }


def _smallest(axis: str, model: Contents) -> int:
    if axis != "z" and any("instance" in output.axes for output in model.forward.further):
        return min([_SMALLEST_WITH_ROWS, *map(int, model.samples[0].image.shape[-2:])])
    return _SMALLEST[axis]


def _output(model: Contents) -> dict[str, Any]:
    return {
        "id": LABELS,
        "description": "Label maps: 0 is background, each instance has an id from 1 on.",
        "axes": [
            {"type": "batch"},
            {"type": "channel", "id": "channel", "channel_names": model.structures},
            *map(_like_input, _space_axes(model)),
        ],
        "data": {"type": "float32"},
    }


def _further(output: FurtherOutput, model: Contents) -> dict[str, Any]:
    """Return a result beside the label map, without its files."""
    axes: list[dict[str, Any]] = []
    for axis in output.axes:
        if axis == "batch":
            axes.append({"type": "batch"})
        elif axis == "instance":
            # How many rows there are depends on the image.
            axes.append({"type": "index", "id": _ROWS, "size": {"min": 1}})
        elif axis == "channel":
            axes.append(_columns(output, model))
        else:
            axes.append(_like_input(axis))
    data: dict[str, Any] = {"type": output.dtype}
    if output.values:
        data["values"] = list(output.values)
    return {"id": output.name, "description": output.help, "axes": axes, "data": data}


def _columns(output: FurtherOutput, model: Contents) -> dict[str, Any]:
    names = output.channels or model.channel_names
    if names is None:
        return {"type": "index", "id": _ANY_CHANNELS, "size": {"tensor_id": INPUT_ID, "axis_id": _ANY_CHANNELS}}
    return {"type": "channel", "id": "channel", "channel_names": [_identifier(name) for name in names]}


def _opset(path: Path) -> int:
    import onnx

    model = onnx.load(str(path), load_external_data=False)
    return int(next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")))


def _weights(folder: Path, model: Contents) -> dict[str, Any]:
    weights: dict[str, Any] = {}
    if name := model.file_of("torchscript"):
        weights["torchscript"] = {**file_entry(folder, name), "pytorch_version": _TORCHSCRIPT_NEEDS}
    if name := model.file_of("onnx"):
        parent = {"parent": "torchscript"} if "torchscript" in weights else {}
        weights["onnx"] = {**file_entry(folder, name), **parent, "opset_version": _opset(folder / name)}
    require_weights([artifact.target for artifact in model.artifacts])
    return weights


def _tags(model: Contents) -> list[str]:
    given = model.card.tags
    modality = [] if any(tag in _MODALITIES for tag in given) else ["other"]
    spec = model.checkpoint.spec
    own = [*spec.tags, "instance-segmentation", *model.structures, f"{spec.dimensions}d", "pytorch", *_SOFTWARE]
    return list(dict.fromkeys([*given, *modality, *own]))


def _given(part: BaseModel) -> dict[str, Any]:
    return {key: value for key, value in part.model_dump(mode="json").items() if value is not None}


def describe(
    folder: Path,
    model: Contents,
    *,
    documentation: str,
    cover: str,
    pictures: Sequence[str],
    attachments: Sequence[str],
) -> dict[str, Any]:
    """Return the content of ``rdf.yaml`` for the files that lie in ``folder``.

    Args:
        folder: of the package; all named files are in it.
        model: what is packaged.
        documentation: file name of the README.
        cover: file name of the cover.
        pictures: file names of a sample image and of its label map.
        attachments: file names of what else belongs to the model.

    Raises:
        PackageError: none of the artifacts is a format that a BioImage.IO model can have.
    """
    card = model.card
    files = {"test_tensor": file_entry(folder, TEST_INPUT), "sample_tensor": file_entry(folder, pictures[0])}
    outputs = [_output(model) | {"sample_tensor": file_entry(folder, pictures[1])}]
    outputs += [_further(output, model) for output in model.forward.further]
    for output in outputs:
        if (folder / test_output(output["id"])).is_file():
            output["test_tensor"] = file_entry(folder, test_output(output["id"]))
    content: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "type": "model",
        "id": _model_id(card.name),
        "name": card.name,
        "description": card.description,
        "version": card.version,
        "authors": [_given(author) for author in card.authors],
        "license": card.license,
        "cite": [_given(entry) for entry in card.cite],
        "tags": _tags(model),
        "documentation": documentation,
        "covers": [cover],
        "inputs": [_input(model) | files],
        "outputs": outputs,
        "weights": _weights(folder, model),
        "attachments": [file_entry(folder, name) for name in attachments],
    }
    if card.maintainers:
        content["maintainers"] = [_given(maintainer) for maintainer in card.maintainers]
    if card.git_repo:
        content["git_repo"] = card.git_repo
    content["config"] = {
        "bioimageio": {
            "architecture_type": model.checkpoint.spec.title,
            "architecture": model.checkpoint.spec.architecture,
            "task": "instance segmentation",
            "target_structure": model.structures,
            "model_parameter_count": sum(weight.numel() for weight in model.checkpoint.network.parameters()),
        },
        "instanseg_export": {
            "version": __version__,
            "source_sha256": model.checkpoint.sha256,
            "settings": model.baked,
            "tunables": [row.model_dump(mode="json", exclude_defaults=True) for row in model.setting_rows],
            "pixel_size": {axis: distance for axis, distance in _space_axes(model).items() if distance},
            **({"network_only": model.network_only} if model.network_only else {}),
        },
    }
    return content


def preprocess(model: Contents, image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Apply the preprocessing that the RDF declares, by bioimageio.core itself.

    Args:
        model: what is packaged.
        image: (B, C, [D,] H, W) raw.

    Returns:
        (B, C, [D,] H, W) float32: exactly what bioimageio.core feeds to each weights entry.
    """
    from bioimageio.core import Sample, Tensor
    from bioimageio.core.proc_setup import setup_pre_and_postprocessing
    from bioimageio.spec.model.v0_5 import InputTensorDescr

    with quiet_reader():
        description = InputTensorDescr.model_validate(_input(model))

    class Inputs:
        inputs = (description,)
        outputs = ()

    axes = [axis.id for axis in description.axes]
    sample = Sample(members={description.id: Tensor.from_numpy(image, dims=axes)}, stat={}, id=None)
    operators: Any = setup_pre_and_postprocessing(cast(Any, Inputs()), dataset_for_initial_statistics=[])
    for operator in operators.pre:
        operator(sample)
    return np.asarray(sample.members[description.id].data.to_numpy(), dtype=np.float32)
