"""TorchScript: what QuPath, Fiji (deepImageJ) and DJL load."""

from __future__ import annotations

import io
import re
import sys
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from ..boundary import parsing
from ..errors import ExportError, PackageError
from ..limits import MAX_METADATA_BYTES
from ..metadata import METADATA_KEY, ModelMetadata, parse_metadata
from ..zips import check_zip
from .operators import OLDEST_LIBTORCH, unknown_operators

if TYPE_CHECKING:
    from ..forwards.base import Forward

__all__ = ["TARGET", "TorchScriptTarget"]

_EXTRA_FILE = f"{METADATA_KEY}.json"
_CONSTANTS = re.compile(rb"(?:^ +\w+ : Final\[.*\n)+", re.MULTILINE)


class TorchScriptTarget:
    """Scripts the forward: data-dependent loops and the optional argument ``args`` stay what they are in Python."""

    name = "torchscript"
    filename = "instanseg.pt"
    describes = "TorchScript, for QuPath, Fiji (deepImageJ), DJL and libtorch from 2.0"
    overridable = True
    dynamic_shapes = True
    exposes_stages = True

    def unavailable(self) -> str | None:
        """See :class:`targets.base.Target`."""
        if sys.version_info >= (3, 14):
            return "PyTorch does not support TorchScript on Python 3.14 and newer; use Python 3.11 to 3.13"
        return None

    def write(self, forward: Forward, metadata: ModelMetadata, path: Path) -> None:
        """See :class:`targets.base.Target`."""
        import torch

        try:
            with warnings.catch_warnings():
                # TorchScript is deprecated, and still the only way into QuPath and Fiji.
                warnings.simplefilter("ignore")
                scripted = torch.jit.script(forward)
                buffer = io.BytesIO()
                torch.jit.save(scripted, buffer, _extra_files={_EXTRA_FILE: metadata.text()})
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[0]
            raise ExportError(
                f"TorchScript refused the forward of {metadata.spec.name}: {reason}",
                hint="This is a defect of instanseg-export: please report it with the output of --debug.",
            ) from error
        newer = unknown_operators(scripted)
        if newer:
            raise ExportError(
                f"The forward of {metadata.spec.name} uses what libtorch {OLDEST_LIBTORCH} does not know: "
                f"{', '.join(newer)}.",
                hint="Fiji runs that version, so that the file would not load there: use operators that it has.",
            )
        path.write_bytes(_canonical(buffer))

    def read_metadata(self, path: Path) -> ModelMetadata | None:
        """See :class:`targets.base.Target`."""
        hint = "Export the checkpoint again, or get the file again from its publisher."
        with parsing(path, "the TorchScript file", PackageError, hint=hint), zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            check_zip(members, path, path.stat().st_size, PackageError, hint=hint)
            if broken := archive.testzip():
                raise ValueError(f"its entry {broken} does not have its checksum")
            found = [member for member in members if member.filename.endswith(f"/extra/{_EXTRA_FILE}")]
            if not found:
                return None
            if len(found) > 1:
                raise ValueError("it describes itself twice")
            with archive.open(found[0]) as stream:
                text = stream.read(MAX_METADATA_BYTES + 1)
        return parse_metadata(text, path)


def _canonical(file: io.BytesIO) -> bytes:
    """Give the same module the same bytes, whatever the machine and the process.

    PyTorch writes a class's constants in the order of a set, and, for its error messages, the Python sources with
    their paths on this machine: the constants are sorted, the sources left out.
    """
    import torch

    file.seek(0)
    reader = torch._C.PyTorchFileReader(file)
    canonical = io.BytesIO()
    writer = torch._C.PyTorchFileWriter(canonical)
    for name in reader.get_all_records():
        # The writer adds these itself.
        if name.endswith(".debug_pkl") or name in ("version", "byteorder", ".data/serialization_id"):
            continue
        record = reader.get_record(name)
        if name.endswith(".py"):
            record = _CONSTANTS.sub(lambda lines: b"".join(sorted(lines[0].splitlines(keepends=True))), record)
        writer.write_record(name, record, len(record))
    writer.write_end_of_file()
    return canonical.getvalue()


TARGET = TorchScriptTarget()
