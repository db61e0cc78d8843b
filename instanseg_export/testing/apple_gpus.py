"""What a forward needs of an Apple GPU: operators that PyTorch has there, and no float64."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

__all__ = ["OperatorsSeen"]


class OperatorsSeen(TorchDispatchMode):
    """Notes, while it is entered, what Apple GPUs lack of the operators that are called, in scripted modules too.

    Attributes:
        missing: names of operators without a kernel for them.
        doubles: names of operators that take or give float64.
        count: of calls.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.missing: set[str] = set()
        self.doubles: set[str] = set()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func.name()
        self.count += 1
        if not _exists(name.removeprefix("aten::")):
            self.missing.add(name)
        if any(leaf.dtype == torch.float64 for leaf in tree_leaves((args, kwargs, result)) if torch.is_tensor(leaf)):
            self.doubles.add(name)
        # amin and amax of int64 came with PyTorch's pull request 184028 of 2026, and need macOS 15.
        if "scatter_reduce" in name and args[0].dtype == torch.int64:
            self.missing.add(f"{name} of int64")
        return result


@cache
def _table() -> dict[str, Any]:
    """Return the entry of each operator in native_functions.yaml, from which PyTorch's dispatch is generated."""
    import torchgen  # type: ignore[import-untyped]
    import yaml

    file = Path(str(torchgen.__file__)).parent / "packaged/ATen/native/native_functions.yaml"
    rows = yaml.safe_load(file.read_text(encoding="utf-8"))
    return {row["func"].partition("(")[0]: row for row in rows}


def _exists(name: str) -> bool:
    """Tell whether an operator has a kernel of its own for MPS, or is composed of others that are called in turn."""
    row = _table().get(name, {"dispatch": {}, "structured_delegate": None})
    if row.get("structured_delegate"):
        return _exists(row["structured_delegate"])
    if "dispatch" not in row:
        return True
    keys = {key.strip() for keys in row["dispatch"] for key in keys.split(",")}
    return any(key == "MPS" or key.startswith("Composite") for key in keys)
