"""Files as outputs: each appears whole or not at all, and those that belong together all at once.

A file is known again by the seal of the label file that was written with it (``seal.py``): both are then as this tool
left them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import OutputError
from .apart import check_apart, check_name, real_place
from .claim import Claim
from .exchange import Piece, put_in_place
from .flush import flush
from .folder import check_folder, folder_piece, made_folder, told_as
from .hashing import sha256_of
from .marker import Seen, write_marker
from .seal import append_seal, read_seal
from .words import cannot_write, exists_already

__all__ = ["StagedFiles", "check_file", "staged_file", "staged_files"]

Recognise = Callable[[Path], bool]
"""Tells whether a file is one that this tool wrote."""


@contextmanager
def staged_file(
    path: Path, *, overwrite: bool = False, inputs: Iterable[Path] = (), ours: Recognise | None = None
) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that becomes ``path`` when the block succeeds.

    Args:
        path: of the new file.
        overwrite: replace a file that this tool wrote.
        inputs: what it is made from, as for :func:`staged_folder`.
        ours: tells whether a file is one that this tool wrote; by default none is.

    Raises:
        OutputError: as for :func:`staged_folder`.
    """
    with staged_files(path.parent, overwrite=overwrite, inputs=inputs, ours=ours) as files:
        yield files.add(path)


@contextmanager
def staged_files(
    folder: Path,
    *,
    overwrite: bool = False,
    inputs: Iterable[Path] = (),
    sealed: Path | None = None,
    origin: str = "",
    ours: Recognise | None = None,
) -> Iterator[StagedFiles]:
    """Yield what gives temporary paths for files of one folder, which all become files when the block succeeds.

    Args:
        folder: of the new files; made if it is not there.
        overwrite: replace files that this tool wrote.
        inputs: what they are made from, as for :func:`staged_folder`.
        sealed: the TIFF file among them that says which files belong to it. By it they are known again.
        origin: what they are made from, in a word: files that were made from something else are not replaced. Empty
            where that is unknown.
        ours: where there is no ``sealed``: tells whether a file is one that this tool wrote.

    Raises:
        OutputError: as for :func:`staged_folder`.
    """
    inputs = tuple(inputs)
    check_name(folder)
    with made_folder(Path(os.path.realpath(folder)), folder) as claim:
        files = StagedFiles(claim, overwrite, inputs, sealed, origin, ours)
        try:
            yield files
        except Exception as error:
            with files.told():
                raise error
        files.finish()


def check_file(
    path: Path,
    *,
    overwrite: bool = False,
    inputs: Iterable[Path] = (),
    sealed: Path | None = None,
    origin: str = "",
    ours: Recognise | None = None,
) -> Seen | None:
    """Return what is at the place of a file that is to be written; None if it is free.

    Its arguments are those of :func:`staged_files`.

    Raises:
        OutputError: it is an input, or something is there that may not be replaced.
    """
    real = real_place(path)
    check_apart(path, inputs)
    try:
        status = real.lstat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise cannot_write(error, path) from error
    if not overwrite:
        raise exists_already(path)
    if not stat.S_ISREG(status.st_mode):
        what = "a link" if stat.S_ISLNK(status.st_mode) else "a folder" if stat.S_ISDIR(status.st_mode) else "no file"
        raise OutputError(f"{path} is {what}, and is not replaced.", hint="Choose another --output.")
    try:
        digest = sha256_of(real)
        known = (
            _sealed_by(real, digest, sealed, origin, path) if sealed is not None else ours is not None and ours(real)
        )
    except OSError as error:
        raise cannot_write(error, path) from error
    if not known:
        raise OutputError(
            f"{path} is not replaced: this tool did not write it, or it was changed since.",
            hint="If you do not need it, move or delete it yourself; or choose another --output.",
        )
    return Seen(status.st_dev, status.st_ino, digest)


def _sealed_by(real: Path, digest: str, sealed: Path, origin: str, shown: Path) -> bool:
    """Tell whether a file is sealed, or is one that the sealed file names.

    Raises:
        OutputError: it is, and was made from something else.
    """
    found = read_seal(real_place(sealed))
    if found is None:
        return False
    source, files = found
    if real.name != sealed.name and files.get(real.name) != digest:
        return False
    if source and origin and source != origin:
        raise OutputError(
            f"{shown} is not replaced: it was made from {source}, not from {origin}.",
            hint="Choose another --output: files of the same name, but for their ending, have the same results' names.",
        )
    return True


class StagedFiles:
    """Files of one folder on their way; see :func:`staged_files`."""

    def __init__(
        self,
        claim: Claim,
        overwrite: bool,
        inputs: tuple[Path, ...],
        sealed: Path | None,
        origin: str,
        ours: Recognise | None,
    ) -> None:
        self._claim = claim
        self._overwrite = overwrite
        self._inputs = inputs
        self._sealed = sealed
        self._origin = origin
        self._ours = ours
        self._seen: dict[Path, Seen | None] = {}
        self._folders: dict[Path, tuple[str, Seen | None]] = {}

    def add(self, path: Path) -> Path:
        """Return the temporary path of one more file.

        Raises:
            OutputError: it is an input, or something is there that may not be replaced.
        """
        self._seen[path] = self._look(path)
        return self._claim.work / path.name

    def add_folder(self, path: Path, *, kind: str) -> Path:
        """Return the temporary path of an empty folder that appears with the files.

        It is known again by a list of its contents of its own, as one of :func:`staged_folder` is.

        Args:
            path: of the new folder.
            kind: of output, in one word.

        Raises:
            OutputError: it has to do with an input, or something is there that may not be replaced.
        """
        self._folders[path] = kind, check_folder(path, kind=kind, overwrite=self._overwrite, inputs=self._inputs)
        content = self._claim.work / path.name
        with told_as(path, content):
            content.mkdir()
        return content

    @contextmanager
    def told(self) -> Iterator[None]:
        """Say in errors where the files were to be: those that name none of them are about the last."""
        paths = list(self._seen)
        with told_as(paths[-1] if paths else Path(), *(self._claim.work / path.name for path in paths[-1:])):
            yield

    def _look(self, path: Path) -> Seen | None:
        return check_file(
            path,
            overwrite=self._overwrite,
            inputs=self._inputs,
            sealed=self._sealed,
            origin=self._origin,
            ours=self._ours,
        )

    def finish(self) -> None:
        """Seal the files and put them in their places."""
        for path in self._seen:
            with told_as(path, self._claim.work / path.name):
                flush(self._claim.work / path.name)
        for path, (kind, _) in self._folders.items():
            with told_as(path, self._claim.work / path.name):
                write_marker(self._claim.work / path.name, kind)
        if self._sealed is not None and self._sealed in self._seen:
            others = [path.name for path in self._seen if path != self._sealed]
            with told_as(self._sealed):
                append_seal(
                    self._claim.work / self._sealed.name,
                    self._origin,
                    {name: sha256_of(self._claim.work / name) for name in others},
                )
        # The sealed file last: until it is in its place, the old one vouches for the files that are to be replaced.
        order = sorted(self._seen, key=lambda path: path == self._sealed)
        with told_as(order[0] if order else Path()):
            put_in_place(self._claim, [*self._folder_pieces(), *(self._piece(path) for path in order)])

    def _folder_pieces(self) -> Iterator[Piece]:
        for path, (kind, seen) in self._folders.items():
            content = self._claim.work / path.name
            yield folder_piece(content, path, kind, seen, overwrite=self._overwrite, inputs=self._inputs)

    def _piece(self, path: Path) -> Piece:
        def still(taken: Path, seen: Seen) -> bool:
            status = taken.lstat()
            same = (status.st_dev, status.st_ino) == (seen.device, seen.inode)
            return same and stat.S_ISREG(status.st_mode) and sha256_of(taken) == seen.digest

        new = self._claim.work / path.name
        return Piece(new, real_place(path), path, "", self._seen[path], lambda: self._look(path), still)
