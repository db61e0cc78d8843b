"""IAUNet's objective: each instance is matched with the query that fits it best, and all other queries are none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...families.iaunet.spec import IAUNetSpec
from .options import IAUNetOptions

__all__ = ["IAUNetObjective", "dice_of_pairs", "entropy_of_pairs", "match_queries"]


def entropy_of_pairs(logits: Tensor, masks: Tensor, valid: Tensor) -> Tensor:
    """Return the mean cross-entropy of each query's mask with each instance's, (Q, M): equation 23.

    Args:
        logits: (Q, N) of the queries' masks.
        masks: (M, N) in [0, 1].
        valid: (N,) 0 or 1, the pixels that count.
    """
    logits = logits * valid
    # -(g log p + (1 - g) log(1 - p)) is softplus(x) - g x.
    whole = (F.softplus(logits) * valid).sum(dim=1, keepdim=True)
    return (whole - logits @ (masks * valid).t()) / valid.sum().clamp(min=1)


def dice_of_pairs(logits: Tensor, masks: Tensor, valid: Tensor, smooth: float = 1e-6) -> Tensor:
    """Return the Dice loss of each query's mask with each instance's, (Q, M), with squares below: equation 24.

    Args:
        logits: (Q, N) of the queries' masks.
        masks: (M, N) in [0, 1].
        valid: (N,) 0 or 1, the pixels that count.
        smooth: the small constant below.
    """
    probability, masks = torch.sigmoid(logits) * valid, masks * valid
    shared = probability @ masks.t()
    squares = (probability**2).sum(dim=1, keepdim=True) + (masks**2).sum(dim=1)
    return 1.0 - 2.0 * shared / (squares + smooth)


def match_queries(cost: Tensor) -> tuple[Tensor, Tensor]:
    """Return places of queries and of instances, pairs of the smallest total cost: equations 19 and 20.

    Args:
        cost: (Q, M).

    Returns:
        Two (min(Q, M),) int64.
    """
    from scipy.optimize import linear_sum_assignment

    finite = torch.nan_to_num(cost.detach().double().cpu(), nan=1e6, posinf=1e6, neginf=-1e6)
    rows, columns = linear_sum_assignment(finite.numpy())
    return torch.as_tensor(rows, device=cost.device), torch.as_tensor(columns, device=cost.device)


class IAUNetObjective:
    """Computes the losses of a batch.

    Args:
        spec: of the network.
        options: of the recipe.
    """

    def __init__(self, spec: IAUNetSpec, options: IAUNetOptions) -> None:
        self.spec = spec
        self.options = options

    def __call__(
        self,
        network: nn.Module,
        output: Sequence[tuple[Tensor, Tensor]],
        batch: Mapping[str, Tensor],
        step: int,
        generator: torch.Generator,
    ) -> dict[str, Tensor]:
        """Return the loss of each term, weighted, as sums over blocks and means over images.

        Args:
            network: is not asked.
            output: masks (B, Q, H / 4, W / 4) and classes (B, Q, K + 1) after each block, the last one last.
            batch: "labels" (B, 1, H, W), below 0 where nobody has annotated; all instances are of the first class.
            step: does not matter.
            generator: is not asked: nothing is drawn.
        """
        blocks = output if self.options.deep else output[-1:]
        truth = [self.instances(labels) for labels in batch["labels"][:, 0].long()]
        totals: dict[str, list[Tensor]] = {}
        for masks, classes in blocks:
            for place, (instances, valid) in enumerate(truth):
                logits = masks[place].to(torch.float32).flatten(1)
                for name, loss in self.losses(logits, classes[place].to(torch.float32), instances, valid).items():
                    totals.setdefault(name, []).append(loss)
        return {name: torch.stack(losses).sum() / len(truth) for name, losses in totals.items()}

    def instances(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the masks of the instances at a quarter of the size, (M, N): how much of each pixel is theirs.

        The second, (N,), tells which pixels are annotated as a whole.
        """
        ids = torch.unique(labels[labels > 0])
        masks = (labels[None] == ids[:, None, None]).to(torch.float32)
        valid = (labels >= 0).to(torch.float32)[None]
        reduced = F.avg_pool2d(torch.cat([masks, valid]), 4).flatten(1)
        kept = reduced[:-1].sum(dim=1) > 0
        return reduced[:-1][kept], (reduced[-1] == 1).to(torch.float32)

    def losses(self, logits: Tensor, classes: Tensor, instances: Tensor, valid: Tensor) -> dict[str, Tensor]:
        """Return the weighted losses of one image: equation 25, with the queries without a partner as "no object".

        Args:
            logits: (Q, N) of masks.
            classes: (Q, K + 1) logits, the last of "no object".
            instances: (M, N) in [0, 1].
            valid: (N,).
        """
        options = self.options
        entropy, dice = entropy_of_pairs(logits, instances, valid), dice_of_pairs(logits, instances, valid)
        of_class = -F.log_softmax(classes, dim=1)[:, :1]
        cost = options.class_weight * of_class + options.mask_weight * entropy + options.dice_weight * dice
        query, instance = match_queries(cost)
        wanted = torch.full((len(classes),), classes.shape[1] - 1, device=classes.device)
        wanted[query] = 0
        weights = torch.ones(classes.shape[1], device=classes.device)
        weights[-1] = options.nothing_weight
        found = {"classes": options.class_weight * F.cross_entropy(classes, wanted, weights)}
        matched = max(1, len(query))
        found["masks"] = options.mask_weight * entropy[query, instance].sum() / matched
        found["dice"] = options.dice_weight * dice[query, instance].sum() / matched
        return found
