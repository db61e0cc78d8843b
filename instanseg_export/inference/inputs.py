"""Which images a run takes, and what its files are called."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import ImageError
from ..images.readers.registry import is_image

__all__ = ["Outputs", "expand", "is_folder_of_images", "name_outputs"]

_OURS = re.compile(r"_(labels\.(tif|zarr)|overlay\.png)$")


@dataclass(frozen=True)
class Outputs:
    """Where the results of one image go.

    Attributes:
        folder: of all of them.
        stem: start of their names.
    """

    folder: Path
    stem: str

    def path(self, ending: str) -> Path:
        """Return the file whose name ends in ``ending``, as in ``labels.tif``."""
        return self.folder / f"{self.stem}_{ending}"


def expand(given: Sequence[Path], *, recursive: bool = False) -> tuple[list[Path], list[str]]:
    """Return the images that are meant, each once, and a sentence for each thing that was left out.

    A folder stands for the images in it, in the order of their names, without what ``run`` itself wrote there and
    without hidden files. An OME-Zarr folder is an image.

    Args:
        given: files and folders.
        recursive: whether folders in folders count too.

    Raises:
        ImageError: a folder holds no image, or nothing is given.
    """
    if not given:
        raise ImageError("No image is given.", hint="Give one or more images, or a folder of them.")
    images: list[Path] = []
    notes: list[str] = []
    for path in given:
        if not is_folder_of_images(path):
            images.append(path)
            continue
        found, ours, others = _of_folder(path, recursive)
        if ours:
            notes.append(f"{path}: skipped {_some(ours)}, which earlier runs wrote.")
        if others:
            notes.append(f"{path}: skipped {_some(others)}, of no kind that is read here.")
        if not found:
            raise ImageError(
                f"{path} holds no image that can be read.",
                hint="Give a folder with TIFF, PNG, JPEG or OME-Zarr images, or --recursive for those in its folders.",
            )
        images += found
    unique: dict[Path, Path] = {}
    for image in images:
        unique.setdefault(image.resolve(), image)
    if len(unique) < len(images):
        notes.append(f"{len(images) - len(unique)} of the images were given twice and are segmented once.")
    return list(unique.values()), notes


def is_folder_of_images(path: Path) -> bool:
    """Tell whether a path is a folder that stands for the images in it. OME-Zarr folders are images."""
    return path.is_dir() and not is_image(path)


def _of_folder(folder: Path, recursive: bool) -> tuple[list[Path], list[str], list[str]]:
    """Return the images of a folder, and the names of our own results and of other files."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise ImageError(
            f"{folder} cannot be opened: {error.strerror or error}.", hint="Check the folder's permissions."
        ) from error
    images: list[Path] = []
    ours: list[str] = []
    others: list[str] = []
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir() and not _OURS.search(entry.name):
            if is_image(entry):
                images.append(entry)
            elif recursive and not entry.is_symlink():  # a link could lead back here
                more = _of_folder(entry, recursive)
                images += more[0]
                ours += more[1]
                others += more[2]
        elif _OURS.search(entry.name):
            ours.append(entry.name)
        elif is_image(entry):
            images.append(entry)
        else:
            others.append(entry.name)
    return images, ours, others


def _some(names: Sequence[str], shown: int = 3) -> str:
    listed = ", ".join(names[:shown])
    return listed if len(names) <= shown else f"{listed} and {len(names) - shown} more"


def name_outputs(images: Sequence[Path], output: Path | None) -> list[Outputs]:
    """Give each image a name for its results that no other has, whatever the case of letters.

    It is the image's own name without its ending. Images that share it get their ending back, and those that share
    that too the names of their folders.
    """
    folder = Path.cwd() if output is None else output
    names = [list(_names(image)) for image in images]
    chosen = [candidates[0] for candidates in names]
    for level in range(1, max(map(len, names), default=0)):
        shared = {key for key in map(str.casefold, chosen) if sum(key == other.casefold() for other in chosen) > 1}
        for place, candidates in enumerate(names):
            if chosen[place].casefold() in shared:
                chosen[place] = candidates[min(level, len(candidates) - 1)]
    taken: set[str] = set()
    for place, name in enumerate(chosen):
        number = 1
        while chosen[place].casefold() in taken:
            number += 1
            chosen[place] = f"{name}_{number}"
        taken.add(chosen[place].casefold())
    return [Outputs(folder, name) for name in chosen]


def _names(image: Path) -> Iterator[str]:
    """Yield names for an image, ever longer."""
    whole = image.resolve() if image.name in ("", "..", ".") else image
    short = whole.name.removesuffix(whole.suffix).removesuffix(".ome") or whole.name
    long = whole.name.lstrip(".").replace(".", "_") or whole.name
    yield from (short, long)
    prefix = ""
    for parent in whole.resolve().parents:
        if not parent.name:
            return
        prefix = f"{parent.name}_{prefix}"
        yield from (prefix + short, prefix + long)
