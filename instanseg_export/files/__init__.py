"""Reading and writing files safely: outputs appear whole or not at all, and only what this tool wrote is replaced.

An output is made in a folder beside its place and put there in one step of the operating system (``exchange.py``). What
was there is first held against what this tool noted when it wrote it: a folder carries a list of its contents
(``marker.py``), a label file carries one of the files that were written with it (``seal.py``).
"""

from __future__ import annotations

from .apart import check_apart
from .contents import files_in, size_of
from .flush import flush
from .folder import check_folder, staged_folder, staged_part
from .group import StagedFiles, check_file, staged_file, staged_files
from .hashing import sha256_of
from .journal import forget_written, written_paths
from .marker import MARKER
from .scratch import scratch_folder
from .words import scratch_failed

__all__ = [
    "MARKER",
    "StagedFiles",
    "check_apart",
    "check_file",
    "check_folder",
    "files_in",
    "flush",
    "forget_written",
    "scratch_failed",
    "scratch_folder",
    "sha256_of",
    "size_of",
    "staged_file",
    "staged_files",
    "staged_folder",
    "staged_part",
    "written_paths",
]
