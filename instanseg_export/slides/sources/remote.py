"""What is fetched from elsewhere: the metadata of a Zarr, and a store of its chunks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import ImageError
from ...limits import MAX_TEXT_BYTES
from ...untrusted.boundary import allowed, plain
from ...untrusted.json_texts import load_json

if TYPE_CHECKING:
    from zarr.abc.store import Store

__all__ = ["copy_metadata", "is_url", "remote_store", "translated"]

_FILES = ("zarr.json", ".zattrs", ".zgroup", ".zarray")
_MOST_LEVELS = 100


def is_url(location: object) -> bool:
    """Tell whether something is the address of a file on another machine."""
    return isinstance(location, str) and "://" in location


@contextmanager
def translated(folder: str, url: str) -> Iterator[None]:
    """Let errors about a copy name what was copied."""
    try:
        yield
    except ImageError as error:
        name = url.rstrip("/").rpartition("/")[2] or "image"
        message = error.message.replace(f"{folder}/{name}", url.rstrip("/"))
        raise ImageError(message, hint=error.hint.replace(f"{folder}/{name}", url.rstrip("/"))) from error


def copy_metadata(url: str, folder: Path) -> str:
    """Copy what describes an image and its levels into a folder, and nothing else.

    Args:
        url: of the image, or of a collection that holds one.
        folder: that is made, and named as the image is.

    Returns:
        Where the image is below the URL: "", or "0" in a collection of one image.

    Raises:
        ImageError: the server does not answer or refuses, or the metadata are too long or damaged.
    """
    system, root = _system(url)
    attributes = _copy_node(system, root, folder, url)
    place = ""
    if "multiscales" not in attributes and "bioformats2raw.layout" in attributes:
        place = "0"
        attributes = _copy_node(system, f"{root}/0", folder / "0", url)
    scales = attributes.get("multiscales")
    if isinstance(scales, list) and scales and isinstance(scales[0], dict):
        for level in (scales[0].get("datasets") or ())[:_MOST_LEVELS]:
            name = level.get("path") if isinstance(level, dict) else None
            # Places outside are refused by who reads the metadata; here they are not followed.
            if isinstance(name, str) and name and not name.startswith("/") and ".." not in name.split("/"):
                below = f"{place}/{name}".lstrip("/")
                _copy_node(system, f"{root}/{below}", folder / below, url)
    return place


def remote_store(url: str) -> Store:
    """Return a store of what lies behind a URL."""
    from zarr.storage import FsspecStore

    return FsspecStore.from_url(url, read_only=True)


def _system(url: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs

        system, root = url_to_fs(url)
    except ImportError as error:
        raise ImageError(
            f"{url} cannot be read: {plain(error)}.", hint="pip install 'instanseg-export[scale]', or what it names."
        ) from error
    except ValueError as error:
        raise ImageError(f"{url} cannot be read: {plain(error)}.", hint="Give an http, https or s3 URL.") from error
    return system, root.rstrip("/")


def _copy_node(system: Any, place: str, folder: Path, url: str) -> dict[str, Any]:
    """Copy the metadata of a group or an array, and return its attributes."""
    folder.mkdir(parents=True, exist_ok=True)
    limit = allowed(MAX_TEXT_BYTES)
    for name in _FILES:
        data = _fetch(system, f"{place}/{name}", url, limit)
        if data is not None:
            (folder / name).write_bytes(data)
            if name == "zarr.json":
                break  # version 3 has one file
    content: Any = {}
    if (folder / "zarr.json").exists():
        content = load_json(folder / "zarr.json", "its metadata", ImageError, finite=False)
        content = content.get("attributes") if isinstance(content, dict) else {}
    elif (folder / ".zattrs").exists():
        content = load_json(folder / ".zattrs", "its metadata", ImageError, finite=False)
    if isinstance(content, dict) and isinstance(content.get("ome"), dict):
        content = content["ome"]
    return content if isinstance(content, dict) else {}


def _fetch(system: Any, place: str, url: str, limit: int) -> bytes | None:
    try:
        with system.open(place, "rb") as stream:
            data: bytes = stream.read(limit + 1)
    except Exception as error:  # each protocol has its own kinds of errors
        if _is_absent(error):
            return None
        raise ImageError(
            f"{url} cannot be read: {plain(error) or type(error).__name__}.",
            hint="Check the URL and the connection; download the image if the server refuses.",
        ) from error
    if len(data) > limit:
        raise ImageError(f"{url} has more than {limit:,} bytes of metadata.", hint="Download it, and export it again.")
    return data


def _is_absent(error: BaseException) -> bool:
    """Tell whether a file is not there; over http, a server that fails or does not answer looks the same at first."""
    if not isinstance(error, FileNotFoundError):
        return False
    cause = error.__cause__
    return cause is None or isinstance(cause, FileNotFoundError) or getattr(cause, "status", 0) in _ABSENT


_ABSENT = (403, 404, 410)
"""HTTP's words for what is not there; stores of objects say 403 where nobody may list."""
