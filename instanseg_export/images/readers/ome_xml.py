"""OME-XML, as far as reading pixels needs it: measured before it is believed."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from xml.etree import ElementTree

from ...errors import ImageError
from ...limits import MAX_TEXT_BYTES, MAX_TEXT_DEPTH, MAX_TIFF_PAGES
from ...untrusted.boundary import parsing, plain, regular_file
from ..lengths import Stated, micrometres, no_unit, number, stated, unsaid
from .tiff_structure import count_pages

__all__ = [
    "channel_names",
    "check_ome",
    "elements",
    "find_pixels",
    "local",
    "parse_xml",
    "pixel_size",
    "slice_distance",
]

_SMALLEST_PAGE = 30
"""Bytes of the leanest directory of a page: a plane that has none cannot be in the file."""

_COUNTS = ("SizeX", "SizeY", "SizeZ", "SizeC", "SizeT", "IFD", "FirstZ", "FirstC", "FirstT", "PlaneCount", "NumPlanes")


def parse_xml(xml: str, path: Path) -> ElementTree.Element:
    """Parse a text that a file carries.

    Raises:
        ImageError: it is too long, is no XML, or defines entities.
    """
    if len(xml) > MAX_TEXT_BYTES:
        raise ImageError(
            f"{path} carries {len(xml) / 1e6:.0f} MB of OME-XML, more than {MAX_TEXT_BYTES / 1e6:.0f} MB.",
            hint="Save it again without its metadata, for instance with Fiji.",
        )
    if "<!ENTITY" in xml or "<!DOCTYPE" in xml:
        raise ImageError(f"{path} has OME-XML that defines entities, which OME's does not.", hint="Save it again.")
    with parsing(path, "its XML", ImageError, hint="Save it again, for instance with Fiji."):
        # The text is decoded already, so a declaration of another encoding would be wrong.
        source = io.StringIO(re.sub(r"^\s*<\?xml[^>]*\?>", "", xml))
        depth = 0
        root: ElementTree.Element | None = None
        for event, element in ElementTree.iterparse(source, ("start", "end")):
            root = element if root is None else root
            depth += 1 if event == "start" else -1
            if depth > MAX_TEXT_DEPTH:
                raise ImageError(f"{path} has XML that is nested too deeply.", hint="Save it again.")
        if root is None:
            raise ImageError(f"{path} has XML without any element.", hint="Save it again.")
        return root


def elements(root: ElementTree.Element, name: str) -> Iterator[ElementTree.Element]:
    """Yield the elements of a name, whatever their namespace."""
    return (element for element in root.iter() if local(element) == name)


def local(element: ElementTree.Element) -> str:
    """Return an element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


def check_ome(root: ElementTree.Element, path: Path, pages: int) -> list[str]:
    """Compare what OME-XML claims with the files that there are, before anybody allocates room for it.

    Args:
        root: of the XML.
        path: of the file that carries it.
        pages: in that file.

    Returns:
        Sentences about what is not as it should be, and does no harm.

    Raises:
        ImageError: a file of the set is missing, is no regular file, or lies outside of the folder; there are more
            planes than the files can hold; or a number is none.
    """
    notes = []
    own = root.get("UUID")
    sizes = {path.name: path.stat().st_size}
    lost = []
    for element in elements(root, "UUID"):
        name = element.get("FileName")
        if not name or name in sizes or name.lower() == path.name.lower() or (element.text or "").strip() == own:
            continue
        if _climbs(name):
            raise ImageError(
                f"{path} asks for {plain(name, 120)}, outside of its folder, in its OME-XML.",
                hint="Put the files of one image into one folder, and save it again.",
            )
        if len(sizes) > MAX_TIFF_PAGES:
            raise ImageError(f"{path} names more than {MAX_TIFF_PAGES} files in its OME-XML.", hint="Save it again.")
        if not (path.parent / name).exists():
            lost.append(name)
            sizes[name] = 0
        else:
            sizes[name] = regular_file(path.parent / name, ImageError)
            pages += count_pages(path.parent / name)
    if lost:
        names = {element.get("FileName") for element in elements(root, "UUID")}
        if own is None and len(names) == 1:
            notes.append(
                f"{path.name} was called {plain(lost[0], 120)} when it was written: its "
                "planes were taken in the order of its pages."
            )
        else:
            more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
            raise ImageError(
                f"{path} is one file of several, and {plain(lost[0], 120)}{more} is missing.",
                hint=f"Copy the file into {path.parent}, or save the image as one file.",
            )
    room = max(sum(sizes.values()) // _SMALLEST_PAGE, pages)
    for pixels in elements(root, "Pixels"):
        numbers = {name: _count(pixels, name, path) for name in _COUNTS if name in pixels.attrib}
        planes = 1
        for name in ("SizeZ", "SizeC", "SizeT"):
            planes *= numbers.get(name, 1)
        samples = max((_count(one, "SamplesPerPixel", path) for one in pixels if local(one) == "Channel"), default=1)
        if planes > room * max(samples, 1):
            raise ImageError(
                f"{path} claims {planes} planes in its OME-XML, more than a file of its size can hold.",
                hint="Copy or export it again.",
            )
        for data in elements(pixels, "TiffData"):
            if any(_count(data, name, path) > room for name in _COUNTS if name in data.attrib):
                raise ImageError(
                    f"{path} names more planes in its OME-XML than a file of its size can hold.",
                    hint="Copy or export it again.",
                )
    for modulo in root.iter():
        if local(modulo).startswith("ModuloAlong"):
            start, end, step = (number(modulo.get(name, default)) for name, default in _MODULO)
            if start is None or end is None or not step or abs((end - start) / step) > MAX_TIFF_PAGES:
                raise ImageError(f"{path} has a damaged {local(modulo)} in its OME-XML.", hint="Export it again.")
    return notes


_MODULO = (("Start", "0"), ("End", "0"), ("Step", "1"))


def find_pixels(root: ElementTree.Element, index: int, height: int, width: int) -> ElementTree.Element | None:
    """Return the description of an image: that of its place, if its size agrees, or else the first of its size."""
    all_pixels = list(elements(root, "Pixels"))
    fitting = [one for one in all_pixels if (number(one.get("SizeY")), number(one.get("SizeX"))) == (height, width)]
    if index < len(all_pixels) and all_pixels[index] in fitting:
        return all_pixels[index]
    return fitting[0] if fitting else all_pixels[0] if len(all_pixels) == 1 else None


def pixel_size(pixels: ElementTree.Element) -> Stated:
    """Return the physical size of pixels. Without a unit, OME's default is the micrometre."""
    says = [
        f'{key}="{value}"' for key, value in pixels.attrib.items() if key.startswith(("PhysicalSizeX", "PhysicalSizeY"))
    ]
    values = [pixels.get(f"PhysicalSize{axis}") for axis in "YX"]
    units = [pixels.get(f"PhysicalSize{axis}Unit", "µm") for axis in "YX"]
    if values == [None, None] or (all(no_unit(unit) for unit in units) and set(values) <= {"1", "1.0", None}):
        return unsaid()
    return stated(_length(values[0], units[0]), _length(values[1], units[1]), "OME-XML", " ".join(says))


def slice_distance(pixels: ElementTree.Element) -> float | None:
    """Return the distance of slices in micrometres."""
    size = _length(pixels.get("PhysicalSizeZ"), pixels.get("PhysicalSizeZUnit", "µm"))
    return size if size is not None and size > 0 else None


def channel_names(pixels: ElementTree.Element) -> list[str]:
    """Return the names of the channels, empty where one has none."""
    return [element.get("Name", "") for element in pixels if local(element) == "Channel"]


def _length(value: str | None, unit: str) -> float | None:
    size, factor = number(value), micrometres(unit)
    return None if size is None or factor is None else size * factor


def _climbs(name: str) -> bool:
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    absolute = posix.is_absolute() or windows.is_absolute() or bool(windows.drive) or windows.root != ""
    return absolute or ".." in posix.parts or ".." in windows.parts or "\0" in name


def _count(element: ElementTree.Element, name: str, path: Path) -> int:
    text = element.get(name, "1")
    try:
        value = int(text) if len(text) < 20 else -1
    except ValueError:
        value = -1
    if value < 0:
        raise ImageError(
            f"{path} has {name}={plain(text, 40)!r} in its OME-XML, which is no count.", hint="Export it again."
        )
    return value
