"""An image as a network of the second stage sees it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...families.instanseg.settings import INSTANSEG_SETTINGS
from ...families.settings import NORMALIZE_MODES, resolve_settings
from ...families.two_stage.spec import ClassifiedSpec
from ...stages.intensities import divide_raw
from ...stages.normalize import finite, normalize
from ..data.dataset import AnnotatedImage
from ..recipe_file import Plan

__all__ = ["seen_pixels"]


def seen_pixels(plan: Plan, image: AnnotatedImage) -> Tensor:
    """Return the pixels (1, C, H, W) float32 of which the forward cuts crops.

    A classifier sees raw intensities divided by a number, marker positivity normalised ones.

    Args:
        plan: of the training.
        image: raw or normalised; a grey one is shown to all channels.
    """
    pixels = torch.from_numpy(np.ascontiguousarray(image.pixels, dtype=np.float32))[None]
    channels = plan.spec.channels
    if channels is not None and pixels.shape[1] == 1:
        pixels = pixels.expand(-1, channels, -1, -1)
    settings = resolve_settings(plan.spec.settings, {}, table=INSTANSEG_SETTINGS)
    mode = torch.tensor(NORMALIZE_MODES.index(str(settings["normalize"])))
    clean = finite(pixels)
    if isinstance(plan.spec, ClassifiedSpec):
        return divide_raw(clean, mode, plan.spec.divisor)
    return normalize(clean, mode)
