"""The same module as the same bytes, whatever the machine and the process."""

from __future__ import annotations

import io
import re

__all__ = ["canonical"]

_CONSTANTS = re.compile(rb"(?:^ +\w+ : Final\[.*\n)+", re.MULTILINE)


def canonical(file: io.BytesIO) -> bytes:
    """Return a TorchScript file in the form in which all that is left depends on the module alone.

    PyTorch writes a class's constants in the order of a set, and, for its error messages, the Python sources with
    their paths on this machine: the constants are sorted, the sources left out.
    """
    import torch

    file.seek(0)
    reader = torch._C.PyTorchFileReader(file)
    written = io.BytesIO()
    writer = torch._C.PyTorchFileWriter(written)
    for name in reader.get_all_records():
        # The writer adds these itself.
        if name.endswith(".debug_pkl") or name in ("version", "byteorder", ".data/serialization_id"):
            continue
        record = reader.get_record(name)
        if name.endswith(".py"):
            record = _CONSTANTS.sub(lambda lines: b"".join(sorted(lines[0].splitlines(keepends=True))), record)
        writer.write_record(name, record, len(record))
    writer.write_end_of_file()
    return written.getvalue()
