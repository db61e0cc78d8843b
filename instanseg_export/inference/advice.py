"""What to try when nothing was found: from the facts of the run."""

from __future__ import annotations

from collections.abc import Sequence

from .model import Ready
from .prepare import Prepared
from .result import Found

__all__ = ["advise"]

_FAR = 2.0
_SMALL = 16


def advise(found: Sequence[Found], image: Prepared, ready: Ready) -> list[str]:
    """Return a sentence about what may be the reason, for a run that found nothing in any structure."""
    if any(one.instances for one in found):
        return []
    name, wanted = image.path.name, ready.contract.pixel_size
    if image.constant:
        fact = f"Nothing was found: every pixel of {name} has the same value in each channel."
        return [f"{fact} Check the file, or choose other --channels."]
    reasons = []
    if min(image.shape[-2:]) * max(image.factors) < _SMALL:
        size = " x ".join(map(str, image.shape))
        reasons.append(f"the image is small ({size} pixels)")
    factor = max(image.factors[-2:], key=lambda each: max(each, 1 / each))
    if wanted is not None and image.pixel_size is None:
        reasons.append(f"the pixel size is unknown (give it with --pixel-size; the model's is {wanted:g} µm)")
    elif image.resampled and not 1 / _FAR < factor < _FAR:
        how = f"enlarged {factor:.3g}" if factor > 1 else f"shrunk {1 / factor:.3g}"
        reasons.append(f"its pixel size is wrong, by which the image was {how} times (give the true --pixel-size)")
    elif image.pixel_size is not None and wanted is None:
        reasons.append("the model is for another pixel size, which it does not say")
    several = len(image.channel_names) > 1
    if ready.contract.channels is None or several:
        listed = ", ".join(image.channel_names[:8]) + (", ..." if len(image.channel_names) > 8 else "")
        reasons.append(f"other channels are needed, or another order (--channels; the model saw: {listed})")
    threshold = ready.value("seed_threshold")
    if isinstance(threshold, float) and threshold > 0.1:
        lower = max(0.1, round(threshold - 0.2, 2))
        reasons.append(f"the objects are faint (--set seed_threshold={lower:g}, now {threshold:g})")
    smallest = ready.value("min_size")
    if isinstance(smallest, int) and smallest > 30:
        reasons.append(f"the objects are small (--set min_size=10, now {smallest})")
    if image.normalize == "never":
        reasons.append("the image is raw and was not normalised (--set normalize=always)")
    reasons.append("the model was trained on another stain or kind of image (dark objects instead of bright ones, say)")
    return [f"Nothing was found. Maybe {'; or '.join(reasons)}."]
