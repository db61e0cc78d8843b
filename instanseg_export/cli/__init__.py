"""The command line: thin. It parses, calls the API and shows what came back."""

from __future__ import annotations

from .main import main

__all__ = ["main"]
