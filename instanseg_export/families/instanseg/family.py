"""The family of InstanSeg networks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from ..checkpoint import Checkpoint
from ..spec import ModelSpec
from ..weights import canonical_weights
from .build import build
from .describe import facts_of, parse_overrides
from .spec import InstanSegSpec

__all__ = ["FAMILY", "InstanSegFamily"]


class InstanSegFamily:
    """See :class:`.family.Family`. What the weights show is compared with what the description says."""

    spec = InstanSegSpec

    def restore(
        self,
        spec: ModelSpec,
        state: Mapping[Any, Any],
        overrides: Mapping[str, str],
        path: Path,
        *,
        sha256: str,
        reader: str,
    ) -> Checkpoint:
        known = cast(InstanSegSpec, spec)
        facts = facts_of(known, f"The description in {path}")
        if reader == "torchscript":
            # The export folds batch norms into the convolutions: the weights tell which norm is left.
            facts = {name: fact for name, fact in facts.items() if name not in ("norm", "backbone")}
        return build(
            canonical_weights(state, path),
            {**facts, **parse_overrides(overrides)},
            path,
            sha256=sha256,
            reader=reader,
            settings=known.settings,
        )


FAMILY = InstanSegFamily()
