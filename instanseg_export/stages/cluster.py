"""Cluster pixels around seeds: the pixel classifier, a small multilayer perceptron over each seed's window."""

import torch
from torch import Tensor, nn

from .fields import Fields, PixelTable
from .sentinels import huge
from .windows import Windows

__all__ = ["PixelClustering"]


def _weights(layer: nn.Module) -> tuple[list[list[float]], list[float]]:
    return layer.weight.detach().double().tolist(), layer.bias.detach().double().tolist()  # type: ignore[operator]


class PixelClustering(nn.Module):
    """Logits of "this pixel belongs to this seed" (InstanSeg paper, section 2.4).

    The classifier sees the difference between the embeddings of pixel and seed, then sigma. Its first layer is linear,
    so it is computed once per pixel and once per seed, and only their difference per pair. The embedding is an offset
    plus the pixel's coordinates; the two are kept apart, so that nothing large is subtracted from something large and
    an object's mask does not depend on where in the image it lies.

    Sums are written out term by term: a matrix product's order of additions, and so its last bits, would differ
    between runtimes.

    Args:
        fc1: the classifier's first linear layer.
        fc2: its second.
        fc3: its last, with one output.
        dim_coords: channels of the positional embedding; the first two are x and y.
        feature_engineering: "0" or "7"; "2" adds the norm of the difference as an input; "3" ignores sigma.
    """

    def __init__(
        self, fc1: nn.Module, fc2: nn.Module, fc3: nn.Module, dim_coords: int, feature_engineering: str
    ) -> None:
        super().__init__()
        self.w1, self.b1 = _weights(fc1)
        self.w2, self.b2 = _weights(fc2)
        w3, b3 = _weights(fc3)
        self.w3 = w3[0]
        self.b3 = b3[0]
        self.width = len(self.b1)
        self.dim_coords = dim_coords
        self.uses_norm = feature_engineering == "2"
        self.uses_sigma = feature_engineering != "3"
        self.n_sigma = len(self.w1[0]) - dim_coords - int(self.uses_norm)
        self.columns = self.width + (dim_coords if self.uses_norm else 0)

    def per_pixel(self, fields: Fields) -> tuple[Tensor, Tensor]:
        """Compute what depends on the pixel alone.

        Args:
            fields: of P planes.

        Returns:
            the first layer's share of each pixel, (P * H * W, width) float32, with more columns, the offset, for a
            classifier that sees the distance; and the offset of each pixel, (P * H * W, dim_coords) float32.
        """
        offset = fields.offset.permute(0, 2, 3, 1).flatten(0, 2)
        planes, height, width = fields.seed_map.shape
        count = self.columns
        if torch.jit.is_scripting():
            # Written where it belongs: all columns and the table would be there together.
            table = torch.empty([planes, height, width, count], device=fields.seed_map.device)
            for column in range(count):
                table[:, :, :, column] = self.column(fields, column)
            return table.flatten(0, 2), offset
        else:
            columns = [self.column(fields, column) for column in range(count)]
            return torch.stack(columns, dim=-1).flatten(0, 2), offset

    def column(self, fields: Fields, column: int) -> Tensor:
        """Return a column of the table, (P, H, W)."""
        if column >= self.width:
            return fields.offset[:, column - self.width]
        weights = self.w1[column]
        share = fields.offset[:, 0] * weights[0] + self.b1[column]
        for i in range(1, self.dim_coords):
            share = share + fields.offset[:, i] * weights[i]
        if self.uses_sigma:
            for i in range(self.n_sigma):
                share = share + fields.sigma[:, i] * weights[self.dim_coords + i]
        return share

    def forward(self, table: PixelTable, windows: Windows) -> Tensor:
        """Return logits (N, 1, S, S) of a chunk of windows.

        Args:
            table: with the values and the offsets of :meth:`per_pixel`.
            windows: the chunk.
        """
        size = windows.from_seed_x.shape[2]
        # Gathered by rows, which lie together in memory, and used by columns.
        columns = table.values.index_select(0, windows.pixel.flatten()).t().contiguous()
        columns = columns.view(self.columns, -1, size, size)
        # Split at once: ONNX Runtime takes as long to select one as to split all.
        shares = torch.split(columns, 1)
        seed_offset = table.offset.index_select(0, windows.seed_pixel)
        dx = windows.from_seed_x * table.step_x
        dy = windows.from_seed_y * table.step_y
        distance = torch.zeros([1], device=table.values.device)
        if self.uses_norm:
            distance = self._distance(columns, seed_offset, dx, dy)
        hidden = []
        for unit in range(self.width):
            of_seed = seed_offset[:, 0] * self.w1[unit][0]
            for i in range(1, self.dim_coords):
                of_seed = of_seed + seed_offset[:, i] * self.w1[unit][i]
            by_place = (dx * self.w1[unit][0] - of_seed[:, None, None]) + dy * self.w1[unit][1]
            total = shares[unit].squeeze(0) + by_place
            if self.uses_norm:
                total = total + distance * self.w1[unit][self.dim_coords + self.n_sigma]
            hidden.append(torch.relu(total))
        result = torch.zeros([1], device=table.values.device)
        for unit in range(self.width):
            total = hidden[0] * self.w2[unit][0] + self.b2[unit]
            for i in range(1, self.width):
                total = total + hidden[i] * self.w2[unit][i]
            term = torch.relu(total) * self.w3[unit]
            result = term + self.b3 if unit == 0 else result + term
        # One number: an exporter would write a constant of the windows' full size into the file.
        return torch.where(windows.inside, result[:, None], torch.full([1], -huge(), device=table.values.device))

    def _distance(self, columns: Tensor, seed_offset: Tensor, dx: Tensor, dy: Tensor) -> Tensor:
        squares = torch.zeros([1], device=columns.device)
        for i in range(self.dim_coords):
            difference = columns[self.width + i] - seed_offset[:, i, None, None]
            if i == 0:
                difference = difference + dx
            if i == 1:
                difference = difference + dy
            # The small constant, once per coordinate, is part of how the classifier was trained.
            squares = squares + (difference * difference + 1e-6)
        return torch.sqrt(squares)
