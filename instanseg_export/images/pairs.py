"""Images and their label maps, paired by name: from folders, files, patterns and zips."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import ImageError
from ..files import scratch_folder
from ..untrusted.boundary import plain
from ..untrusted.zips import naming, unpack

__all__ = ["LABEL_ENDINGS", "Pair", "PairedFiles", "open_pairs"]

LABEL_ENDINGS = ("-labels", "_labels", "-label", "_label", "-masks", "_masks", "-mask", "_mask")
"""What the name of a label map may have beyond that of its image."""

_LABEL_FOLDERS = ("labels", "label", "masks", "mask")
_IMAGE_FOLDERS = ("images", "image")
_SHOWN = 3


@dataclass(frozen=True)
class Pair:
    """An image and its label map.

    Attributes:
        name: of the pair: the image's path in its folder, without the ending.
        folder: the subfolder that the image lies in, as in "he/liver"; empty if in none.
        image: the file.
        labels: the file.
    """

    name: str
    folder: str
    image: Path
    labels: Path


@dataclass(frozen=True)
class PairedFiles:
    """All pairs, and what lies beside them.

    Attributes:
        pairs: in the order of their names.
        index: the index.csv beside the images or beside their folder; None where there is none.
        shown: returns a path as the user knows it, as in "data.zip: images/a.png".
    """

    pairs: tuple[Pair, ...]
    index: Path | None
    shown: Callable[[Path], str]


@dataclass(frozen=True)
class _File:
    """A file with its place among those that were given together; ``name`` is that place without the ending."""

    path: Path
    name: PurePosixPath


@contextmanager
def open_pairs(images: str | Path, labels: str | Path) -> Iterator[PairedFiles]:
    """Yield pairs of an image and its label map; zips are unpacked for as long as the block runs.

    Each side is a folder, which stands for the images in it and in its subfolders; a file; a pattern, as in
    ``"images/*.tif"``; a zip; or a folder in a zip, as in ``data.zip/images``. Where a folder or zip has a subfolder
    ``images``, and for label maps ``labels`` or ``masks``, that is meant.

    An image and a label map are a pair when their names are equal up to the ending, and up to ``_labels``, ``-mask``
    and the like at the end of the label map's. Where a name occurs more than once, subfolders must be equal too. Two
    single files are a pair whatever their names.

    Args:
        images: one side.
        labels: the other; it may be the same folder or zip.

    Raises:
        ImageError: a side is missing or holds no image, an image has no label map, a label map no image, or one of them
            more than one.
        UnsafeFileError: a zip would write outside of its folder.
    """
    with ExitStack() as stack:
        zips: dict[Path, Path] = {}
        roots = [_place(str(one), stack, zips) for one in (images, labels)]

        def shown(path: Path) -> str:
            for archive, folder in zips.items():
                if path.is_relative_to(folder):
                    return f"{archive}: {path.relative_to(folder)}"
            return str(path)

        found = _files(roots[0], str(images), _IMAGE_FOLDERS), _files(roots[1], str(labels), _LABEL_FOLDERS)
        left, right = _without_each_other(*found)
        pairs = _match(left, right, str(images), str(labels), shown)
        yield PairedFiles(tuple(pairs), _index(left), shown)


def _place(given: str, stack: ExitStack, zips: dict[Path, Path]) -> str:
    """Return a path or pattern outside of zips; the zip in it, if any, is unpacked once."""
    path = Path(given)
    for part in (path, *path.parents):
        if part.suffix.lower() == ".zip" and part.is_file():
            if part not in zips:
                zips[part] = stack.enter_context(scratch_folder()).resolve()
                stack.enter_context(naming(part, zips[part]))
                unpack(part, zips[part], ImageError, hint="Give a zip of images and label maps, or a folder of them.")
            return str(zips[part] / path.relative_to(part))
    return given


def _files(given: str, shown: str, usual: Sequence[str]) -> list[_File]:
    path = Path(given)
    if path.exists():
        if not path.is_dir() or _is_image(path):
            return [_File(path, _stem(PurePosixPath(path.name)))]
        files = _in_folder(path, usual)
        if not files:
            raise ImageError(
                f"{shown} holds no image that can be read.",
                hint="Give a folder with TIFF, PNG, JPEG or OME-Zarr images, in it or in its subfolders.",
            )
        return files
    base = _base(given)
    pattern = glob.has_magic(given)
    matches = sorted(base.glob(str(path.relative_to(base)))) if pattern else []
    if not matches:
        raise ImageError(
            f"No file matches {shown}." if pattern else f"There is no file or folder {shown}.",
            hint="Check the spelling and the current folder."
            + (" Put the pattern in quotes, so that the shell leaves it as it is." if pattern else ""),
        )
    files = []
    for match in matches:
        if match.is_dir() and not _is_image(match):
            place = PurePosixPath(match.relative_to(base).as_posix())
            files += [_File(one.path, place / one.name) for one in _in_folder(match, ())]
        elif _is_image(match):
            files.append(_File(match, _stem(PurePosixPath(match.relative_to(base).as_posix()))))
    if not files:
        raise ImageError(f"Nothing that matches {shown} is an image.", hint="Give a pattern of image files.")
    return files


def _is_image(path: Path) -> bool:
    from .readers.registry import is_image

    return is_image(path)


def _base(pattern: str) -> Path:
    """Return the folder that a pattern starts in."""
    parts: list[str] = []
    for part in Path(pattern).parts:
        if glob.has_magic(part):
            break
        parts.append(part)
    return Path(*parts) if parts else Path()


def _in_folder(folder: Path, usual: Sequence[str]) -> list[_File]:
    """Return the images in a folder and below it, or those of the subfolder that has a usual name."""
    for name in usual:
        if (folder / name).is_dir() and not _is_image(folder / name):
            return _in_folder(folder / name, ())
    files: list[_File] = []
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise ImageError(
            f"{folder} cannot be opened: {plain(error.strerror or error)}.", hint="Check the folder's permissions."
        ) from error
    for entry in entries:
        if entry.name.startswith((".", "__MACOSX")):
            continue
        if _is_image(entry):
            files.append(_File(entry, _stem(PurePosixPath(entry.name))))
        elif entry.is_dir() and not entry.is_symlink():  # a link could lead back here
            files += [_File(one.path, entry.name / one.name) for one in _in_folder(entry, ())]
    return files


def _stem(name: PurePosixPath) -> PurePosixPath:
    short = name.name.removesuffix(name.suffix).removesuffix(".ome") or name.name
    return name.with_name(short)


def _without_each_other(images: list[_File], labels: list[_File]) -> tuple[list[_File], list[_File]]:
    """Tell images from label maps that lie in one folder: there, names of label maps end as such names do."""
    shared = {one.path for one in images} & {one.path for one in labels}
    if not shared or len(images) == len(labels) == 1:
        return images, labels
    is_map = {one.path: one.name.name.lower().endswith(LABEL_ENDINGS) for one in images + labels}
    return (
        [one for one in images if one.path not in shared or not is_map[one.path]],
        [one for one in labels if one.path not in shared or is_map[one.path]],
    )


def _match(
    images: Sequence[_File], labels: Sequence[_File], images_shown: str, labels_shown: str, shown: Callable[[Path], str]
) -> list[Pair]:
    if len(images) == len(labels) == 1:
        return [_pair(images[0], labels[0])]
    keys = {one.name for one in images}
    names = Counter(one.name.name for one in images)
    by_place, by_name = _by(labels, lambda one: one.name), _by(labels, lambda one: PurePosixPath(one.name.name))
    pairs: list[Pair] = []
    lonely: list[_File] = []
    used: set[Path] = set()
    for image in images:
        unique = names[image.name.name] == 1
        found = _partners(image.name, by_place, keys)
        if not found and unique:
            found = _partners(PurePosixPath(image.name.name), by_name, set(map(PurePosixPath, names)))
        if len(found) > 1:
            raise ImageError(
                f"{shown(image.path)} has {len(found)} label maps: {', '.join(shown(one.path) for one in found[:2])}.",
                hint="Give each image one label map: remove the others, or move them to a folder of their own.",
            )
        if not found:
            lonely.append(image)
            continue
        used.add(found[0].path)
        pairs.append(_pair(image, found[0]))
    if lonely:
        others = [one.path for one in labels if one.path not in used]
        raise ImageError(
            f"{_some(lonely, shown)} {'has' if len(lonely) == 1 else 'have'} no label map in {labels_shown}"
            f"{f', where {_names(others, shown)} {_be(others)} left over' if others else ''}.",
            hint="Name each label map like its image, up to the ending, as in a.tif and a.png or a_labels.tif.",
        )
    left = [one for one in labels if one.path not in used]
    if left:
        raise ImageError(
            f"{_some(left, shown)} {'has' if len(left) == 1 else 'have'} no image in {images_shown}.",
            hint="Add the images, or give a pattern that takes fewer label maps.",
        )
    return sorted(pairs, key=lambda pair: pair.name)


def _by(files: Sequence[_File], key: Callable[[_File], PurePosixPath]) -> dict[PurePosixPath, list[_File]]:
    found: dict[PurePosixPath, list[_File]] = {}
    for one in files:
        found.setdefault(key(one), []).append(one)
    return found


def _partners(name: PurePosixPath, labels: dict[PurePosixPath, list[_File]], images: set[PurePosixPath]) -> list[_File]:
    """Return the label maps of an image's name; one that is called like another image belongs to that."""
    found = list(labels.get(name, ()))
    for ending in LABEL_ENDINGS:
        longer = name.with_name(name.name + ending)
        if longer not in images:
            found += labels.get(longer, ())
    return found


def _pair(image: _File, labels: _File) -> Pair:
    folder = image.name.parent.as_posix()
    return Pair(image.name.as_posix(), "" if folder == "." else folder, image.path, labels.path)


def _some(files: Sequence[_File], shown: Callable[[Path], str]) -> str:
    return _names([one.path for one in files], shown)


def _names(paths: Sequence[Path], shown: Callable[[Path], str]) -> str:
    listed = ", ".join(shown(path) for path in paths[:_SHOWN])
    return listed if len(paths) <= _SHOWN else f"{listed} and {len(paths) - _SHOWN} more"


def _be(paths: Sequence[Path]) -> str:
    return "is" if len(paths) == 1 else "are"


def _index(images: Sequence[_File]) -> Path | None:
    """Return the index.csv in the images' folder or in the one around it."""
    first = images[0]
    folder = first.path.parent
    for _ in first.name.parent.parts:
        folder = folder.parent
    for place in (folder, folder.parent):
        if (place / "index.csv").is_file():
            return place / "index.csv"
    return None
