"""What each verb takes, one file each. Nothing heavy is imported before one runs."""

from __future__ import annotations

from collections.abc import Callable

from .bench import bench
from .doctor import doctor
from .evaluate import evaluate
from .export import export
from .export_server import export_server
from .export_web import export_web
from .inspect import inspect
from .publish import publish
from .run import run
from .serve import serve
from .validate import validate

__all__ = ["VERBS", "export"]

VERBS: dict[str, Callable[..., int]] = {
    "inspect": inspect,
    "validate": validate,
    "run": run,
    "bench": bench,
    "evaluate": evaluate,
    "export-server": export_server,
    "publish": publish,
    "serve": serve,
    "export-web": export_web,
    "doctor": doctor,
}
"""Commands by their names; without one, ``export`` runs."""
