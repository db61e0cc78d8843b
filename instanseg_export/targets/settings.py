"""Which settings a format fixes at export: what a setting decides, and what the format can leave open."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..families.settings import Setting
    from .base import Target

__all__ = ["is_fixed"]


def is_fixed(setting: Setting, target: Target) -> bool:
    """Tell whether a setting cannot be overridden at run time in the files of a target."""
    if not target.overridable or setting.decides == "forward":
        return True
    return target.traces and setting.decides == "graph"
