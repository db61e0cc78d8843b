"""Whether a file may be run: TorchScript and exported programs are programs, which can read and write files.

What a file says of itself can be forged. So a file counts as one of ours only if it says so, and if its code can do
nothing but compute, whoever wrote it.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import PackageError, UnsafeFileError, UntrustedFileError
from ..untrusted.boundary import parsing, plain
from . import read_metadata
from .exported_program import code as exported_program
from .torchscript import code as torchscript

__all__ = ["check_trust"]

_KNOWN_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
_SHOWN = 4
_PROGRAMS = {
    ".pt": ("a TorchScript file", torchscript.suspicious),
    ".pt2": ("an exported program", exported_program.suspicious),
}
"""The endings of files that are programs: what such a file is called, and what finds more in it than computing."""


def check_trust(file: Path, *, trusted: bool = False, shown: Path | None = None) -> None:
    """Refuse to run a file that this package did not write, unless the user trusts it. Nothing in it is executed.

    Args:
        file: that is about to be run.
        trusted: whether the user says that it may be run.
        shown: what the user named, where the file was unpacked from it.

    Raises:
        UntrustedFileError: a program of others, or one that can do more than compute.
        UnsafeFileError: an ONNX file that needs a library of operators of its own.
        PackageError: the file is damaged.
    """
    if file.suffix == ".onnx" and read_metadata(file) is None:
        _check_domains(file)
    if file.suffix not in _PROGRAMS or trusted:
        return
    kind, suspicious = _PROGRAMS[file.suffix]
    found = suspicious(file)
    if not found and read_metadata(file) is not None:
        return
    name = file if shown is None or shown.is_dir() else shown
    if exported_program.MACHINE_CODE in found:
        raise UntrustedFileError(
            f"{name} holds {exported_program.MACHINE_CODE}: what it says of itself proves nothing.",
            hint="Run it with --trust if you exported it yourself, or know who did.",
        )
    if found:
        listed = "; ".join(found[:_SHOWN]) + (f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else "")
        fact = f"Its code has more in it than computing needs: {listed}."
    else:
        fact = "Its code names only operators that compute."
    raise UntrustedFileError(
        f"{name} was not written by instanseg-export, or was changed since: {kind} from elsewhere can read "
        f"and write your files while it runs. {fact}",
        hint="Run it with --trust if you know where it comes from; instanseg-export inspect executes nothing.",
    )


def _check_domains(file: Path) -> None:
    import onnx

    with parsing(file, "the ONNX file", PackageError, hint="Get the file again from its publisher."):
        model = onnx.load(file, load_external_data=False)
        own = {function.domain for function in model.functions}
        needed = sorted({entry.domain for entry in model.opset_import} - _KNOWN_DOMAINS - own)
    if needed:
        raise UnsafeFileError(
            f"{file} needs a library of operators of its own, {plain(', '.join(needed), 100)}.",
            hint="Only files with ONNX's own operators are run here: ask its publisher for one.",
        )
