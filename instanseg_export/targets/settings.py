"""Which settings a format fixes at export: what a setting decides, and what the format can leave open."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..families.settings import Tunable
    from .base import Target

__all__ = ["is_fixed"]


def is_fixed(tunable: Tunable, target: Target) -> bool:
    """Tell whether a setting cannot be overridden at run time in the files of a target."""
    if not target.overridable or tunable.decides == "forward":
        return True
    return target.traces and tunable.decides == "graph"
