"""Runs an ONNX file in OpenVINO, on the CPU and in float32."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "_shared"))

from runner_protocol import Request, Session, serve


def open_session(request: Request) -> Session:
    from openvino_session import OpenVinoSession

    return OpenVinoSession(request)


if __name__ == "__main__":
    raise SystemExit(serve("openvino", open_session))
