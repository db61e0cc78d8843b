"""What ``serve`` and ``export-web`` do and show."""

from __future__ import annotations

import dataclasses
import sys
import threading
import webbrowser
from pathlib import Path

from ..api.options import ExportWebOptions, ServeOptions
from .console import progress, result_console, show_json, size_of

__all__ = ["export_web_command", "serve_command"]


def serve_command(model: Path, options: ServeOptions | None, *, browser: bool, as_json: bool) -> int:
    """Return 0 when the user has ended it with Ctrl-C."""
    with progress(quiet=as_json) as shown:
        from ..api.serve import serve

        page = serve(model, options, progress=shown)
        served = page.__enter__()
    try:
        if as_json:
            show_json(dataclasses.asdict(served))
        else:
            console = result_console()
            console.print(f"{served.name} runs at {served.url}")
            console.print("Only this computer can reach it. Ctrl-C ends it.")
        sys.stdout.flush()
        if browser:
            webbrowser.open(served.url)
        threading.Event().wait()
    except KeyboardInterrupt as end:
        return int(getattr(end, "exit_code", 0))
    finally:
        page.__exit__(None, None, None)
    return 0


def export_web_command(model: Path, options: ExportWebOptions | None, *, as_json: bool, quiet: bool) -> int:
    """Return 0."""
    with progress(quiet=quiet) as shown:
        from ..api.export_web import export_web

        page = export_web(model, options, progress=shown)
    if as_json:
        show_json(dataclasses.asdict(page))
    elif not quiet:
        console = result_console()
        console.print(f"Written: {page.folder} ({size_of(page.size)}), a page that runs {page.name}.")
        console.print(f"\nNext: copy {page.folder} to any web host. To try it here: instanseg-export serve {model}")
    return 0
