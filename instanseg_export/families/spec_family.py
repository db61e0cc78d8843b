"""What families need whose description defines the network in full, as most do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ..errors import SpecError
from ..plain_text import escaped
from ..registry import closest
from ..untrusted.boundary import plain
from .checkpoint import Checkpoint
from .facts import text_or_none
from .family import Restore
from .spec import ModelSpec, findings
from .weights import dense_weights, fill

if TYPE_CHECKING:
    from torch import nn

__all__ = ["override", "restore_by_spec"]

_FIELDS: dict[str, Callable[[str], Any]] = {
    "name": str.strip,
    "structures": lambda text: tuple(part.strip() for part in text.split(",") if part.strip()),
    "pixel_size": lambda text: None if text_or_none(text) is None else float(text),
    "source_datasets": lambda text: tuple(part.strip() for part in text.split(",") if part.strip()),
}
"""What can be said of any model without contradicting its weights, and how its text is read."""


def restore_by_spec(network: Callable[[Any], nn.Module], fields: Mapping[str, Callable[[str], Any]]) -> Restore:
    """Return what restores a family's checkpoints. Most families need no more than this.

    Args:
        network: builds the network of a description; its weights are random until they are loaded. Imports torch.
        fields: what ``--spec`` may override beside the fields of every family, and how their text is read.
    """

    def restore(
        spec: ModelSpec,
        state: Mapping[Any, Any],
        overrides: Mapping[str, str],
        path: Path,
        *,
        sha256: str,
        reader: str,
        folded: bool = False,
    ) -> Checkpoint:
        from ..layers.folding import for_inference

        spec = override(spec, overrides, path, fields)
        weights = dense_weights(state, path, rename=lambda name: name.removeprefix("network."))

        def build() -> nn.Module:
            built = network(spec)
            if any(name.endswith(".running_mean") and name not in weights for name in built.state_dict()):
                built = for_inference(built)  # as the export did, so that the weights fit
            return built

        return Checkpoint(spec, fill(build, weights, path, title=spec.title), path, sha256, reader)

    return restore


def override(
    spec: ModelSpec, overrides: Mapping[str, str], path: Path, fields: Mapping[str, Callable[[str], Any]]
) -> ModelSpec:
    """Return a description with fields replaced by ``--spec key=value``.

    Args:
        spec: the description.
        overrides: field to text.
        path: of the checkpoint, for messages.
        fields: what may be overridden beside the fields of every family.

    Raises:
        SpecError: a field is unknown, or its text malformed or unfit.
    """
    known = {**_FIELDS, **fields}
    values = spec.model_dump()
    for key, text in overrides.items():
        if key not in known:
            guess = closest(key, known)
            suggestion = f"Did you mean {guess!r}? " if guess else ""
            raise SpecError(
                f"A description of {spec.title} has no field {plain(key, 80)!r} that can be overridden.",
                hint=f"{suggestion}Fields are: {', '.join(known)}.",
            )
        try:
            values[key] = known[key](str(text))
        except (ValueError, OverflowError) as error:
            raise SpecError(
                f"--spec {key}={escaped(text, 100)} cannot be read: {plain(error, 200)}.",
                hint=f"Correct --spec {key}=….",
            ) from error
    try:
        return type(spec).model_validate(values)
    except ValidationError as error:
        reason = findings(error)
        raise SpecError(
            f"The description of {path} is inconsistent: {reason}.", hint="Correct it with --spec."
        ) from error
