"""Weights of classifiers of crops, under our names, and what their shapes tell of the network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...archives.safetensors_file import load_safetensors
from ...archives.script_module import read_script_module, tensors_of
from ...archives.torch_archive import TorchArchive, is_script_file, kind_of
from ...archives.torch_file import load_tensors
from ...errors import CheckpointError, SpecError
from ..signatures import WeightSignature
from ..weights import dense_weights, need
from .classifier_spec import ARCHITECTURES, Architecture, CropClassifierSpec, PositivitySpec

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["SIGNATURES", "load_classifier_weights", "measure_classifier", "measure_positivity"]

_CLASSIFIER = "a classifier of cells, which a recipe joins with a segmentation"

SIGNATURES = (
    WeightSignature(b"isab.mab0.fc_q.weight", "MobileNet-ISAB, which a recipe joins with a segmentation"),
    WeightSignature(b"features.0.0.weight", _CLASSIFIER),
    WeightSignature(b"conv_stem.weight", _CLASSIFIER),
)

_WRAPPERS = ("module.", "_orig_mod.", "path_classifier.")
"""What wrappers put in front of names: data parallel, compiled, and the training module of the MONKEY challenge."""

_STEMS = {"torchvision": "features.0.0.weight", "timm": "conv_stem.weight"}


def load_classifier_weights(path: Path) -> dict[str, Tensor]:
    """Read the weights of a classifier, under the names of :mod:`families.two_stage.crop_classifier`.

    Known are the names of the MONKEY challenge's classifier, those of torchvision's EfficientNet and timm's MobileNet
    with one linear layer, and our own.

    Args:
        path: what ``torch.save`` wrote of a state dict, bare or under ``model_state_dict`` or ``state_dict``; a
            ``.safetensors``; or a TorchScript file. Nothing in it is executed.

    Raises:
        UnsafeFileError: it would execute code if it were loaded naively.
        CheckpointError: it is missing, damaged, or holds no weights.
    """
    return dense_weights(_state(path), path, rename=_rename)


def _state(path: Path) -> Mapping[Any, Any]:
    kind = kind_of(path)
    if kind in ("missing", "folder", "special", "empty", "other"):
        fact = {
            "missing": "does not exist",
            "folder": "is a folder",
            "special": "is a pipe or a device",
            "empty": "is empty",
        }
        raise CheckpointError(
            f"The classifier {path} {fact.get(kind, 'is no file of weights')}.",
            hint="Name the file in which training saved the classifier's weights.",
        )
    if kind == "safetensors":
        return load_safetensors(path)[0]
    if is_script_file(path):
        with TorchArchive(path) as archive:
            return tensors_of(read_script_module(archive), path)
    content = load_tensors(path)
    for key in ("model_state_dict", "state_dict", None):
        state = content if key is None else content.get(key) if isinstance(content, Mapping) else None
        if isinstance(state, Mapping) and state:
            return state
    raise CheckpointError(f"{path} holds no weights.", hint="Name the file in which training saved the classifier.")


def _rename(key: str) -> str:
    while key.startswith(_WRAPPERS):
        key = key.partition(".")[2]
    if key.startswith(("model.", "encoder.", "isab.", "head.")):
        return key
    if key.startswith("classifier."):
        # One linear layer: torchvision's comes after dropout, timm's stands alone.
        return {
            "classifier.1.weight": "classifier.0.weight",
            "classifier.1.bias": "classifier.0.bias",
            "classifier.weight": "classifier.0.weight",
            "classifier.bias": "classifier.0.bias",
        }.get(key, key)
    return f"model.{key}"


def _trunk(weights: Mapping[str, Tensor], prefix: str, path: Path) -> tuple[Architecture, Tensor]:
    """Return the architecture whose weights have the same names and shapes, and the weight of the first layer."""
    import torch

    from .crop_classifier import build_trunk

    found = {name.removeprefix(prefix): w.shape for name, w in weights.items() if name.startswith(prefix)}
    library = next((library for library, stem in _STEMS.items() if stem in found), None)
    if library is None:
        raise SpecError(
            f"The weights of {path} are of no known trunk: they have neither {' nor '.join(_STEMS.values())}.",
            hint=f"Known are {', '.join(ARCHITECTURES)}.",
        )
    stem = need(weights, prefix + _STEMS[library], 4, path)
    for architecture in ARCHITECTURES:
        if architecture.startswith("efficientnet") == (library == "torchvision"):
            with torch.device("meta"):
                trunk = build_trunk(architecture, stem.shape[1], 1)
            expected = {k: v.shape for k, v in trunk.state_dict().items() if not k.endswith(".num_batches_tracked")}
            if expected == found:
                return architecture, stem
    raise SpecError(
        f"The weights of {path} look like a trunk of {library}, but fit none that is known.",
        hint=f"Known are {', '.join(ARCHITECTURES)}.",
    )


def measure_classifier(weights: Mapping[str, Tensor], path: Path) -> CropClassifierSpec:
    """Conclude the description of a classifier of crops from its weights.

    The first layer's padding shows in no weight: MobileNets of the MONKEY challenge, with two layers behind their
    trunk, have none, and all others 1.

    Raises:
        SpecError: they are of no known architecture.
        CheckpointError: some are missing, or the trunk's package is not installed.
    """
    architecture, stem = _trunk(weights, "model.", path)
    if stem.shape[1] < 2:
        raise SpecError(
            f"The classifier {path} takes 1 channel, which leaves none for the image: the last one is the mask.",
            hint="Train it on crops with the object's mask as the last channel.",
        )
    first = need(weights, "classifier.0.weight", 2, path)
    deep = "classifier.3.weight" in weights
    last = need(weights, "classifier.3.weight", 2, path) if deep else first
    return CropClassifierSpec(
        architecture=architecture,
        channels=stem.shape[1] - 1,
        stem_padding=0 if deep and architecture.startswith("mobilenet") else 1,
        embedding=first.shape[0] if deep else None,
        logits=last.shape[0],
    )


def measure_positivity(weights: Mapping[str, Tensor], path: Path, heads: int) -> PositivitySpec:
    """Conclude the description of a MobileNet-ISAB from its weights; no weight tells the attention's heads.

    Raises:
        SpecError: they are of no known architecture.
        CheckpointError: some are missing, or the trunk's package is not installed.
    """
    architecture, stem = _trunk(weights, "encoder.model.", path)
    if stem.shape[1] != 2:
        raise SpecError(
            f"The trunk in {path} takes {stem.shape[1]} channels; marker positivity takes 2, one of the image and the "
            "mask.",
            hint="Train it on crops of one channel with the cell's mask.",
        )
    return PositivitySpec.model_validate(
        {
            "architecture": architecture,
            "embedding": need(weights, "encoder.classifier.weight", 2, path).shape[0],
            "heads": heads,
            "inducing_points": need(weights, "isab.I", 3, path).shape[1],
            "norms": "isab.mab0.ln0.weight" in weights,
        }
    )
