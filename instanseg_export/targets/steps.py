"""The steps in which a format is written, and what to do when one of them fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from ..errors import ExportError, InstansegExportError
from ..untrusted.boundary import disk_is_full, plain

__all__ = ["Step", "export_step"]

Step = Literal["capture", "script", "translate", "passes", "check"]

_REPORT = "If you changed no code, this is a defect of instanseg-export: please report it with the output of --debug."
_HINTS: dict[Step, str] = {
    "capture": "Every stage of a forward has to go through torch.export: write loops and sizes that depend on the "
    f"image with stages/loops.py. {_REPORT}",
    "script": f"Every stage of a forward has to go through torch.jit.script. {_REPORT}",
    "translate": "Write the stage that uses it with other operators, or add a translation to the target's "
    f"lowerings.py. {_REPORT}",
    "passes": f"The name of the pass says what it asks of the graph. {_REPORT}",
    "check": "The exporter wrote what breaks the format's rules; another version of it may not. " + _REPORT,
}


@contextmanager
def export_step(step: Step, target: str, model: str) -> Iterator[None]:
    """Turn whatever an exporter raises in a step into an :class:`ExportError` that names the step.

    Errors of ours pass as they are, and so do interruptions and a full disk.

    Args:
        step: what is being done.
        target: its format.
        model: the name of what is exported.

    Raises:
        ExportError: the step failed; its attribute ``step`` is the name.
    """
    try:
        yield
    except InstansegExportError:
        raise
    except MemoryError as error:
        raise ExportError(
            f"{model} cannot be written as {target}: the step {step} needs more memory than there is.",
            hint="Close other programs, or use a machine with more memory.",
            step=step,
        ) from error
    except Exception as error:  # exporters raise errors of many kinds, with pages of text
        if disk_is_full(error):
            raise
        raise ExportError(
            f"{model} cannot be written as {target}: the step {step} failed: {_reason(error)}",
            hint=_HINTS[step],
            step=step,
        ) from error


def _reason(error: BaseException) -> str:
    """Return the first line of the error that is the cause of the others, which say only what was being done."""
    chain = [error]
    while (cause := chain[-1].__cause__) is not None and cause not in chain:
        chain.append(cause)
    lines = (line for one in reversed(chain) for line in str(one).splitlines() if line.strip())
    return plain(next(lines, type(error).__name__))
