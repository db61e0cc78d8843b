"""How much a file may claim before it is measured: every limit in one place, with its reason.

A number in a file is compared with the file's own size wherever that is possible; a limit below stands where it is not.
``docs/limits.md`` lists them. Where a file that you trust needs more, the environment variable
``INSTANSEG_EXPORT_LIMITS`` multiplies those of texts, pickles and archives: see :func:`.boundary.allowed`.
"""

from __future__ import annotations

__all__ = [
    "MAX_ARCHIVE_DIRECTORY",
    "MAX_AXES",
    "MAX_CARD_ENTRIES",
    "MAX_CHANNELS",
    "MAX_ERROR",
    "MAX_GRID",
    "MAX_GROWTH",
    "MAX_IMAGE_CHANNELS",
    "MAX_LAYERS",
    "MAX_LITERAL",
    "MAX_MESSAGE",
    "MAX_METADATA_BYTES",
    "MAX_NAME",
    "MAX_NAMES",
    "MAX_NPY_HEADER",
    "MAX_NUMBER_DIGITS",
    "MAX_PICKLE_BYTES",
    "MAX_PICKLE_DEPTH",
    "MAX_PICKLE_VALUES",
    "MAX_PIXEL_SIZE",
    "MAX_PROTOBUF_FIELDS",
    "MAX_REPORT_BYTES",
    "MAX_SAFETENSORS_HEADER",
    "MAX_SAMPLES",
    "MAX_STRUCTURES",
    "MAX_TABLE_BYTES",
    "MAX_TEXT_ALIASES",
    "MAX_TEXT_BYTES",
    "MAX_TEXT_DEPTH",
    "MAX_TEXT_NODES",
    "MAX_TIFF_PAGES",
    "MAX_TOML_BYTES",
    "MAX_UNPACKED_RATIO",
    "MAX_YAML_BYTES",
    "MAX_YAML_NODES",
    "MAX_ZARR_CHUNKS",
    "MAX_ZIP_BASE",
    "MAX_ZIP_MEMBERS",
    "MAX_ZIP_RATIO",
    "MIN_PIXEL_SIZE",
    "UNPACKED_WITHOUT_QUESTION",
]

MAX_TEXT_BYTES = 16_000_000
"""Bytes of a JSON or XML text. The largest that we know of, OME-XML with a line for each plane, has a few megabytes."""

MAX_YAML_BYTES = 1_000_000
"""Bytes of a YAML text: cards, recipes and descriptions of packages have a few thousand."""

MAX_TABLE_BYTES = 1 << 20
"""Bytes of `experiment_log.csv` and `best_params.csv`, which have about a thousand."""

MAX_TEXT_DEPTH = 64
"""Levels of lists and mappings in a text. What people write has fewer than ten."""

MAX_TEXT_NODES = 1_000_000
"""Values in a JSON text."""

MAX_YAML_NODES = 100_000
"""Values in a YAML text, aliases counted as often as they stand for something. What people write has some hundreds."""

MAX_TEXT_ALIASES = 100
"""Aliases in a YAML text. Nothing that is read here needs more than a few."""

MAX_NUMBER_DIGITS = 400
"""Digits of a number in a text. The largest floating-point number has 309."""

MAX_LITERAL = 2_000
"""Characters of a list or number in a table of training, as in `[32, 64, 128, 256]`."""

MAX_PICKLE_BYTES = 64_000_000
"""Bytes of a pickle without its tensors. That of a network with its optimiser has one megabyte."""

MAX_PICKLE_VALUES = 1_000_000
"""Steps of a pickle, and values in what it holds, shared ones counted as often as they stand somewhere. An empty set,
the costliest value of one step, has 216 bytes."""

MAX_PICKLE_DEPTH = 128
"""Levels of containers in a pickle. Modules of TorchScript have about twenty."""

MAX_GROWTH = 2
"""All tensors of a file together may have so many times the file's bytes: tensors can share their data."""

MAX_ARCHIVE_DIRECTORY = 4_000_000
"""Bytes of a zip archive's table of contents. One entry for each of 10,000 tensors has one megabyte."""

MAX_SAFETENSORS_HEADER = 4_000_000
"""Bytes of a safetensors header. One line for each of 10,000 tensors has one megabyte."""

MAX_CHANNELS = 65_536
"""Channels of a layer, classes, heads and the like in a description. Networks have at most a few thousand."""

MAX_LAYERS = 64
"""Levels, blocks or layers in a row in a description. The deepest network that is known here has 32."""

MAX_STRUCTURES = 256
"""Label maps of a model. Those that are known have two."""

MAX_GRID = 10_000_000
"""Pixels along an axis of a network's grid of coordinates."""

MAX_CARD_ENTRIES = 1_000
"""Entries of a list in a card, such as authors or tags."""

MAX_NAME = 1_000
"""Characters of a name in a description. The zoo allows 128 for a model."""

MAX_NAMES = 10_000
"""Names of training data, and settings, in a description."""

MIN_PIXEL_SIZE = 1e-6
"""Micrometres of a pixel, at least: a thousandth of a nanometre."""

MAX_PIXEL_SIZE = 1e6
"""Micrometres of a pixel, at most: a metre."""

MAX_MESSAGE = 500
"""Characters that an error shows of what a file or a library says."""

MAX_IMAGE_CHANNELS = 1024
"""Of an image that an exported model takes. Multiplexed images have up to about a hundred."""

MAX_AXES = 8
"""Of an array in a file."""

MAX_NPY_HEADER = 10_000
"""Bytes of the header of a .npy file, which is parsed as a literal of Python: NumPy's own limit."""

MAX_SAMPLES = 64
"""Images of a package that are run."""

MAX_REPORT_BYTES = 256_000_000
"""Of a parity report, which has its pictures in it."""

MAX_TOML_BYTES = 100_000
"""Of the description of a runtime."""

MAX_METADATA_BYTES = 1_000_000
"""Of what an exported file says of itself: a few kilobytes."""

MAX_ZIP_MEMBERS = 10_000
"""Entries of a zip. A package has about thirty, the largest TorchScript file some hundreds."""

MAX_ZIP_BASE = 64 << 20
"""Bytes that any zip, and any of its entries, may unpack to: a label map without objects packs to a thousandth."""

MAX_ZIP_RATIO = 50
"""Beyond that, how many times its own size. Weights hardly get smaller by packing."""

MAX_PROTOBUF_FIELDS = 100_000
"""Entries at the top of an ONNX or Core ML file, such as its graph and its properties."""

MAX_ERROR = 5_000
"""Characters of an error in all."""

MAX_TIFF_PAGES = 100_000
"""Pages of a TIFF file, and files of one image. Long recordings have tens of thousands."""

MAX_ZARR_CHUNKS = 2_000_000
"""Chunks that one reading touches. A slide of 100,000 x 100,000 pixels in three channels has 460,000 of 256 x 256."""

UNPACKED_WITHOUT_QUESTION = 256_000_000
"""Bytes of pixels that any image may unpack to, however small its file: blank images compress without bounds."""

MAX_UNPACKED_RATIO = 3_000
"""Bytes of pixels for each byte of the file, beyond that: deflate reaches 1,032, LZW 2,700 and real images 100."""
