"""SAM's image encoder, a vision transformer with relative positions (Kirillov et al. 2023; Li et al. 2022)."""

# TorchScript compiles this module's functions, so annotations stay evaluated (no `from __future__ import annotations`).
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .backbone_spec import SamEncoderSpec

__all__ = ["SamEncoder"]

_SCORES = 1 << 24
"""Attention scores that are in work at a time (64 MB): 4096 tokens have so many in a single head."""


class Attention(nn.Module):
    """Self-attention of all tokens of a square, with a learned bias for each distance in rows and in columns.

    The bias of a query q for a key r rows and c columns away is q . rel_pos_h[r] + q . rel_pos_w[c] (Li et al. 2022,
    MViTv2, equation 4). Maps (B, side, side, width) to the same shape.

    Args:
        width: channels of a token.
        heads: into which the channels are divided.
        side: tokens in a row of the square.
    """

    def __init__(self, width: int, heads: int, side: int) -> None:
        super().__init__()
        self.heads = heads
        self.side = side
        self.scale = float((width // heads) ** -0.5)
        self.step = max(1, _SCORES // side**4)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * side - 1, width // heads))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * side - 1, width // heads))

    def forward(self, x: Tensor) -> Tensor:
        batch, side, _, width = x.shape
        qkv = self.qkv(x).view(batch, side * side, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k, v = qkv[0], qkv[1], qkv[2]
        attended: list[Tensor] = []
        for first in range(0, self.heads, self.step):
            some = slice(first, first + self.step)
            attended.append(self.attend(q[:, some], k[:, some], v[:, some]))
        joined = torch.cat(attended, dim=1).transpose(1, 2).reshape(batch, side, side, width)
        projected: Tensor = self.proj(joined)
        return projected

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Map queries, keys and values (B, heads, tokens, channels) to (B, heads, tokens, channels)."""
        batch, heads, tokens, channels = q.shape
        side = self.side
        place = torch.arange(side, device=q.device)
        distance = place[:, None] - place[None, :] + side - 1
        square = q.reshape(batch, heads, side, side, channels)
        by_row = square.matmul(self.rel_pos_h[distance].transpose(1, 2))
        by_column = square.transpose(2, 3).matmul(self.rel_pos_w[distance].transpose(1, 2)).transpose(2, 3)
        scores = (q * self.scale).matmul(k.transpose(2, 3)).view(batch, heads, side, side, side, side)
        scores = scores + by_row[:, :, :, :, :, None] + by_column[:, :, :, :, None, :]
        return torch.softmax(scores.view(batch, heads, tokens, tokens), dim=-1).matmul(v)


class Mlp(nn.Module):
    """Two linear layers with GELU between them, token by token."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.lin1 = nn.Linear(width, hidden)
        self.lin2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        x = F.gelu(self.lin1(x))
        mapped: Tensor = self.lin2(x)
        return mapped


class Block(nn.Module):
    """Attention and MLP, each behind a layer norm and beside a shortcut. Maps (B, grid, grid, width) to the same shape.

    Args:
        spec: the encoder's description.
        window: side of the squares within which tokens see each other, the last ones of a row filled up with zeros; 0
            lets all tokens see all others.
    """

    def __init__(self, spec: SamEncoderSpec, window: int) -> None:
        super().__init__()
        self.window = window
        self.grid = spec.grid
        self.norm1 = nn.LayerNorm(spec.width, eps=1e-6)
        self.attn = Attention(spec.width, spec.heads, window or spec.grid)
        self.norm2 = nn.LayerNorm(spec.width, eps=1e-6)
        self.mlp = Mlp(spec.width, spec.mlp_width)

    def forward(self, x: Tensor) -> Tensor:
        normed = self.norm1(x)
        x = x + (self.attend_in_windows(normed) if self.window > 0 else self.attn(normed))
        refined: Tensor = x + self.mlp(self.norm2(x))
        return refined

    def attend_in_windows(self, x: Tensor) -> Tensor:
        batch, grid, _, width = x.shape
        window = self.window
        count = (self.grid + window - 1) // window
        missing = count * window - self.grid
        squares = F.pad(x, [0, 0, 0, missing, 0, missing]).view(batch, count, window, count, window, width)
        squares = self.attn(squares.transpose(2, 3).reshape(-1, window, window, width))
        whole = squares.view(batch, count, count, window, window, width).transpose(2, 3)
        joined: Tensor = whole.reshape(batch, count * window, count * window, width)[:, :grid, :grid]
        return joined


class PatchEmbedding(nn.Module):
    """Makes a token of each patch: (B, in_channels, size, size) to (B, grid, grid, width)."""

    def __init__(self, spec: SamEncoderSpec) -> None:
        super().__init__()
        self.proj = nn.Conv2d(spec.in_channels, spec.width, spec.patch, stride=spec.patch)

    def forward(self, x: Tensor) -> Tensor:
        tokens: Tensor = self.proj(x)
        return tokens.permute(0, 2, 3, 1)


class ChannelNorm(nn.Module):
    """Layer norm over the channels of each pixel of (B, channels, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        last = x.permute(0, 2, 3, 1)
        normed: Tensor = F.layer_norm(last, self.weight.shape, self.weight, self.bias, 1e-6)
        return normed.permute(0, 3, 1, 2)


class SamEncoder(nn.Module):
    """Maps images (B, in_channels, size, size) to features (B, neck, grid, grid), where size is grid x patch.

    Args:
        spec: the encoder's description.
    """

    def __init__(self, spec: SamEncoderSpec) -> None:
        super().__init__()
        self.patch_embed = PatchEmbedding(spec)
        self.pos_embed = nn.Parameter(torch.zeros(1, spec.grid, spec.grid, spec.width))
        self.blocks = nn.ModuleList(Block(spec, window) for window in spec.attention_windows)
        self.neck = nn.Sequential(
            nn.Conv2d(spec.width, spec.neck, 1, bias=False),
            ChannelNorm(spec.neck),
            nn.Conv2d(spec.neck, spec.neck, 3, padding=1, bias=False),
            ChannelNorm(spec.neck),
        )

    def forward(self, image: Tensor) -> Tensor:
        x = self.patch_embed(image) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        features: Tensor = self.neck(x.permute(0, 3, 1, 2))
        return features
