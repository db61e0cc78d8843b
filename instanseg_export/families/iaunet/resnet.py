"""ResNet (He et al. 2016) as an encoder, built from torchvision's blocks under torchvision's names."""

# TorchScript compiles this module's functions, so annotations stay evaluated (no `from __future__ import annotations`).
from torch import Tensor, nn

from ...errors import CheckpointError

__all__ = ["ResNet"]


class ResNet(nn.Module):
    """Feature maps at 1/4, 1/8, 1/16 and 1/32 of the image.

    Args:
        channels: of the image.
        depths: bottleneck blocks at each resolution: (3, 4, 6, 3) is ResNet-50, (3, 4, 23, 3) ResNet-101.

    Raises:
        CheckpointError: torchvision is not installed.
    """

    def __init__(self, channels: int, depths: tuple[int, ...]) -> None:
        super().__init__()
        try:
            from torchvision.models import resnet
        except ModuleNotFoundError as error:
            raise CheckpointError(
                "A network with a ResNet encoder needs torchvision, which is not installed.",
                hint="Run: pip install 'instanseg-export[classify]'",
            ) from error
        whole = resnet.ResNet(resnet.Bottleneck, list(depths))
        self.widths = [256, 512, 1024, 2048]
        self.conv1 = nn.Conv2d(channels, 64, 7, 2, 3, bias=False)
        self.bn1 = whole.bn1
        self.maxpool = whole.maxpool
        self.layer1 = whole.layer1
        self.layer2 = whole.layer2
        self.layer3 = whole.layer3
        self.layer4 = whole.layer4

    def forward(self, image: Tensor) -> list[Tensor]:
        """Map (B, C, H, W), H and W multiples of 32, to four maps."""
        x = self.maxpool(self.bn1(self.conv1(image)).relu())
        fine = self.layer1(x)
        middle = self.layer2(fine)
        coarse = self.layer3(middle)
        return [fine, middle, coarse, self.layer4(coarse)]
