"""Runs the network in an .mlpackage in Apple's Core ML, with the compute units CPU_AND_NE."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "_shared"))

from runner_protocol import Request, Session, serve


def open_session(request: Request) -> Session:
    from coreml_session import CoreMLSession

    return CoreMLSession(request, "CPU_AND_NE")


if __name__ == "__main__":
    raise SystemExit(serve("coreml_network", open_session))
