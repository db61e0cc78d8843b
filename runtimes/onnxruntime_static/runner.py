"""Runs a static ONNX file in ONNX Runtime, as other runtimes for such files would on their devices."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "_shared"))

from runner_protocol import Request, Session, serve


def open_session(request: Request) -> Session:
    from ort_session import OrtSession

    return OrtSession(request, optimised=True, static=True)


if __name__ == "__main__":
    raise SystemExit(serve("onnxruntime_static", open_session))
