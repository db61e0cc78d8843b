"""From what a file holds to the weights of our network: names, number types, and a strict fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import CheckpointError, SpecError

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["canonical_weights", "dense_weights", "fill", "need"]

_WRAPPERS = ("module.", "_orig_mod.", "model.", "fcn.", "network.")
"""What wrappers put in front of names: data parallel, compiled, channel invariant, upstream's and our exported file."""

_UNUSED = ("adaptor.upcat_1.reduce_block.",)
"""Upstream creates these weights and never calls them: after ChannelNet's last block the channels are joined."""


def canonical_weights(state: Mapping[Any, Any], path: Path) -> dict[str, Tensor]:
    """Return the weights as float32 under the names of :class:`InstanSegNetwork`; see :func:`dense_weights`."""
    return dense_weights(state, path, rename=_rename, unused=_UNUSED)


def dense_weights(
    state: Mapping[Any, Any], path: Path, *, rename: Callable[[str], str] = str, unused: tuple[str, ...] = ()
) -> dict[str, Tensor]:
    """Return the weights as float32 under the names of a network of ours.

    Args:
        state: name to tensor, as a file holds them.
        path: of the file, for messages.
        rename: from the file's name to ours.
        unused: beginnings of names, ours, of weights that nothing needs.

    Raises:
        CheckpointError: a value is no dense tensor of numbers, is not finite, or two names fall together.
    """
    import torch

    weights: dict[str, Tensor] = {}
    for key, value in state.items():
        if not isinstance(key, str) or not isinstance(value, torch.Tensor):
            raise CheckpointError(
                f"{path} holds {key!r}, a {type(value).__name__}, among the weights, which must be named tensors.",
                hint="Give the file that training wrote.",
            )
        name = rename(key)
        if name.startswith(unused) or name.endswith(".num_batches_tracked"):
            continue
        if value.layout != torch.strided or value.is_quantized or not value.is_floating_point():
            raise CheckpointError(
                f"{path}: the weight {key} is {value.dtype} ({value.layout}), not dense floating-point numbers.",
                hint="Save the checkpoint again with plain float32 weights.",
            )
        tensor = value.detach().to(torch.float32)
        if not torch.isfinite(tensor).all():
            raise CheckpointError(
                f"{path}: the weight {key} contains NaN or infinite values.",
                hint="Training diverged or the file is damaged; use an earlier checkpoint.",
            )
        if name in weights and not torch.equal(weights[name], tensor):
            raise CheckpointError(f"{path} has two different weights for {name}.", hint="Save one network per file.")
        weights[name] = tensor
    return weights


def _rename(key: str) -> str:
    while key.startswith(_WRAPPERS):
        key = key.partition(".")[2]
    if key.startswith("AdaptorNet."):
        return "adaptor." + key.removeprefix("AdaptorNet.")
    if key.startswith(("adaptor.", "backbone.", "pixel_classifier.")):
        return key
    return "backbone." + key


def fill(network: nn.Module, weights: Mapping[str, Tensor], path: Path, *, title: str = "InstanSeg") -> None:
    """Copy the weights into the network, all of them or none.

    Args:
        network: is put in eval mode, and learns no more.
        weights: under the names of the network.
        path: of the file, for messages.
        title: of the network's family, for messages.

    Raises:
        CheckpointError: weights are missing, left over or of another shape; the message names the first few.
    """
    expected = {k: v for k, v in network.state_dict().items() if not k.endswith(".num_batches_tracked")}
    problems = []
    if missing := [name for name in expected if name not in weights]:
        problems.append(f"lacks {_some(missing)}")
    if extra := [name for name in weights if name not in expected]:
        problems.append(f"has {_some(extra)} that the network does not know")
    wrong = [
        f"{name} {tuple(weights[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in weights and weights[name].shape != tensor.shape
    ]
    if wrong:
        problems.append(f"has the wrong shape in {_some(wrong)}")
    if problems:
        raise CheckpointError(
            f"The weights of {path} do not fit a network of {title}: it {'; it '.join(problems)}.",
            hint="Give the checkpoint as training wrote it; parts of a network cannot be exported.",
        )
    network.load_state_dict(dict(weights), strict=False)
    network.requires_grad_(False).eval()


def _some(names: list[str]) -> str:
    rest = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + rest


def need(weights: Mapping[str, Tensor], name: str, dimensions: int, path: Path) -> Tensor:
    """Return a weight that decides the network's structure.

    Raises:
        CheckpointError: it is missing, or has another number of dimensions, or is empty.
    """
    tensor = weights.get(name)
    if tensor is None:
        raise CheckpointError(
            f"The weights of {path} lack {name}.", hint="Give the whole checkpoint, as training wrote it."
        )
    if tensor.ndim != dimensions or tensor.numel() == 0:
        raise SpecError(
            f"{path}: the weight {name} has the shape {tuple(tensor.shape)}; expected are {dimensions} dimensions.",
            hint="Give the checkpoint as training wrote it.",
        )
    return tensor
