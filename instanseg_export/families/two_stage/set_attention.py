"""Attention over sets: every element sees the whole set, whatever its order (Lee et al. 2019, Set Transformer)."""

# TorchScript compiles this module's functions, so annotations stay evaluated (no `from __future__ import annotations`).
import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["InducedSetAttention", "SetAttention"]


class SetAttention(nn.Module):
    """Multihead attention block: MAB(Q, K) = H + relu(fc_o(H)) with H = fc_q(Q) + attention (equations 6 and 7).

    The weights have the names of the paper's published code.

    Args:
        width: of the embeddings; a multiple of ``heads``.
        heads: of the attention.
        norms: whether the two sums are layer-normalised, as in the paper; its code leaves that to the user.
    """

    def __init__(self, width: int, heads: int, norms: bool) -> None:
        super().__init__()
        self.heads = heads
        self.scale = width**-0.5
        self.fc_q = nn.Linear(width, width)
        self.fc_k = nn.Linear(width, width)
        self.fc_v = nn.Linear(width, width)
        self.fc_o = nn.Linear(width, width)
        self.ln0 = nn.LayerNorm(width) if norms else nn.Identity()
        self.ln1 = nn.LayerNorm(width) if norms else nn.Identity()

    def split(self, x: Tensor) -> Tensor:
        """Map (bags, n, width) to (bags, heads, n, width / heads)."""
        return x.view(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)

    def forward(self, query: Tensor, key: Tensor, present: Tensor) -> Tensor:
        """Attend to ``key`` from ``query``.

        Args:
            query: (bags, n, width).
            key: (bags, m, width), m >= 1.
            present: (bags, m) bool; keys that are not count for nothing.

        Returns:
            (bags, n, width).
        """
        queries = self.fc_q(query)
        scores = torch.matmul(self.split(queries), self.split(self.fc_k(key)).transpose(2, 3)) * self.scale
        # Finite, since infinities spread.
        scores = torch.where(present[:, None, None, :], scores, torch.full_like(scores, -1e30))
        seen = torch.matmul(torch.softmax(scores, dim=3), self.split(self.fc_v(key)))
        hidden = self.ln0(queries + seen.transpose(1, 2).flatten(2))
        attended: Tensor = self.ln1(hidden + F.relu(self.fc_o(hidden)))
        return attended


class InducedSetAttention(nn.Module):
    """ISAB(X) = MAB(X, H), H = MAB(I, X), with a few learned inducing points I: linear in the size of the set.

    Args:
        width: of the embeddings.
        heads: of the attention.
        points: how many inducing points there are.
        norms: see :class:`SetAttention`.
    """

    def __init__(self, width: int, heads: int, points: int, norms: bool) -> None:
        super().__init__()
        self.I = nn.Parameter(torch.empty(1, points, width))
        nn.init.xavier_uniform_(self.I)
        self.mab0 = SetAttention(width, heads, norms)
        self.mab1 = SetAttention(width, heads, norms)

    def forward(self, bags: Tensor, present: Tensor) -> Tensor:
        """Map each element to what it is among the others.

        Args:
            bags: (bags, n, width), n >= 1.
            present: (bags, n) bool; elements that are not influence nothing.

        Returns:
            (bags, n, width); a permutation of the elements permutes it alike.
        """
        points = self.I.expand(bags.shape[0], -1, -1)
        summary = self.mab0(points, bags, present)
        everything = torch.ones([summary.shape[0], summary.shape[1]], dtype=torch.bool, device=bags.device)
        seen: Tensor = self.mab1(bags, summary, everything)
        return seen
