"""The verb ``evaluate``: what it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from ...api.options import EvaluateOptions
from .flat import FLAT

__all__ = ["evaluate"]


def evaluate(
    model: Path,
    images: Path,
    labels: Path,
    /,
    *,
    options: Annotated[EvaluateOptions | None, FLAT] = None,
    json: bool = False,
    quiet: bool = False,
) -> int:
    """Compare what a model finds with label maps made by people: F1, F1µ, SQ, PQ, AP.

    Typical calls:

      instanseg-export evaluate my_model images/ labels/ --output evaluation
      instanseg-export evaluate my_model "test/*.tif" "test_labels/*.png"
      instanseg-export evaluate my_model data.zip data.zip --only split=val
      instanseg-export evaluate my_model images/ labels/ --runtimes torchscript onnxruntime

    An image and a label map are a pair when their names are equal up to the
    ending; the label map's may also end in _labels, -mask and the like.

    Parameters
    ----------
    model
        A package's folder or zip, or one exported file.
    images
        A folder with its subfolders, a file, a pattern in quotes, a zip, or a folder in a zip (data.zip/images). A
        subfolder called images is meant if there is one.
    labels
        The label maps, alike; a subfolder called labels or masks is meant. One number per instance, 0 for background.
    options
        See EvaluateOptions.
    json
        Print one JSON document on stdout, and nothing else there.
    quiet
        Print errors only.
    """
    from ..evaluate_command import evaluate_command

    return evaluate_command(model, images, labels, options, as_json=json, quiet=quiet)
