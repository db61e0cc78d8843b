"""How much a file may claim before it is measured: every limit in one place, with its reason.

A number in a file is compared with the file's own size wherever that is possible; a limit below stands where it is not.
"""

from __future__ import annotations

__all__ = [
    "MAX_MESSAGE",
    "MAX_TEXT_ALIASES",
    "MAX_TEXT_BYTES",
    "MAX_TEXT_DEPTH",
    "MAX_TEXT_NODES",
    "MAX_TIFF_PAGES",
    "MAX_UNPACKED_RATIO",
    "MAX_ZARR_CHUNKS",
    "UNPACKED_WITHOUT_QUESTION",
]

MAX_TEXT_BYTES = 16_000_000
"""Of YAML, JSON and XML. The largest that we know of, OME-XML with a line for each plane, has a few megabytes."""

MAX_TEXT_DEPTH = 64
"""Levels of lists and mappings. What people write has fewer than ten."""

MAX_TEXT_NODES = 1_000_000
"""Values in one text, aliases counted as often as they stand for something."""

MAX_TEXT_ALIASES = 100
"""Of YAML. Nothing that this package reads needs more than a few."""

MAX_MESSAGE = 500
"""Characters that an error shows of what a file or a library says."""

MAX_TIFF_PAGES = 100_000
"""Pages of a TIFF file, and files of one image. Long recordings have tens of thousands."""

MAX_ZARR_CHUNKS = 2_000_000
"""Chunks that one reading touches. A slide of 100,000 x 100,000 pixels in three channels has 460,000 of 256 x 256."""

UNPACKED_WITHOUT_QUESTION = 256_000_000
"""Bytes of pixels that any image may unpack to, however small its file: blank images compress without bounds."""

MAX_UNPACKED_RATIO = 3_000
"""Bytes of pixels for each byte of the file, beyond that: deflate reaches 1,032, LZW 2,700 and real images 100."""
