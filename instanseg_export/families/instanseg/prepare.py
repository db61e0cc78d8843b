"""From a checkpoint to InstanSeg's forward."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from torch import nn

from ...errors import SettingError
from ...layers.folding import for_inference
from ...stages.cluster import PixelClustering
from ...stages.cluster_augmented import AugmentedClustering
from ...stages.cluster_guided import GuidedClustering
from ...stages.tiles import TiledNetwork
from ..checkpoint import Checkpoint
from ..settings import Value, resolve_settings
from .augmented import AugmentedNetwork
from .forward import InstanSegForward
from .settings import INSTANSEG_SETTINGS
from .spec import InstanSegSpec

__all__ = ["build", "prepare"]


def build(checkpoint: Checkpoint, settings: Mapping[str, Any]) -> InstanSegForward:
    """Build the forward of an InstanSeg checkpoint; see :func:`families.registry.build_forward`."""
    spec = cast(InstanSegSpec, checkpoint.spec)
    parts = prepare(spec, checkpoint.network, {**spec.settings, **settings})
    return InstanSegForward(spec, *parts).eval().requires_grad_(False)


def prepare(
    spec: InstanSegSpec, network: nn.Module, settings: Mapping[str, Any]
) -> tuple[nn.Module, PixelClustering | GuidedClustering | AugmentedClustering, dict[str, Value]]:
    """Return what :class:`InstanSegForward` is made of: the folded network, its clustering, and all settings.

    Raises:
        SettingError: a setting has an unknown name or an unfit value.
    """
    baked = resolve_settings(settings, table=INSTANSEG_SETTINGS)
    flags = baked["target_segmentation"]
    if len(spec.structures) > 1 and not any(flags[: len(spec.structures)]):  # type: ignore[index]
        raise SettingError(
            f"target_segmentation {flags} chooses none of {', '.join(spec.structures)}.",
            hint="Set one of the flags to 1.",
        )
    folded = for_inference(network)
    classifier: Any = folded.pixel_classifier
    clustering: PixelClustering | GuidedClustering | AugmentedClustering
    if spec.feature_engineering == "10":
        clustering = GuidedClustering(classifier, spec.dim_coords)
    else:
        layers = classifier.fc1, classifier.fc2, classifier.fc3
        clustering = PixelClustering(*layers, spec.dim_coords, spec.feature_engineering)
    if spec.backbone.window:
        folded = TiledNetwork(folded)
    if baked["tta"]:
        folded = AugmentedNetwork(folded, spec)
        clustering = AugmentedClustering(clustering, spec.dim_coords, spec.n_sigma)
    return folded, clustering, baked
