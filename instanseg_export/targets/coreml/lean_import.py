"""coremltools without what it loads only to convert from other frameworks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["only_what_converts_torch"]

_OTHERS = ("executorch", "pandas", "sklearn", "tensorflow", "torchao", "torchvision", "xgboost")
"""Those installed cost ten seconds. Each is optional to coremltools, which looks whether it can be imported."""


@contextmanager
def only_what_converts_torch() -> Iterator[None]:
    """Let no module within the block load the other frameworks. What is loaded already stays as it is."""
    hidden = [name for name in _OTHERS if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type] # None says that it cannot be imported
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
