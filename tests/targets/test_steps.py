# Compiled by torch.jit.script: annotations have to be real types here.
"""Each step of an export fails on a forward that provokes it: the error names the step, and nothing is left."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from instanseg_export.errors import ExportError
from instanseg_export.targets import TARGETS, write_artifact
from instanseg_export.testing.small_forward import SmallForward, small_checkpoint


class BranchesOnData(nn.Module):
    """Python decides by a pixel's value, which tracing cannot follow."""

    def forward(self, image: Tensor) -> Tensor:
        image = image.mean(1, keepdim=True)
        if float(image.sum()) > 3.0:
            return image
        return -image


class Untranslated(nn.Module):
    """ONNX has no Bessel function, and nobody has written it with other operators."""

    def forward(self, image: Tensor) -> Tensor:
        result: Tensor = torch.special.bessel_j0(image).mean(1, keepdim=True)
        return result


class Unscriptable(nn.Module):
    """TorchScript knows no functions in functions."""

    def forward(self, image: Tensor) -> Tensor:
        def mean(x: Tensor) -> Tensor:
            return x.mean(1, keepdim=True)

        return mean(image)


class Invalid(nn.Module):
    """PyTorch takes the largest of whole numbers in a window, ONNX only of floats and bytes."""

    def forward(self, image: Tensor) -> Tensor:
        whole = (image * 255).mean(1, keepdim=True).to(torch.int64)
        return nn.functional.max_pool2d(whole, 3, 1, 1).to(torch.float32)


class NewerThanFiji(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return torch.rms_norm(image.mean(1, keepdim=True), [1, 1, 1][:1]) if image.numel() == 0 else image[:, :1]


FAILURES = {
    "capture": ("onnx", "capture", SmallForward(BranchesOnData()), "stages/loops.py"),
    "translate": ("onnx", "translate", SmallForward(Untranslated()), "lowerings.py"),
    "passes": ("onnx", "passes", SmallForward(promised=("heights",)), "name of the pass"),
    "check": ("onnx", "check", SmallForward(Invalid()), "another version"),
    "script": ("torchscript", "script", SmallForward(Unscriptable()), "torch.jit.script"),
    "check of operators": ("torchscript", "check", SmallForward(NewerThanFiji()), "Fiji"),
}


@pytest.mark.parametrize(("target", "step", "forward", "advice"), FAILURES.values(), ids=FAILURES)
def test_the_step_that_failed_is_named(
    tmp_path: Path, target: str, step: str, forward: SmallForward, advice: str
) -> None:
    path = tmp_path / TARGETS.get(target).filename
    with pytest.raises(ExportError) as caught:
        write_artifact(target, forward, small_checkpoint(name="culprit"), path)
    assert caught.value.step == step
    assert f"culprit cannot be written as {target}: the step {step} failed: " in caught.value.message
    assert "\n" not in caught.value.message
    assert advice in caught.value.hint
    assert not list(tmp_path.iterdir())


def test_the_reason_is_that_of_the_library_not_its_frame(tmp_path: Path) -> None:
    """The exporter wraps errors in pages about itself; the operator is what a developer needs."""
    with pytest.raises(ExportError, match="bessel_j0"):
        write_artifact("onnx", SmallForward(Untranslated()), small_checkpoint(), tmp_path / "model.onnx")
    with pytest.raises(ExportError, match="HideStages: the graph has no output heights"):
        write_artifact("onnx", SmallForward(promised=("heights",)), small_checkpoint(), tmp_path / "model.onnx")
