"""A model and images in, label files, pictures, outlines and tables out."""

from __future__ import annotations

from .result import Found, RunFailure, RunResult
from .run import run, run_many

__all__ = ["Found", "RunFailure", "RunResult", "run", "run_many"]
