"""Executes the ML program of an .mlpackage by an interpreter of its operations: not by Apple's Core ML."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "_shared"))

from runner_protocol import Request, Session, serve


def open_session(request: Request) -> Session:
    from mil_session import InterpretedSession

    return InterpretedSession(request)


if __name__ == "__main__":
    raise SystemExit(serve("coreml_interpreter", open_session))
