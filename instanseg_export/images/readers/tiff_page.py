"""The pixels of one page of a TIFF file: checked against the file that they are in, and decoded segment by segment."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
from tifffile.tifffile import jpeg_shape

from ...errors import ImageError
from ...limits import MAX_UNPACKED_RATIO, UNPACKED_WITHOUT_QUESTION
from ...untrusted.boundary import plain
from ..image import Array, Region, check_memory
from .tiff_segments import SegmentCache

__all__ = ["check_page", "check_unpacked", "read_page"]

_BOUNDED = {1, 2, 3, 4, 5, 7, 8, 32773, 32946, 33007, 34925, 34926, 50000}
"""Compressions whose decoders are told how much comes out: CCITT, LZW, JPEG, deflate, PackBits, LZMA, Zstandard."""

_PICTURES = {33003, 33004, 33005, 34712, 34933, 50001}
"""Compressions that state the size of what comes out, and Pillow reads that: JPEG 2000, PNG, WebP."""

_LARGE_SEGMENT = 1 << 20
"""Bytes of a strip from which on an image that is read part by part is read by rows, if it is not compressed."""


def check_unpacked(path: Path, claimed: int, stored: int) -> None:
    """Compare what pixels need with what is stored of them.

    Args:
        path: the file, for the message.
        claimed: bytes of the pixels, unpacked.
        stored: bytes in the file, packed.

    Raises:
        ImageError: no image is packed as well as that.
    """
    if claimed > max(UNPACKED_WITHOUT_QUESTION, stored * MAX_UNPACKED_RATIO):
        raise ImageError(
            f"{path} claims pixels of {claimed / 1e9:.1f} GB, but holds {stored} bytes of them.",
            hint="Copy or export it again; if the image is truly blank, save it uncompressed.",
        )


def check_page(path: Path, page: Any, size: int) -> tuple[int, int]:
    """Compare a page with the file that it is in, before anything is allocated.

    Args:
        path: that file.
        page: a ``tifffile.TiffPage``.
        size: of that file, in bytes.

    Returns:
        How many of its segments (strips, tiles) the file lacks on purpose, and how many there should be.

    Raises:
        ImageError: segments lie outside of the file, are fewer or smaller than the page claims, or are compressed in a
            way that is not read here.
    """
    if page.dtype is None:
        raise ImageError(
            f"{path} holds values of {plain(page.bitspersample)} bits in a format ({plain(page.sampleformat)}) "
            "that is not read.",
            hint="Convert it to 8-bit, 16-bit or 32-bit float.",
        )
    compression = int(page.compression)
    if compression not in _BOUNDED | _PICTURES:
        name = plain(getattr(page.compression, "name", compression))
        raise ImageError(
            f"{path} is compressed in a way that is not read here ({name}).",
            hint="Save it with deflate (ZIP) or LZW compression, or uncompressed.",
        )
    if min(page.shaped, default=0) < 1:
        raise ImageError(f"{path} has no pixels: its shape is {page.shape}.", hint="Export it again.")
    segment = _segment_shape(page)
    if min(segment) < 1:
        raise ImageError(f"{path} is damaged: its tiles or strips have no pixels.", hint="Copy or export it again.")
    separate, depth, height, width, _ = page.shaped
    expected = separate * math.prod(
        math.ceil(whole / part) for whole, part in zip((depth, height, width), segment[:3], strict=True)
    )
    starts, counts = page.dataoffsets, page.databytecounts
    if len(starts) != expected or len(counts) != expected:
        raise ImageError(
            f"{path} is damaged: it should have {expected} strips or tiles, and lists {min(len(starts), len(counts))}.",
            hint="Copy or export it again.",
        )
    offsets, lengths = np.asarray(starts, np.uint64), np.asarray(counts, np.uint64)
    present = (offsets > 0) & (lengths > 0)
    # Neither sum can overflow: tags hold at most 64 bits, and what is above the size of a file is out of it already.
    outside = present & ((offsets > size) | (lengths > size) | (offsets + lengths > size))
    if outside.any():
        end = int(offsets[outside][0]) + int(lengths[outside][0])
        raise ImageError(
            f"{path} is truncated: its pixels end at byte {end}, the file at {size}.", hint="Copy or export it again."
        )
    if compression == 1:
        _check_uncompressed(path, page, present, lengths)
    if present.any():
        check_unpacked(path, math.prod(segment) * page.dtype.itemsize, int(lengths[present].max()))
    stored = min(size, int(lengths[present].sum()))
    check_unpacked(path, math.prod(page.shaped) * page.dtype.itemsize, stored)
    return int(expected - present.sum()), expected


def read_page(path: Path, page: Any, region: Region, cache: SegmentCache | None = None) -> Array:
    """Decode the part of a checked page that a region touches.

    Args:
        path: of the file, for messages.
        page: a ``tifffile.TiffPage``.
        region: that is wanted.
        cache: keeps decoded segments, for those who read a page part by part.

    Returns:
        (S, D, H, W): samples of a pixel, slices (1 but for pages with a depth), height and width of the region.

    Raises:
        ImageError: a segment is damaged, or holds pixels of another size than it claims.
    """
    separate, depth, height, width, contiguous = page.shaped
    out = np.zeros((separate, depth, region.height, region.width, contiguous), page.dtype)
    nodata = page.nodata
    if nodata:
        out[...] = nodata
    segment = _segment_shape(page)
    if cache is not None and _is_raw(page, segment):
        _read_rows(path, page, region, out)
        return out[..., 0] if separate > 1 else np.moveaxis(out[0], -1, 0)
    for index in _touched(page, segment, region):
        if not page.dataoffsets[index] or not page.databytecounts[index]:
            continue
        decoded, (sample, z, y, x, _) = _segment(path, page, index, segment, cache)
        decoded = decoded[: depth - z, : height - y, : width - x]
        top, left = max(region.y, y), max(region.x, x)
        bottom = min(region.y + region.height, y + decoded.shape[1])
        right = min(region.x + region.width, x + decoded.shape[2])
        if bottom > top and right > left:
            out[
                sample,
                z : z + decoded.shape[0],
                top - region.y : bottom - region.y,
                left - region.x : right - region.x,
            ] = decoded[:, top - y : bottom - y, left - x : right - x]
    return out[..., 0] if separate > 1 else np.moveaxis(out[0], -1, 0)


def _segment(
    path: Path, page: Any, index: int, segment: tuple[int, int, int, int], cache: SegmentCache | None
) -> tuple[Array, tuple[int, ...]]:
    """Return a decoded segment, and where it belongs."""
    start, count = int(page.dataoffsets[index]), int(page.databytecounts[index])
    key = (id(page.parent), start, index)
    kept = None if cache is None else cache.get(key)
    if kept is not None:
        return kept
    if cache is not None:
        check_memory(path, math.prod(segment) * page.dtype.itemsize)
    decoded, place = _decode(path, page, _bytes(path, page, start, count), index, segment)
    if cache is not None:
        cache.put(key, decoded, place)
    return decoded, place


def _bytes(path: Path, page: Any, start: int, count: int) -> bytes:
    stream = page.parent.filehandle
    stream.seek(start)
    data: bytes = stream.read(count)
    if len(data) != count:
        raise ImageError(f"{path} is truncated inside of its pixels.", hint="Copy or export it again.")
    return data


def _is_raw(page: Any, segment: tuple[int, int, int, int]) -> bool:
    """Tell whether a page's pixels lie in the file one after the other as they are, in large pieces."""
    large = math.prod(segment) * page.dtype.itemsize > _LARGE_SEGMENT
    return bool(large and page.is_final and min(page.dataoffsets) > 0)


def _read_rows(path: Path, page: Any, region: Region, out: Array) -> None:
    """Read the rows that a region touches of raw pixels, rather than the whole strips that hold them."""
    separate, depth, height, width, contiguous = page.shaped
    dtype = page.dtype.newbyteorder(page.parent.byteorder)
    pixel = contiguous * dtype.itemsize
    for sample in range(separate):
        for z in range(depth):
            for row in range(region.height):
                place = ((sample * depth + z) * height + region.y + row) * width + region.x
                data = _bytes(path, page, int(page.dataoffsets[0]) + place * pixel, region.width * pixel)
                out[sample, z, row] = np.frombuffer(data, dtype).reshape(region.width, contiguous)


def _check_uncompressed(path: Path, page: Any, present: Array, lengths: Array) -> None:
    """Refuse strips and tiles with fewer bytes than their pixels need."""
    bits = int(np.max(page.bitspersample))
    # Only the last strip of a plane may have fewer rows than the others.
    for index in np.flatnonzero(present & (lengths * np.uint64(8) < math.prod(_segment_shape(page)) * bits)):
        _, _, shape = page.decode(None, int(index))
        if math.prod(shape) * bits > 8 * int(lengths[index]):
            raise ImageError(
                f"{path} is damaged: strip or tile {int(index) + 1} has {int(lengths[index])} bytes, "
                f"fewer than its {' x '.join(map(str, shape))} values of {bits} bits need.",
                hint="Copy or export it again.",
            )


def _segment_shape(page: Any) -> tuple[int, int, int, int]:
    samples = page.samplesperpixel if page.planarconfig == 1 else 1
    if page.is_tiled:
        return page.tiledepth, page.tilelength, page.tilewidth, samples
    return 1, page.rowsperstrip, page.imagewidth, samples


def _touched(page: Any, segment: tuple[int, int, int, int], region: Region) -> list[int]:
    """Return the indices of the segments that a region touches, in the order of the file."""
    separate, depth, height, width, _ = page.shaped
    down, across = math.ceil(height / segment[1]), math.ceil(width / segment[2])
    deep = math.ceil(depth / segment[0])
    rows = range(region.y // segment[1], (region.y + region.height - 1) // segment[1] + 1)
    columns = range(region.x // segment[2], (region.x + region.width - 1) // segment[2] + 1)
    return [
        ((sample * deep + z) * down + row) * across + column
        for sample in range(separate)
        for z in range(deep)
        for row in rows
        for column in columns
    ]


def _decode(
    path: Path, page: Any, data: bytes, index: int, segment: tuple[int, int, int, int]
) -> tuple[Array, tuple[int, ...]]:
    options = {}
    if int(page.compression) in (7, 33007):
        if page.jpegheader is None:
            _, tall, wide, _ = jpeg_shape(data)
            _check_size(path, tall, wide, segment)
        options = {"jpegtables": page.jpegtables, "jpegheader": page.jpegheader}
    elif int(page.compression) in _PICTURES:
        _check_picture(path, data, segment)
    decoded, place, _ = page.decode(data, index, **options)
    if int(page.compression) == 33003:
        # Aperio's JPEG 2000 is in YCbCr, without a word in the stream.
        from PIL import Image as Pillow

        decoded = np.stack([np.asarray(Pillow.fromarray(part, "YCbCr").convert("RGB")) for part in decoded])
    return decoded, place


def _check_picture(path: Path, data: bytes, segment: tuple[int, int, int, int]) -> None:
    """Read the size that a compressed picture states, which its decoder allocates."""
    from PIL import Image as Pillow

    with Pillow.open(io.BytesIO(data), formats=("JPEG2000", "PNG", "WEBP")) as picture:
        _check_size(path, picture.height, picture.width, segment)


def _check_size(path: Path, height: int, width: int, segment: tuple[int, int, int, int]) -> None:
    # Some writers round up to whole blocks.
    if height * width > 4 * segment[1] * segment[2]:
        raise ImageError(
            f"{path} is damaged: a strip or tile of {segment[1]} x {segment[2]} pixels holds a picture of "
            f"{height} x {width}.",
            hint="Copy or export it again.",
        )
