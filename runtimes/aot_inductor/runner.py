"""Runs machine code of AOTInductor, which needs PyTorch and nothing else."""

from __future__ import annotations

import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "_shared"))

from runner_protocol import METADATA_KEY, Request, Session, UnavailableError, read_facts, serve

if TYPE_CHECKING:
    from torch import Tensor


def compiled(call: Callable[[Tensor, dict[str, Tensor]], Any]) -> Callable[[Tensor], Any]:
    """Return a compiled forward as a function of an image; it has no settings, but a place for them."""

    def module(image: Tensor) -> Any:
        result = call(image, {})
        return tuple(result) if isinstance(result, list) else result

    return module


def open_session(request: Request) -> Session:
    for name in request.settings:
        raise UnavailableError(f"the setting {name} is fixed at export in this format")
    import torch._inductor
    from torch_session import TorchSession, torch_device

    with zipfile.ZipFile(request.model) as archive:
        names = [name for name in archive.namelist() if name.endswith(f"/extra/{METADATA_KEY}.json")]
        text = archive.read(names[0]).decode() if names else ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        call = torch._inductor.aoti_load_package(str(request.model))
    return TorchSession(compiled(call), torch_device(request.device), request, read_facts(text))


if __name__ == "__main__":
    raise SystemExit(serve("aot_inductor", open_session))
