"""From what a file holds to the weights of our network: names, number types, and a strict fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..archives.safe_unpickling import Opaque
from ..errors import CheckpointError, SpecError
from ..untrusted.boundary import enough_memory, plain

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["dense_weights", "fill", "need"]


def dense_weights(
    state: Mapping[Any, Any], path: Path, *, rename: Callable[[str], str | None] = str
) -> dict[str, Tensor]:
    """Return the weights as float32 under the names of a network of ours.

    Args:
        state: name to tensor, as a file holds them.
        path: of the file, for messages.
        rename: from the file's name to ours; None for a weight that nothing needs.

    Raises:
        CheckpointError: a value is no dense tensor of numbers, is not finite, or two names fall together.
    """
    import torch

    weights: dict[str, Tensor] = {}
    converted: dict[int, Tensor] = {}  # a file can give many names to one tensor
    for key, value in state.items():
        if not isinstance(key, str) or not isinstance(value, (torch.Tensor, Opaque)):
            raise CheckpointError(
                f"{path} holds {_quoted(key)}, a {type(value).__name__}, among the weights, which must be named "
                "tensors.",
                hint="Give the file that training wrote.",
            )
        name = rename(key)
        if name is None or name.endswith(".num_batches_tracked"):
            continue
        fact = value.what if isinstance(value, Opaque) else _unfit(value)
        if isinstance(value, Opaque) or fact:
            raise CheckpointError(
                f"{path}: the weight {plain(key, 200)} is {fact}, not dense floating-point numbers.",
                hint="Save the checkpoint again with plain float32 weights.",
            )
        if id(value) not in converted:
            converted[id(value)] = _finite(value, key, path)
        tensor = converted[id(value)]
        if name in weights and not torch.equal(weights[name], tensor):
            raise CheckpointError(
                f"{path} has two different weights for {plain(name, 200)}.", hint="Save one network per file."
            )
        weights[name] = tensor
    return weights


def _quoted(key: object) -> str:
    return repr(plain(key, 100)) if isinstance(key, str) else plain(key, 100)


def _unfit(value: Tensor) -> str:
    """Say why a tensor is none of dense numbers; nothing where it is one."""
    import torch

    if value.is_meta:
        return "a tensor of the meta device, which has no data"
    if value.layout != torch.strided or value.is_quantized or not value.is_floating_point():
        return f"{value.dtype} ({value.layout})"
    return ""


def _finite(value: Tensor, key: str, path: Path) -> Tensor:
    import torch

    tensor = value.detach().to(torch.float32)
    if not torch.isfinite(tensor).all():
        raise CheckpointError(
            f"{path}: the weight {plain(key, 200)} contains NaN or infinite values.",
            hint="Training diverged or the file is damaged; use an earlier checkpoint.",
        )
    return tensor


def fill(build: Callable[[], nn.Module], weights: Mapping[str, Tensor], path: Path, *, title: str) -> nn.Module:
    """Build a network and copy the weights into it, all of them or none.

    It is built on the meta device first, where tensors have shapes and no data: a description can ask for any size, and
    only one that the weights have is worth its memory.

    Args:
        build: makes the network; its weights are of no account.
        weights: under the names of the network.
        path: of the file, for messages.
        title: of the network's family, for messages.

    Returns:
        the network in eval mode, which learns no more.

    Raises:
        CheckpointError: weights are missing, left over or of another shape (the message names the first few), or there
            is not enough memory.
    """
    import torch

    with enough_memory(path, "the network", CheckpointError):
        with torch.device("meta"):
            hollow = build()
        _check_shapes({name: tensor.shape for name, tensor in _weights_of(hollow).items()}, weights, path, title)
        network = build()
        network.load_state_dict(dict(weights), strict=False)
    for name, tensor in _weights_of(network).items():
        if not torch.isfinite(tensor).all():
            raise CheckpointError(
                f"{path}: {name} becomes infinite when the weights are prepared for the network.",
                hint="Training diverged or the file is damaged; use an earlier checkpoint.",
            )
    return network.requires_grad_(False).eval()


def _weights_of(network: nn.Module) -> dict[str, Tensor]:
    return {name: one for name, one in network.state_dict().items() if not name.endswith(".num_batches_tracked")}


def _check_shapes(expected: Mapping[str, Any], weights: Mapping[str, Tensor], path: Path, title: str) -> None:
    problems = []
    if missing := [name for name in expected if name not in weights]:
        problems.append(f"lacks {_some(missing)}")
    if extra := [name for name in weights if name not in expected]:
        problems.append(f"has {_some(extra)} that the network does not know")
    wrong = [
        f"{name} {tuple(weights[name].shape)} instead of {tuple(shape)}"
        for name, shape in expected.items()
        if name in weights and weights[name].shape != shape
    ]
    if wrong:
        problems.append(f"has the wrong shape in {_some(wrong)}")
    if problems:
        raise CheckpointError(
            f"The weights of {path} do not fit a network of {title}: it {'; it '.join(problems)}.",
            hint="Give the checkpoint as training wrote it; parts of a network cannot be exported.",
        )


def _some(names: list[str]) -> str:
    rest = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(plain(name, 200) for name in names[:3]) + rest


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
