"""EmbedSeg's networks, augmentation and labels against its own package, live, with random weights in 2D and 3D."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from instanseg_export import build_forward, load_checkpoint
from support.agreement import agreement

pytest.importorskip(
    "EmbedSeg.utils.utils",
    reason="needs EmbedSeg: pip install --no-deps --target PEERS/EmbedSeg EmbedSeg==0.2.5, and PYTHONPATH=PEERS",
)

from support.embedseg_models import model_of, predict, save_run

pytestmark = pytest.mark.peer

SIZES = {
    "image": (1, 96, 120),
    "channels": (3, 64, 64),
    "uneven image": (1, 61, 83),
    "image beyond the grid": (1, 100, 150),
    "volume": (1, 16, 40, 48),
    "uneven volume": (2, 13, 37, 45),
    "volume beyond the grid": (1, 16, 40, 70),
    "volume of more slices than the grid": (1, 37, 30, 40),
}


def image_of(*size: int) -> Tensor:
    """Smooth noise in the range of normalised images."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(1, *size, generator=generator)
    kernel = 5
    smooth = torch.nn.AvgPool2d if len(size) == 3 else torch.nn.AvgPool3d
    blurred: Tensor = smooth(kernel, stride=1, padding=kernel // 2)(noise)
    return (blurred * 4 - 1.5 + 0.1 * noise).clamp(-0.5, 1.5)


@pytest.mark.parametrize("tta", [False, True], ids=["", "augmented"])
@pytest.mark.parametrize("name", SIZES)
def test_network_and_labels_are_upstreams(name: str, tta: bool, tmp_path: Path) -> None:
    image = image_of(*SIZES[name])
    axes = image.dim() - 2
    model = model_of(image_of(SIZES[name][0], *[24, 48, 48][3 - axes :]), seed=len(name))
    forward = build_forward(load_checkpoint(save_run(model, axes, tmp_path / "run")), {"normalize": "never"})
    output, expected = predict(model, image, tta)
    with torch.inference_mode():
        stages = forward.stages(image, {"tta": torch.tensor(tta)})
    torch.testing.assert_close(stages["network"], output, rtol=1e-4, atol=1e-4)
    assert int(expected.max()) > 3, "nothing to compare"
    instances, pixels = agreement(np.asarray(stages["labels"][0, 0]), expected.numpy())
    assert instances >= 0.999
    assert pixels >= 0.999
