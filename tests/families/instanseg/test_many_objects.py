"""So many objects that the pixels of all windows are more than float32 can count."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from instanseg_export import build_forward
from instanseg_export.targets import write_artifact
from support.planted import planted_checkpoint, planted_image


@pytest.mark.slow
def test_ten_thousand_objects_are_the_same_in_both_formats(tmp_path: Path) -> None:
    checkpoint = planted_checkpoint()
    forward = build_forward(checkpoint, {"min_size": 0})
    write_artifact("torchscript", forward, checkpoint, tmp_path / "instanseg.pt")
    write_artifact("onnx", forward, checkpoint, tmp_path / "model.onnx")
    image = planted_image(10_000)
    with torch.inference_mode():
        expected = torch.jit.load(tmp_path / "instanseg.pt")(torch.from_numpy(image)).numpy()
    assert len(np.unique(expected)) == 10_001
    assert 10_000 * 64 * 64 > 2**24
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    np.testing.assert_array_equal(session.run(None, {"image": image})[0], expected)
