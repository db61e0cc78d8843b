"""What an artefact consists of: one file, or a folder with all that is in it."""

from __future__ import annotations

from pathlib import Path

__all__ = ["files_in", "size_of"]


def files_in(path: Path) -> list[Path]:
    """Return the files of a folder and of its subfolders, sorted by their names within it; of a file, itself."""
    if not path.is_dir():
        return [path]
    return sorted(
        (inner for inner in path.rglob("*") if inner.is_file()), key=lambda inner: inner.relative_to(path).as_posix()
    )


def size_of(path: Path) -> int:
    """Return the size of a file, or of all files in a folder, in bytes."""
    return sum(inner.stat().st_size for inner in files_in(path))
