"""Runs machine code of AOTInductor, which needs PyTorch and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "_shared"))

from compiled_session import open_compiled
from runner_protocol import Request, Session, serve


def open_session(request: Request) -> Session:
    return open_compiled(request, {})  # it has a place for settings, and none are left


if __name__ == "__main__":
    raise SystemExit(serve("aot_inductor", open_session))
