"""Runs a TorchScript file, which needs PyTorch and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "_shared"))

from runner_protocol import METADATA_KEY, Request, Session, read_facts, serve


def open_session(request: Request) -> Session:
    import torch
    from torch_session import TorchSession, torch_device

    device = torch_device(request.device)
    extra = {f"{METADATA_KEY}.json": ""}
    load: Any = torch.jit.load
    module = load(str(request.model), map_location=device, _extra_files=extra).eval()
    return TorchSession(module, device, request, read_facts(extra[f"{METADATA_KEY}.json"]))


if __name__ == "__main__":
    raise SystemExit(serve("torchscript", open_session))
