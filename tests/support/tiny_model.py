# Compiled by torch.jit.script: annotations have to be real types here.
"""A segmenter that keeps the contract of an exported file: normalise, one convolution, connected parts."""

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d


class TinySegmenter(nn.Module):
    """Labels the 8-connected parts of what is bright, ids in raster order; each defect changes one thing.

    Args:
        scale: the normalised image is multiplied by it.
        drift: added to the convolution's weights.
        shift: columns by which the result is moved to the right.
        drop: the id that is removed; 0 for none.
        permute: 1 to count the ids backwards.
        grow: 1 to widen every object by a pixel.
    """

    def __init__(
        self, scale: float = 1.0, drift: float = 0.0, shift: int = 0, drop: int = 0, permute: int = 0, grow: int = 0
    ) -> None:
        super().__init__()
        self.scale = scale
        self.shift = shift
        self.drop = drop
        self.permute = permute
        self.grow = grow
        self.conv = nn.Conv2d(2, 1, 3, padding=1, padding_mode="replicate")
        with torch.no_grad():
            self.conv.weight.fill_(1 / 18).add_(drift)
            assert self.conv.bias is not None
            self.conv.bias.fill_(0.0)

    def compute(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        normalised = image / 255.0 * self.scale
        network = self.conv(normalised)
        mask = (network > 0.5).to(torch.float32)
        if self.grow == 1:
            mask = max_pool2d(mask, 3, 1, 1)
        batch, _, height, width = mask.shape
        # Every pixel starts with a number of its own, higher for earlier ones; the highest floods each part.
        place = torch.arange(height * width, 0, -1, dtype=torch.float32).reshape(1, 1, height, width)
        flood = place * mask
        going = True
        while going:
            wider = max_pool2d(flood, 3, 1, 1) * mask
            # And what the pixel that a number comes from has seen meanwhile: so a few rounds do for any size.
            flat = wider.flatten(1)
            source = (height * width - flat).clamp(0, height * width - 1).to(torch.int64)
            wider = torch.where(flat > 0, torch.gather(flat, 1, source), flat).reshape(mask.shape)
            going = bool((wider != flood).any())
            flood = wider
        labels = torch.zeros_like(flood)
        for index in range(batch):
            inside = flood[index] > 0
            numbers, rank = torch.unique(flood[index][inside], return_inverse=True)
            ids = rank + 1 if self.permute == 1 else numbers.shape[0] - rank
            if self.drop > 0:
                ids = torch.where(ids == self.drop, 0, torch.where(ids > self.drop, ids - 1, ids))
            labels[index][inside] = ids.to(torch.float32)
        if self.shift > 0:
            moved = torch.zeros_like(labels)
            moved[:, :, :, self.shift :] = labels[:, :, :, : width - self.shift]
            labels = moved
        return normalised, network, labels

    def forward(self, image: Tensor, args: dict[str, Tensor] | None = None) -> Tensor:
        return self.compute(image)[2]

    @torch.jit.export
    def stages(self, image: Tensor, args: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
        normalised, network, labels = self.compute(image)
        return {"normalize": normalised, "network": network, "labels": labels}
