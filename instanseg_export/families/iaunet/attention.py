"""Transformer blocks that refine object queries (IAUNet thesis, section 3.5; DETR, Carion et al. 2020)."""

# TorchScript compiles this module's functions, so annotations stay evaluated (no `from __future__ import annotations`).
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["QueryBlock", "sine_positions"]


class Attention(nn.Module):
    """Multi-head attention, with the weights of ``torch.nn.MultiheadAttention``.

    Args:
        dim: channels.
        heads: they divide ``dim``.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.dim = dim
        self.in_proj_weight = nn.Parameter(torch.empty(3 * dim, dim))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * dim))
        self.out_proj = nn.Linear(dim, dim)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def project(self, x: Tensor, part: int) -> Tensor:
        """Map (B, L, dim) to (B, heads, L, dim / heads) by a third of the weights: query, key or value."""
        first, last = part * self.dim, (part + 1) * self.dim
        y = F.linear(x, self.in_proj_weight[first:last], self.in_proj_bias[first:last])
        return y.view(x.shape[0], x.shape[1], self.heads, self.dim // self.heads).transpose(1, 2)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Return (B, Q, dim) for ``query`` (B, Q, dim) and ``key`` and ``value`` (B, L, dim)."""
        q = self.project(query, 0) * (1.0 / math.sqrt(self.dim // self.heads))
        weights = torch.softmax(torch.matmul(q, self.project(key, 1).transpose(-2, -1)), dim=-1)
        mixed = torch.matmul(weights, self.project(value, 2)).transpose(1, 2).reshape(query.shape)
        attended: Tensor = self.out_proj(mixed)
        return attended


class QueryBlock(nn.Module):
    """One block: queries look at the image, then at each other, then each at itself; a norm follows each step.

    Args:
        dim: channels.
        heads: of the attentions.
        hidden: units of the feed-forward network.
    """

    def __init__(self, dim: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.cross = Attention(dim, heads)
        self.cross_norm = nn.LayerNorm(dim)
        self.among = Attention(dim, heads)
        self.among_norm = nn.LayerNorm(dim)
        self.linear1 = nn.Linear(dim, hidden)
        self.linear2 = nn.Linear(hidden, dim)
        self.norm = nn.LayerNorm(dim)

    def forward(self, queries: Tensor, places: Tensor, pixels: Tensor, keys: Tensor) -> Tensor:
        """Refine the queries.

        Args:
            queries: (B, Q, dim).
            places: (Q, dim), the queries' learnt positions.
            pixels: (B, L, dim) mask features.
            keys: (B, L, dim), the same with their positions added.
        """
        queries = self.cross_norm(queries + self.cross(queries + places, keys, pixels))
        placed = queries + places
        queries = self.among_norm(queries + self.among(placed, placed, queries))
        refined: Tensor = self.norm(queries + self.linear2(torch.relu(self.linear1(queries))))
        return refined


def _sines(size: int, channels: int, device: torch.device) -> Tensor:
    last = torch.full([1], size, dtype=torch.float32, device=device)
    # One more than there are: a table of one row is a case of its own to the exporter.
    place = torch.arange(1, size + 2, device=device).to(torch.float32) / (last + 1e-6) * (2.0 * math.pi)
    pair = torch.arange(channels // 2, device=device).to(torch.float32)
    angle = place[:, None] / torch.pow(10000.0, pair * (2.0 / channels))
    return torch.stack([torch.sin(angle), torch.cos(angle)], dim=2).view(-1, channels)


def sine_positions(height: int, width: int, dim: int, device: torch.device) -> Tensor:
    """Encode each position of a map by sines and cosines of its row, then of its column.

    Coordinates run to 2 pi over the map, whatever its size, as in DETR.

    Args:
        height: of the map.
        width: of the map.
        dim: channels, a multiple of 4.
        device: of the result.

    Returns:
        (height * width, dim) float32.
    """
    # Looked up, for an expansion would make the exporter exclude maps of one row.
    place = torch.arange(height * width, device=device)
    row = torch.div(place, width, rounding_mode="floor")
    down = _sines(height, dim // 2, device).index_select(0, row)
    right = _sines(width, dim // 2, device).index_select(0, place - row * width)
    return torch.cat([down, right], dim=1)
