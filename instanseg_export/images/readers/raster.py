"""PNG, JPEG and the other formats of everyday pictures."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ImageError
from ...untrusted.boundary import parsing, plain
from ..image import Array, ImageInfo, PixelSize, Region, default_names, without_alpha
from ..lengths import Stated, stated, unsaid
from ..notes import about_pixel_size
from .foreign import unknown_kind
from .orientation import Orientation
from .tiff_page import check_unpacked

__all__ = ["READER", "RasterReader"]

_FORMATS = ("PNG", "JPEG", "JPEG2000", "BMP", "GIF", "WEBP", "PPM")
_PNG = b"\x89PNG\r\n\x1a\n"
_MAGIC = (
    *(_PNG, b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  \r\n\x87\n", b"BM", b"GIF87a", b"GIF89a"),
    *(b"P%c" % kind for kind in b"0123456fy"),
)
"""Of all formats but WebP, whose magic number is in two parts."""

_DTYPES = {
    "1": np.bool_,
    "I": np.int32,
    "F": np.float32,
    "I;16": np.uint16,
    "I;16B": np.uint16,
    "I;16L": np.uint16,
}
"""Of Pillow's modes that are no bytes."""

_SAMPLES = {"1": 1, "L": 1, "I": 1, "F": 1, "I;16": 1, "I;16B": 1, "I;16L": 1, "LA": 2, "RGB": 3, "RGBA": 4}
_CONVERTED = {"P": "RGB", "PA": "RGBA", "YCbCr": "RGB", "RGBX": "RGB"}
_COLOURS = {"CMYK": "CMYK, a printer's colours", "LAB": "L*a*b* colours", "HSV": "HSV colours"}
_ORIENTATION = 274
_MOST_METRES = 20e-6
_UPRIGHT_GAMMA = (0.44, 0.47)
"""gAMA of ordinary pictures, 1 / 2.2."""


class RasterReader:
    """Reads pictures with Pillow. See :class:`.source.ImageReader`."""

    name = "raster"
    describes = "PNG, JPEG, JPEG 2000, BMP, GIF, WebP and PPM"
    suffixes = (".png", ".jpg", ".jpeg", ".jp2", ".j2k", ".bmp", ".gif", ".webp", ".ppm", ".pgm")

    def recognises(self, path: Path, start: bytes) -> bool:
        """See :class:`.source.ImageReader`."""
        return start.startswith(_MAGIC) or (start.startswith(b"RIFF") and start[8:12] == b"WEBP")

    @contextmanager
    def open(self, path: Path, dimensions: int) -> Iterator[RasterSource]:
        """Open a picture.

        Raises:
            ImageError: a volume is wanted, or it holds several frames, has colours that are not RGB, or claims more
                pixels than its file can hold.
        """
        from PIL import Image as Pillow
        from PIL import UnidentifiedImageError

        if dimensions == 3:
            raise ImageError(
                f"{path} is a flat image, and the model takes volumes.",
                hint="Save the volume as a TIFF with a Z axis.",
            )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # large pictures are measured below
                with Pillow.open(path, formats=_FORMATS) as picture:
                    yield RasterSource(path, picture)
        except UnidentifiedImageError as error:
            raise unknown_kind(path) from error
        except Pillow.DecompressionBombError as error:
            raise ImageError(
                f"{path} is too large for its format: {plain(error).rstrip('. ')}.", hint="Save it as a TIFF."
            ) from error


READER = RasterReader()


class RasterSource:
    """A picture, opened. See :class:`.source.Source`."""

    def __init__(self, path: Path, picture: Any) -> None:
        self._path, self._picture = path, picture
        self.found: list[str] = []
        name, mode = path.name, picture.mode
        notes: list[str] = []
        frames = getattr(picture, "n_frames", 1)
        if frames > 1 and picture.format == "MPO":
            notes.append(f"{name} holds {frames} pictures, as a camera writes them: the first was taken.")
        elif frames > 1:
            raise ImageError(f"{path} holds {frames} frames.", hint="Save the frame that you mean as its own file.")
        if mode not in _SAMPLES and mode not in _CONVERTED:
            raise ImageError(
                f"{path} has {_COLOURS.get(mode, f'{mode} colours')}.", hint="Convert it to RGB or to greyscale."
            )
        self._mode = _CONVERTED.get(mode, mode)
        self._deep = _deep_png(path) if picture.format == "PNG" else _deep_jpeg2000(path, picture)
        if "transparency" in picture.info and mode in ("P", "L", "RGB", "1", "I;16"):
            # One colour, or some of the palette, is transparent.
            if picture.format == "PNG" and mode in ("RGB", "I;16") and _header_of_png(path)[0] == 16:
                self._deep = 4 if mode == "RGB" else 2
            else:
                self._mode = "LA" if mode in ("L", "1") else "RGBA"
        if mode == "P":
            notes.append(f"{name} has a palette: its colours were taken from it.")
        samples = self._deep or _SAMPLES[self._mode]
        self._alpha = (samples - 1,) if samples in (2, 4) else ()
        if self._alpha:
            notes.append(f"{name} has an alpha channel that is opaque: it was left out.")
        dtype = np.dtype(np.uint16 if self._deep else _DTYPES.get(self._mode, np.uint8))
        if picture.format == "PPM":
            notes += _netpbm(path, picture)
        elif picture.format == "PNG" and mode == "L" and _header_of_png(path)[0] < 8:
            notes.append(f"{name} has {_header_of_png(path)[0]} bits per pixel: its values were stretched to 8.")
        gamma = picture.info.get("gamma")
        if isinstance(gamma, float) and not _UPRIGHT_GAMMA[0] < gamma < _UPRIGHT_GAMMA[1]:
            notes.append(f"{name} states a gamma of {gamma:g}: it was not applied.")
        self._orientation = Orientation.of(_exif(picture).get(_ORIENTATION, 1), path)
        notes += self._orientation.notes
        self._channels = samples - len(self._alpha)
        check_unpacked(path, picture.width * picture.height * samples * dtype.itemsize, path.stat().st_size)
        said = _pixel_size(picture)
        size: PixelSize | None = None if said.size is None else self._orientation.shape(*said.size)
        note, remarks = about_pixel_size(path, said)
        self.info = ImageInfo(
            (self._channels, *self._orientation.shape(picture.height, picture.width)),
            dtype,
            size,
            note,
            default_names(self._channels, colour=True),
            path,
            (*notes, *remarks),
        )

    def read(self, channels: Sequence[int], region: Region) -> Array:
        """See :meth:`.source.Source.read`."""
        if self._picture.format == "PNG":
            _verify(self._path)
        stored = self._orientation.stored(region, self._picture.height, self._picture.width)
        if self._deep:
            import imagecodecs

            data = self._path.read_bytes()
            decode = imagecodecs.png_decode if self._picture.format == "PNG" else imagecodecs.jpeg2k_decode
            pixels = np.asarray(decode(data))
            if pixels.shape[:2] != (self._picture.height, self._picture.width):
                raise ImageError(f"{self._path} is damaged: its pixels are not of its size.", hint="Export it again.")
        else:
            picture = self._picture if self._picture.mode == self._mode else self._picture.convert(self._mode)
            pixels = np.asarray(picture)
        pixels = pixels[stored.y : stored.y + stored.height, stored.x : stored.x + stored.width]
        samples = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
        samples = without_alpha(samples, self._alpha, self._path)
        return self._orientation.apply(samples.astype(self.info.dtype, copy=False)[list(channels)])


def _verify(path: Path) -> None:
    """Compare a PNG's checksums, which decoding leaves alone: damaged pixels would come out as others."""
    from PIL import Image as Pillow

    with parsing(path, "the PNG", ImageError), Pillow.open(path, formats=("PNG",)) as picture:
        picture.verify()


def _header_of_png(path: Path) -> tuple[int, int]:
    """Return the bits per sample of a PNG, and its type of colours."""
    with path.open("rb") as stream:
        header = stream.read(26)
    return (header[24], header[25]) if len(header) == 26 and header.startswith(_PNG) else (8, 0)


def _deep_png(path: Path) -> int:
    """Return the samples of a PNG with 16 bits in more than one, which Pillow would cut to 8 bits; else 0."""
    bits, colours = _header_of_png(path)
    return {2: 3, 4: 2, 6: 4}.get(colours, 0) if bits == 16 else 0


def _deep_jpeg2000(path: Path, picture: Any) -> int:
    """Return the samples of a JPEG 2000 with more than 8 bits, which Pillow would cut or shift; else 0.

    Raises:
        ImageError: its samples have different sizes, or are signed.
    """
    if picture.format != "JPEG2000":
        return 0
    with path.open("rb") as stream:
        start = stream.read(100_000)
    place = start.find(b"\xff\x4f\xff\x51")
    if place < 0 or len(start) < place + 42:
        return 0
    count = struct.unpack(">H", start[place + 40 : place + 42])[0]
    parts = start[place + 42 : place + 42 + 3 * count]
    depths = {(part & 0x7F) + 1 for part in parts[::3]}
    steps = {*parts[1::3], *parts[2::3]}
    if len(parts) < 3 * count or len(depths) != 1 or any(part & 0x80 for part in parts[::3]):
        raise ImageError(f"{path} is a JPEG 2000 of a kind that is not read here.", hint="Save it as a TIFF.")
    if max(depths) < 8:
        raise ImageError(
            f"{path} is a JPEG 2000 of {max(depths)} bits, which is not read here.", hint="Save it as a TIFF."
        )
    if depths == {8}:
        return 0
    if steps != {1}:
        raise ImageError(f"{path} is a JPEG 2000 with coarser colours than grey values.", hint="Save it as a TIFF.")
    return int(count)


def _netpbm(path: Path, picture: Any) -> list[str]:
    """Say what Pillow does to values whose greatest is not 255."""
    with path.open("rb") as stream:
        words = []
        for line in stream.read(1000).splitlines():
            words += line.split(b"#")[0].split()
    greatest = (
        int(words[3]) if len(words) > 3 and words[0] in (b"P2", b"P3", b"P5", b"P6") and words[3].isdigit() else 255
    )
    if greatest > 255 and picture.mode == "RGB":
        raise ImageError(
            f"{path} has colours of more than 8 bits, which are read from TIFF.", hint="Save it as a TIFF."
        )
    return [] if greatest in (255, 65535) else [f"{path.name} goes up to {greatest}: its values were stretched."]


def _exif(picture: Any) -> Any:
    try:
        return picture.getexif()
    except Exception:  # Exif is an ornament: a damaged one says nothing
        return {}


def _pixel_size(picture: Any) -> Stated:
    """Return a size from the resolution in pixels per metre, if it is no screen's or printer's."""
    dpi = picture.info.get("dpi")
    if picture.format not in ("PNG", "BMP", "JPEG") or not isinstance(dpi, (tuple, list)) or len(dpi) != 2:
        return unsaid()
    try:
        metres = [0.0254 / float(value) for value in (dpi[1], dpi[0])]
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return unsaid()
    if not all(0 < value < _MOST_METRES for value in metres):
        return unsaid()
    return stated(metres[0] * 1e6, metres[1] * 1e6, "pixels per metre", f"{dpi[0]:g} x {dpi[1]:g} dpi")
