"""The entry point: every way in which a command can end becomes a few plain lines and an exit status."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Sequence

from cyclopts import CycloptsError

from ..errors import InstansegExportError, OutputError, RuntimeUnavailableError
from ..files import forget_written, written_paths
from ..interruption import hear_signals
from ..untrusted.boundary import disk_is_full, out_of_memory, plain
from .app import app
from .console import show_error, show_json
from .streams import steady_streams
from .usage import explain

__all__ = ["main"]

_REPORT_TO = "Run it again with --debug and report the traceback with the command that you typed."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    0: done. 1: done, and runtimes disagree. 2: the input, an option or the machine is at fault, and a message says how.
    70: a defect of this program. 129, 130 and 143: interrupted. Unless it is 0 or 1, nothing was written, or the
    message says what.
    """
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in tokens
    as_json = "--json" in tokens
    try:
        with steady_streams():
            try:
                return _run(tokens, debug=debug, as_json=as_json)
            except KeyboardInterrupt as error:
                return _interrupted(error)
    except KeyboardInterrupt as error:  # once more, before the first was dealt with
        return _interrupted(error)


def _run(tokens: list[str], *, debug: bool, as_json: bool) -> int:
    """Run a command and show how it ended."""
    forget_written()
    hear_signals()
    # ONNX Runtime reports to its makers unless it is told not to before it starts.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    if not debug:
        warnings.simplefilter("ignore")
    try:
        if not tokens:
            app.help_print()
        result = app(
            [token for token in tokens if token != "--debug"],
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except CycloptsError as error:
        return _fail(explain(error, tokens), as_json=as_json, debug=debug)
    except InstansegExportError as error:
        full = disk_is_full(error) and not isinstance(error, OutputError)
        return _fail(_refused(error) if full else error, as_json=as_json, debug=debug)
    except OSError as error:
        refused = _no_room(error) if out_of_memory(error) else _refused(error)
        return _fail(refused, as_json=as_json, debug=debug)
    except Exception as error:
        if disk_is_full(error):
            return _fail(_refused(error), as_json=as_json, debug=debug)
        if out_of_memory(error):
            return _fail(_no_room(error), as_json=as_json, debug=debug)
        if isinstance(error, ImportError) and not (error.name or "").startswith("instanseg_export"):
            return _fail(_not_installed(error), as_json=as_json, debug=debug)
        if debug:
            traceback.print_exc()
        what = plain(error) or "no message"
        defect = InstansegExportError(f"This is a defect: {type(error).__name__}: {what}", hint=_REPORT_TO)
        defect.exit_code = 70
        return _fail(defect, as_json=as_json, debug=False)


def _not_installed(error: ImportError) -> RuntimeUnavailableError:
    """Say that a library is missing or damaged."""
    return RuntimeUnavailableError(
        f"A library cannot be loaded: {plain(error, 200)}.",
        hint="Install instanseg-export again, with what it needs (pip install --force-reinstall instanseg-export).",
    )


def _no_room(error: BaseException) -> OutputError:
    """Say that there is not enough memory."""
    short = OutputError(
        f"There is not enough memory for this.{_written('Before it ran out')}",
        hint="Close other programs, raise the limit on memory (ulimit -v) or use a machine with more.",
    )
    short.__cause__ = error  # which --debug shows
    return short


def _written(when: str) -> str:
    """Return a sentence on what is in its place already; empty where nothing is."""
    written = written_paths()
    return f" {when}, this was written: {', '.join(map(str, written))}." if written else ""


def _refused(error: BaseException) -> OutputError:
    """Say in words what the operating system refused. Where a temporary file lies means nothing to the user."""
    name = getattr(error, "filename", None)
    hidden = name is None or _is_temporary(str(name))
    where = "" if hidden else f" for {plain(name)}"
    fact = plain(getattr(error, "strerror", None) or error).rstrip(".")
    words = f"The disk is full{where}" if disk_is_full(error) else f"The operating system says: {fact}{where}"
    return OutputError(
        f"{words}.{_written('Before that')}",
        hint="Check free space, also of the temporary folder (TMPDIR chooses another), and permissions.",
    )


def _is_temporary(name: str) -> bool:
    try:
        return name.startswith(tempfile.gettempdir())
    except OSError:  # there is no folder that one may write to
        return False


def _interrupted(error: KeyboardInterrupt) -> int:
    """Say what is in place, which is all or nothing of each output, and return the exit status."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    written = written_paths()
    words = f"Interrupted. Written: {', '.join(map(str, written))}." if written else "Interrupted: nothing was written."
    with contextlib.suppress(Exception):
        sys.stderr.write(f"{words}\n")
        sys.stderr.flush()
    return getattr(error, "exit_code", 130)


def _fail(error: InstansegExportError, *, as_json: bool, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    if as_json:
        kind = type(error).__name__
        with contextlib.suppress(OSError):  # the message on stderr says the same
            show_json({"error": {"kind": kind, "message": error.message, "hint": error.hint}})
            sys.stdout.flush()
    show_error(error)
    return error.exit_code
