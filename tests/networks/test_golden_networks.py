"""Our networks against upstream's raw output on real images, with genuine checkpoints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import VARIANTS
from torch.nn import functional as F

from instanseg_export import load_checkpoint


@pytest.mark.parametrize("variant", VARIANTS)
def test_raw_output_equals_upstreams(shared: Path, variant: str) -> None:
    network = load_checkpoint(shared / "checkpoints" / variant).network
    references = sorted((shared / "golden" / variant).glob("*.npz"))
    assert len(references) >= 8
    for reference in references:
        with np.load(reference) as content:
            image, expected = torch.from_numpy(content["input"])[None], torch.from_numpy(content["network"])
        height, width = image.shape[2:]
        padded = F.pad(image.clamp(-2, 3), (0, -width % 16, 0, -height % 16), mode="reflect")
        with torch.no_grad():
            output = network(padded)[0, :, :height:4, :width:4]
        torch.testing.assert_close(output, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))
