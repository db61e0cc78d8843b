"""A thousand runs in one process: memory stays where it is."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.figures import tell

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(7200)]

RUNS = 1000
WARM_UP = 100

_PROGRAM = """
import json, sys
import numpy as np, psutil

name, path, sample, runs = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
image = np.load(sample).astype(np.float32)
if name == "torchscript":
    import torch
    model = torch.jit.load(path)
    def run():
        with torch.inference_mode():
            return model(torch.from_numpy(image)).numpy()
else:
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    def run():
        return session.run(None, {"image": image})[0]
process = psutil.Process()
first, memory = run().copy(), []
for _ in range(runs):
    assert np.array_equal(run(), first), "another result"
    memory.append(process.memory_info().rss)
print(json.dumps({"memory": memory, "instances": int(first.max())}))
"""


@pytest.mark.parametrize(
    ("name", "file", "title"), [("torchscript", "instanseg.pt", "TorchScript"), ("onnx", "model.onnx", "ONNX")]
)
def test_memory_is_flat(
    name: str, file: str, title: str, demo_package: Path, record_property: Callable[[str, object], None]
) -> None:
    """The package's own test image, again and again; the median of the last tenth against that after warming up."""
    sample = demo_package / "test-input.npy"
    arguments = [name, str(demo_package / file), str(sample), str(WARM_UP + RUNS)]
    done = subprocess.run([sys.executable, "-c", _PROGRAM, *arguments], capture_output=True, text=True, check=True)
    result = json.loads(done.stdout.splitlines()[-1])
    memory = result["memory"][WARM_UP:]
    part = len(memory) // 10
    before, after = sorted(memory[:part])[part // 2], sorted(memory[-part:])[part // 2]
    figures = {"equal results": len(memory), "MB before": round(before / 1e6), "MB after": round(after / 1e6)}
    tell(record_property, f"Runs in one process, {title}", len(memory), figures)
    assert result["instances"] > 0
    assert after <= 1.01 * before
