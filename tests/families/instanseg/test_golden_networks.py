"""Our networks against upstream's raw output on real images, with genuine checkpoints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from instanseg_export import load_checkpoint
from support.paths import VARIANTS


def references_of(folder: Path) -> list[Path]:
    """All references of a variant, the smallest first."""
    references = sorted(folder.glob("*.npz"), key=lambda path: (path.stat().st_size, path.name))
    assert len(references) >= 8
    return references


@pytest.mark.parametrize("variant", VARIANTS)
def test_raw_output_equals_upstreams(shared: Path, variant: str) -> None:
    compare(shared, variant, references_of(shared / "golden" / variant)[:3])


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_raw_output_equals_upstreams_on_all_images(shared: Path, variant: str) -> None:
    compare(shared, variant, references_of(shared / "golden" / variant))


def compare(shared: Path, variant: str, references: list[Path]) -> None:
    network = load_checkpoint(shared / "checkpoints" / variant).network
    for reference in references:
        with np.load(reference) as content:
            image, expected = torch.from_numpy(content["input"])[None], torch.from_numpy(content["network"])
        height, width = image.shape[2:]
        padded = F.pad(image.clamp(-2, 3), (0, -width % 16, 0, -height % 16), mode="reflect")
        with torch.no_grad():
            output = network(padded)[0, :, :height:4, :width:4]
        torch.testing.assert_close(output, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))
