"""The entry point: every way in which a command can end becomes a few plain lines and an exit status."""

from __future__ import annotations

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Sequence
from types import FrameType

from cyclopts import CycloptsError

from ..errors import InstansegExportError, OutputError
from .app import app
from .console import show_json
from .usage import explain

__all__ = ["main"]

_REPORT_TO = "Run it again with --debug and report the traceback with the command that you typed."


class _Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP, which must clean up like Ctrl-C does."""

    def __init__(self, number: int) -> None:
        self.exit_code = 128 + number


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    0: done. 1: done, and runtimes disagree. 2: the input, an option or the machine is at fault, and a message says how.
    70: a defect of this program. 130 and 143: interrupted. Unless it is 0 or 1, nothing was written.
    """
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in tokens
    as_json = "--json" in tokens
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _terminate)
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
        return result if isinstance(result, int) else 0
    except CycloptsError as error:
        return _fail(explain(error, tokens), as_json=as_json, debug=debug)
    except InstansegExportError as error:
        return _fail(error, as_json=as_json, debug=debug)
    except OSError as error:
        return _fail(_refused(error), as_json=as_json, debug=debug)
    except KeyboardInterrupt as error:
        sys.stderr.write("Interrupted: nothing was written.\n")
        return getattr(error, "exit_code", 130)
    except Exception as error:
        if debug:
            traceback.print_exc()
        what = (str(error).strip() or "no message").splitlines()[0]
        defect = InstansegExportError(f"This is a defect: {type(error).__name__}: {what}", hint=_REPORT_TO)
        defect.exit_code = 70
        return _fail(defect, as_json=as_json, debug=False)


def _refused(error: OSError) -> OutputError:
    where = f" for {error.filename}" if error.filename else ""
    return OutputError(
        f"The operating system says: {error.strerror or error}{where}.",
        hint="Check free space, also of the temporary folder (TMPDIR chooses another), and permissions.",
    )


def _terminate(number: int, frame: FrameType | None) -> None:
    raise _Terminated(number)


def _fail(error: InstansegExportError, *, as_json: bool, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    if as_json:
        kind = type(error).__name__
        show_json({"error": {"kind": kind, "message": error.message, "hint": error.hint}})
    sys.stderr.write(f"error: {error.message}\nhint: {error.hint}\n")
    return error.exit_code
