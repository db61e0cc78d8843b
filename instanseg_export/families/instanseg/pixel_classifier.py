"""The pixel classifiers: whether a pixel belongs to the instance of a seed (Goldsborough et al. 2024, section 2.2)."""

# TorchScript compiles this module's functions, so annotations stay evaluated (no `from __future__ import annotations`).
import torch
from torch import Tensor, nn

__all__ = ["ConvProbabilityNet", "ProbabilityNet"]


class ProbabilityNet(nn.Module):
    """A perceptron with two hidden layers that sees each pixel by itself.

    Maps features (N, in_features) to logits (N, 1). Its parts ``fc1``, ``fc2`` and ``fc3`` are public: the first is
    linear in the pixel's and the seed's features, so a forward may compute those halves separately.

    Args:
        in_features: of each pixel.
        width: hidden units.
    """

    def __init__(self, in_features: int, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(in_features, width)
        self.fc2 = nn.Linear(width, width)
        self.fc3 = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.fc1(x))
        x = torch.relu(self.fc2(x))
        logits: Tensor = self.fc3(x)
        return logits


class ConvBlock(nn.Module):
    """Three 1 x 1 convolutions with batch normalisation: (K, C, H, W) to (K, 1, H, W)."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(in_channels, width, 1)
        self.bn1 = nn.BatchNorm2d(width)
        self.fc2 = nn.Conv2d(width, width, 1)
        self.bn2 = nn.BatchNorm2d(width)
        self.fc3 = nn.Conv2d(width, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.bn1(self.fc1(x)))
        x = torch.relu(self.bn2(self.fc2(x)))
        logits: Tensor = self.fc3(x)
        return logits


class ConvProbabilityNet(nn.Module):
    """The classifier of feature engineering 10: it sees where in the window a pixel lies, by learned sine waves.

    Maps windows (K, in_channels, H, W) to logits (K, 1, H, W). The waves span the window whatever its size; upstream
    trains with 100 x 100 pixels.

    Args:
        in_channels: of the windows.
        width: hidden units.
        depth: number of sine waves.
    """

    def __init__(self, in_channels: int, width: int, depth: int = 5) -> None:
        super().__init__()
        self.layer1 = ConvBlock(in_channels + depth, width)
        self.layer2 = ConvBlock(in_channels, width)
        self.layer3 = ConvBlock(in_channels + 2, width)
        self.positional_embedding_params = nn.Parameter(torch.zeros(depth, 3))

    def guide(self, height: int, width: int) -> Tensor:
        """Return the sine waves, (depth, height, width); their parameters are frequency in x, in y, and phase."""
        waves = self.positional_embedding_params
        x = torch.linspace(0, 1, width, device=waves.device).reshape(1, 1, -1)
        y = torch.linspace(0, 1, height, device=waves.device).reshape(1, -1, 1)
        fx, fy, phase = waves.reshape(-1, 3, 1, 1).unbind(dim=1)
        return torch.sin(x * fx + y * fy + phase)

    def forward(self, x: Tensor) -> Tensor:
        guide = self.guide(x.shape[2], x.shape[3])
        guided = self.layer1(torch.cat((x, guide.unsqueeze(0).expand(x.shape[0], -1, -1, -1)), dim=1))
        plain = self.layer2(x)
        logits: Tensor = self.layer3(torch.cat((x, guided, plain), dim=1))
        return logits
