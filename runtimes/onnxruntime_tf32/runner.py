"""Runs an ONNX file in ONNX Runtime on CUDA with TF32, which is on there by default."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "_shared"))

from runner_protocol import Request, Session, serve


def open_session(request: Request) -> Session:
    from ort_session import OrtSession

    return OrtSession(request, optimised=True, tf32=True)


if __name__ == "__main__":
    raise SystemExit(serve("onnxruntime_tf32", open_session))
