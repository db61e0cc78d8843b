"""Where a slide is: what workers are given so that each opens it for itself."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...errors import ImageError
from .array import GivenArray, StoredArray

__all__ = ["SlideAddress"]

_ENDS = 1 << 20


@dataclass(frozen=True)
class SlideAddress:
    """A slide, not opened. It can be pickled.

    Attributes:
        location: path of a file or folder, URL of an OME-Zarr, or arrays.
        dimensions: 2 for an image, 3 for a volume.
        series: of a TIFF file with several images, the place of the one that is meant, from 0; by default the largest.
    """

    location: Path | str | GivenArray
    dimensions: int = 2
    series: int | None = None

    def for_workers(self, folder: Path) -> SlideAddress:
        """Return an address that can be sent to other processes, where arrays in memory are files in a folder."""
        if isinstance(self.location, GivenArray):
            return replace(self, location=self.location.stored(folder))
        return self

    def identity(self) -> str:
        """Return a hash that tells a slide from another, and from itself once it was changed.

        Of a file it covers the size and both ends of it, and when it was written; of a folder the metadata; of an array
        in memory all of it, of others their shape and type.

        Raises:
            ImageError: the file is not there.
        """
        digest = hashlib.sha256(f"{self.dimensions} {self.series}".encode())
        where = self.location
        if isinstance(where, GivenArray):
            for level in where.levels:
                digest.update(f"{tuple(level.shape)} {level.dtype}".encode())
                if isinstance(level, np.ndarray | StoredArray):
                    digest.update(np.ascontiguousarray(level[...]).data)
        elif isinstance(where, str) and "://" in where:
            digest.update(where.encode())
        else:
            _add_path(digest, Path(where))
        return digest.hexdigest()


def _add_path(digest: hashlib._Hash, path: Path) -> None:
    try:
        names = [path]
        if path.is_dir():
            names = [
                entry for name in ("zarr.json", ".zattrs", ".zarray") for entry in sorted(path.glob(f"**/{name}"))[:200]
            ]
        for name in names:
            status = name.stat()
            digest.update(f"{name.relative_to(path)} {status.st_size} {status.st_mtime_ns}".encode())
            with name.open("rb") as stream:
                digest.update(stream.read(_ENDS))
                stream.seek(max(0, status.st_size - _ENDS))
                digest.update(stream.read(_ENDS))
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror or error}.", hint="Check the path.") from error
