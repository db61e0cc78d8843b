"""The static form of the forward: one image of one size, at most so many seeds, and no size that depends on the data.

Phones, graphics processors in web pages and neural processors know nothing else. It has the stages of
:class:`.forward.InstanSegForward`, or twins of them that lie beside them, and gives equal labels as long as an image
has no more seeds than there is room for, and every flood comes to its end. Both are told beside the labels.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ...errors import ExportError
from ...stages import loops
from ...stages.cleanup_static import clean_up_static
from ...stages.exact import logit
from ...stages.fields import PixelTable, coordinate_step
from ...stages.merge_static import merge_overlapping_static
from ...stages.paint import paint
from ...stages.paint_static import list_windows
from ...stages.seeds_static import first_seeds
from ...stages.windows import WindowGrid, open_windows
from ..base import SegmentationForward

__all__ = ["StaticForm"]

_MOST_WINDOW_PIXELS = 2**27
"""Of all windows together: some ten arrays of 512 MB."""


class StaticForm(nn.Module):
    """Maps an image (1, C, H, W) to its label map and to what may be wrong with that.

    Memory grows with ``seeds`` x the window's pixels, and a table of ``seeds`` x ``seeds`` numbers.

    Args:
        forward: an :class:`.forward.InstanSegForward`, whose baked settings hold.
        height, width: of the image, in pixels.
        seeds: how many there is room for, over all structures.

    Raises:
        ExportError: the windows of so many seeds do not fit into the memory of usual machines.
    """

    def __init__(self, forward: SegmentationForward, height: int, width: int, seeds: int) -> None:
        super().__init__()
        inner: Any = forward  # which imports this module
        self.inner = inner
        self.height, self.width, self.seeds = height, width, seeds
        self.peak_distance = int(inner.peak_distance)
        self.cleans_up = bool(inner.cleanup_fragments)
        # No window is larger than the image: what lies beyond its border is in no mask.
        self.window = min(inner.window_size, max(height, width))
        if seeds * (2 * self.window) ** 2 > _MOST_WINDOW_PIXELS:
            side = 2 * self.window
            raise ExportError(
                f"Room for {seeds:,} seeds with windows of {side} x {side} pixels takes too much memory.",
                hint="Give fewer --static-seeds, or a smaller window with --set window_size=32.",
            )

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Segment an image.

        Returns:
            See :meth:`.SegmentationForward.static_form`.
        """
        settings = self.inner.baked_settings()
        with loops.bounded() as within:
            _, _, fields = self.inner.see(image, settings)
            planes, pixels = fields.seed_map.shape[0], fields.seed_map.numel()
            seeds, found = first_seeds(fields.seed_map, self.peak_distance, settings.seed_threshold, self.seeds)
            windows = open_windows(seeds, WindowGrid(self.window, self.height, self.width))

            threshold = logit(settings.mask_threshold)
            values, offset = self.inner.clustering.per_pixel(fields)
            step_x, step_y = coordinate_step(self.width, image.device), coordinate_step(self.height, image.device)
            logits = self.inner.clustering(PixelTable(values, offset, step_x, step_y), windows)[:, 0]
            mask, inside = logits >= threshold, windows.inside[:, 0]
            holes = torch.zeros_like(mask)
            if self.cleans_up:
                seed = (windows.from_seed_y == 0) & (windows.from_seed_x == 0)
                kept, holes = clean_up_static(mask, seed, inside)
                mask = kept | holes
            listed = list_windows(
                logits.flatten(1), mask.flatten(1), holes.flatten(1), windows.pixel, threshold, pixels
            )
            owner = paint(listed, pixels + 1)[:pixels]
            root = merge_overlapping_static(listed, pixels, settings.overlap_threshold)
            batch = planes // len(settings.structures)
            labels = self.inner.number(owner, root, seeds[:, 0], batch, self.height, self.width, settings)
            unfinished = torch.stack([left.to(torch.float32) for left in within.unfinished]).amax(dim=0)
        return labels, found, (found > self.seeds).to(torch.float32) + 2.0 * unfinished
