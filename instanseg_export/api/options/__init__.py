"""What can be chosen for each verb: fields of a frozen object, keywords of a function and flags of a command at once.

The command line takes names, types, defaults and help from the classes here. Beside each stands a ``...Keywords``, by
which editors and type checkers know the same options as keywords; a test compares the two.
"""

from __future__ import annotations

from .bench import BenchKeywords, BenchOptions
from .evaluate import EvaluateKeywords, EvaluateOptions
from .export import ExportKeywords, ExportOptions
from .export_server import ServerKeywords, ServerOptions
from .export_web import ExportWebKeywords, ExportWebOptions
from .publish import PublishKeywords, PublishOptions
from .run import RunKeywords, RunOptions
from .serve import ServeKeywords, ServeOptions
from .validate import ValidateKeywords, ValidateOptions

__all__ = [
    "BenchKeywords",
    "BenchOptions",
    "EvaluateKeywords",
    "EvaluateOptions",
    "ExportKeywords",
    "ExportOptions",
    "ExportWebKeywords",
    "ExportWebOptions",
    "PublishKeywords",
    "PublishOptions",
    "RunKeywords",
    "RunOptions",
    "ServeKeywords",
    "ServeOptions",
    "ServerKeywords",
    "ServerOptions",
    "ValidateKeywords",
    "ValidateOptions",
]
