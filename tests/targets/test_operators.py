# Compiled by torch.jit.script: annotations have to be real types here.
"""What libtorch 2.0 does not know is named at export, and no file is written."""

import io
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from instanseg_export import build_forward, load_checkpoint
from instanseg_export.errors import ExportError
from instanseg_export.targets import write_artifact
from instanseg_export.targets.torchscript.operators import unknown_operators
from support.paths import DEMO


class OldOperators(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if x.numel() > 3:
            x = F.scaled_dot_product_attention(x, x, x, None, 0.0, False)
        return torch.where(x > 0, x, torch.zeros_like(x)).clamp(min=0.0)


class NewOperator(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.rms_norm(x, [x.shape[-1]])


class NewArgument(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(x, x, x, scale=0.5)


class NewInAFunction(nn.Module):
    """The newer operator is in a submodule's branch that is never taken."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = NewOperator()

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(2):
            if x.numel() > 1_000_000:
                x = self.inner(x)
        return x


class NewInAnotherMethod(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x

    @torch.jit.export
    def stages(self, x: Tensor) -> Tensor:
        return torch.rms_norm(x, [x.shape[-1]])


def scripted(module: nn.Module) -> Any:
    return torch.jit.script(module)


def saved(module: nn.Module) -> Any:
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(module), buffer)
    buffer.seek(0)
    return torch.jit.load(buffer)


@pytest.mark.parametrize("form", [scripted, saved])
@pytest.mark.parametrize(
    ("module", "subject"),
    [
        (NewOperator(), "the operator aten::rms_norm (test_operators.py:"),
        (NewArgument(), "the argument scale of aten::scaled_dot_product_attention (test_operators.py:"),
        (NewInAFunction(), "the operator aten::rms_norm (test_operators.py:"),
        (NewInAnotherMethod(), "the operator aten::rms_norm (test_operators.py:"),
    ],
)
def test_a_newer_operator_is_named(module: nn.Module, subject: str, form: Any) -> None:
    found = unknown_operators(form(module))
    assert len(found) == 1
    assert found[0].startswith(subject)


@pytest.mark.parametrize("form", [scripted, saved])
def test_older_operators_pass_also_where_they_have_new_arguments_since(form: Any) -> None:
    assert unknown_operators(form(OldOperators())) == []


class PlantedNetwork(nn.Module):
    """A network followed by an operator that came after libtorch 2.0."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        output: Tensor = self.network(image)
        return torch.rms_norm(output, [output.shape[-1]])


def test_the_export_of_a_planted_forward_is_refused(tmp_path: Path) -> None:
    checkpoint = load_checkpoint(DEMO)
    forward: Any = build_forward(checkpoint)
    forward.network = PlantedNetwork(forward.network).eval()
    with pytest.raises(ExportError, match=r"libtorch 2\.0\.0 does not know: the operator aten::rms_norm") as caught:
        write_artifact("torchscript", forward, checkpoint, tmp_path / "instanseg.pt")
    assert "Fiji" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_our_own_forward_passes(tmp_path: Path) -> None:
    checkpoint = load_checkpoint(DEMO)
    write_artifact("torchscript", build_forward(checkpoint), checkpoint, tmp_path / "instanseg.pt")
    assert unknown_operators(torch.jit.load(tmp_path / "instanseg.pt")) == []
