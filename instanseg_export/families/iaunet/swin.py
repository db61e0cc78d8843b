"""Swin Transformer (Liu et al. 2021), for images of any size, with weights under timm's names."""

# TorchScript compiles this module's functions, so annotations stay evaluated (no `from __future__ import annotations`).
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...stages.pad import grow

__all__ = ["Swin"]


class WindowAttention(nn.Module):
    """Attention within each window, with a bias for each relative position.

    Args:
        dim: channels.
        heads: of the attention; they divide ``dim``.
        window: width of a window in positions.
    """

    def __init__(self, dim: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.window = window
        self.head_dim = dim // heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def forward(self, x: Tensor, region: Tensor) -> Tensor:
        """Attend within windows.

        Args:
            x: (B, windows, window * window, dim).
            region: (windows, window * window); positions of different regions do not see each other.
        """
        batch, windows, area, dim = x.shape
        qkv = self.qkv(x).view(batch, windows, area, 3, self.heads, self.head_dim).permute(3, 0, 1, 4, 2, 5)
        attention = torch.matmul(qkv[0] * self.head_dim**-0.5, qkv[1].transpose(-2, -1))
        attention = attention + self.position_bias()
        apart = (region[:, :, None] != region[:, None, :]).to(x.dtype) * -100.0
        weights = torch.softmax(attention + apart[:, None], dim=-1)
        mixed = torch.matmul(weights, qkv[2]).transpose(2, 3).reshape(batch, windows, area, dim)
        attended: Tensor = self.proj(mixed)
        return attended

    def position_bias(self) -> Tensor:
        """Return what each head adds for each pair of positions, (heads, window * window, window * window)."""
        window = self.window
        area = window * window
        # Computed, not stored: an exported file would list it among the weights.
        place = torch.arange(area, device=self.relative_position_bias_table.device)
        row = torch.div(place, window, rounding_mode="floor")
        column = place - row * window
        down = row[:, None] - row[None] + (window - 1)
        right = column[:, None] - column[None] + (window - 1)
        index = (down * (2 * window - 1) + right).flatten()
        return self.relative_position_bias_table.index_select(0, index).view(area, area, self.heads).permute(2, 0, 1)


class Mlp(nn.Module):
    """Two linear layers with a GELU between them."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, 4 * dim)
        self.fc2 = nn.Linear(4 * dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        mixed: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return mixed


class SwinBlock(nn.Module):
    """Attention in windows, which every other block shifts by half their width, then an MLP.

    Args:
        dim: channels.
        heads: of the attention.
        window: width of a window.
        shift: by how many positions the windows are shifted.
    """

    def __init__(self, dim: int, heads: int, window: int, shift: int) -> None:
        super().__init__()
        self.window = window
        self.shift = shift
        self.norm1 = nn.LayerNorm(dim)
        self.attn = WindowAttention(dim, heads, window)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = Mlp(dim)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attend(self.norm1(x))
        y: Tensor = x + self.mlp(self.norm2(x))
        return y

    def attend(self, x: Tensor) -> Tensor:
        """Pad to whole windows, shift, attend and undo both; (B, H, W, dim)."""
        batch, height, width, dim = x.shape
        window, shift = self.window, self.shift
        rows, columns = (height + window - 1) // window, (width + window - 1) // window
        x = grow(grow(x, 1, rows * window), 2, columns * window)
        if shift > 0:
            x = torch.roll(x, [-shift, -shift], [1, 2])
        x = x.view(batch, rows, window, columns, window, dim).transpose(2, 3)
        x = self.attn(x.reshape(batch, rows * columns, window * window, dim), self.regions(rows, columns, x.device))
        x = x.view(batch, rows, columns, window, window, dim).transpose(2, 3)
        x = x.reshape(batch, rows * window, columns * window, dim)
        if shift > 0:
            x = torch.roll(x, [shift, shift], [1, 2])
        # Looked up by place: that there is enough to slice is more than the exporter can prove.
        place = torch.arange(height * width, device=x.device)
        row = torch.div(place, width, rounding_mode="floor")
        place = row * (columns * window) + place - row * width
        return x.flatten(1, 2).index_select(1, place).view(batch, height, width, dim)

    def regions(self, rows: int, columns: int, device: torch.device) -> Tensor:
        """Number what lies together in the image: shifting brings opposite borders into one window.

        Args:
            rows: of windows.
            columns: of windows.
            device: of the result.

        Returns:
            (rows * columns, window * window) int64.
        """
        area = self.window * self.window
        # Counted through, for outer sums would make the exporter exclude maps of one window.
        place = torch.arange(rows * columns * area, device=device)
        window = torch.div(place, area, rounding_mode="floor")
        within = place - window * area
        row_of_windows = torch.div(window, columns, rounding_mode="floor")
        row_within = torch.div(within, self.window, rounding_mode="floor")
        row = row_of_windows * self.window + row_within
        column = (window - row_of_windows * columns) * self.window + within - row_within * self.window
        from_below = (row >= rows * self.window - self.shift).to(torch.int64)
        from_right = (column >= columns * self.window - self.shift).to(torch.int64)
        return (from_below * 2 + from_right).view(rows * columns, area)


class PatchMerging(nn.Module):
    """Joins 2 x 2 positions into one of twice the channels."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * dim)
        self.reduction = nn.Linear(4 * dim, 2 * dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        batch, height, width, dim = x.shape
        # The order of the four is column by column.
        x = x.view(batch, height // 2, 2, width // 2, 2, dim).permute(0, 1, 3, 4, 2, 5)
        merged: Tensor = self.reduction(self.norm(x.reshape(batch, height // 2, width // 2, 4 * dim)))
        return merged


class SwinStage(nn.Module):
    """One resolution: merging, except in the first, and blocks."""

    def __init__(self, dim: int, depth: int, heads: int, window: int, merges: bool) -> None:
        super().__init__()
        self.downsample: nn.Module = PatchMerging(dim // 2) if merges else nn.Identity()
        self.blocks = nn.Sequential(
            *(SwinBlock(dim, heads, window, block % 2 * (window // 2)) for block in range(depth))
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.blocks(self.downsample(x))
        return y


class PatchEmbedding(nn.Module):
    """4 x 4 pixels become one position."""

    def __init__(self, channels: int, dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, dim, 4, 4)
        self.norm = nn.LayerNorm(dim)

    def forward(self, image: Tensor) -> Tensor:
        positions: Tensor = self.norm(self.proj(image).permute(0, 2, 3, 1))
        return positions


class Swin(nn.Module):
    """The encoder: feature maps at 1/4, 1/8, 1/16 and 1/32 of the image, each with a norm of its own.

    timm's module knows the size of its images when it is built, or computes masks in ways that torch.export does not
    leave variable; this one pads to whole windows and derives masks from coordinates.

    Args:
        channels: of the image.
        dim: channels of the first feature map; each further one has twice as many.
        depths: blocks at each resolution.
        heads: of the attention at each resolution.
        window: width of a window in positions.
    """

    def __init__(self, channels: int, dim: int, depths: tuple[int, ...], heads: tuple[int, ...], window: int) -> None:
        super().__init__()
        self.widths = [dim * 2**level for level in range(len(depths))]
        self.patch_embed = PatchEmbedding(channels, dim)
        self.layers = nn.ModuleList(
            SwinStage(width, depth, head, window, merges=level > 0)
            for level, (width, depth, head) in enumerate(zip(self.widths, depths, heads, strict=True))
        )
        self.out_norm = nn.ModuleList(nn.LayerNorm(width, eps=1e-6) for width in self.widths)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Map (B, C, H, W), H and W multiples of 32, to four maps (B, dim * 2**level, H / 4 / 2**level, ...)."""
        x = self.patch_embed(image)
        maps: list[Tensor] = []
        for stage, norm in zip(self.layers, self.out_norm):  # noqa: B905 -- TorchScript knows no strict
            x = stage(x)
            maps.append(norm(x).permute(0, 3, 1, 2).contiguous())
        return maps
