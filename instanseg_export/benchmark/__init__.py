"""How fast an exported model is, in what memory, in every runtime, and how fast this machine could be at best."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .bench import bench
    from .measure import Program, Timing, take_turns
    from .result import Benchmark
    from .rows import Row

__all__ = ["Benchmark", "Program", "Row", "Timing", "bench", "take_turns"]

_MODULE_OF = {
    "Benchmark": ".result",
    "Program": ".measure",
    "Row": ".rows",
    "Timing": ".measure",
    "bench": ".bench",
    "take_turns": ".measure",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_MODULE_OF[name], __name__), name)
    globals()[name] = value
    return value
