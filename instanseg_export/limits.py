"""How much a file may claim before it is measured: every limit in one place, with its reason.

A number in a file is compared with the file's own size wherever that is possible; a limit below stands where it is not.
``docs/limits.md`` lists them. Where a file that you trust needs more, the environment variable
``INSTANSEG_EXPORT_LIMITS`` multiplies those of texts, pickles and archives: see :func:`.boundary.allowed`.
"""

from __future__ import annotations

__all__ = [
    "MAX_ARCHIVE_DIRECTORY",
    "MAX_CARD_ENTRIES",
    "MAX_CHANNELS",
    "MAX_ERROR",
    "MAX_GRID",
    "MAX_GROWTH",
    "MAX_LAYERS",
    "MAX_LITERAL",
    "MAX_MESSAGE",
    "MAX_NAME",
    "MAX_NAMES",
    "MAX_NUMBER_DIGITS",
    "MAX_PICKLE_BYTES",
    "MAX_PICKLE_DEPTH",
    "MAX_PICKLE_VALUES",
    "MAX_PIXEL_SIZE",
    "MAX_SAFETENSORS_HEADER",
    "MAX_TABLE_BYTES",
    "MAX_TEXT_ALIASES",
    "MAX_TEXT_BYTES",
    "MAX_TEXT_DEPTH",
    "MAX_TEXT_NODES",
    "MAX_YAML_BYTES",
    "MAX_YAML_NODES",
    "MIN_PIXEL_SIZE",
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

MAX_GRID = 10_000_000
"""Pixels along an axis of EmbedSeg's grid of coordinates."""

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

MAX_ERROR = 5_000
"""Characters of an error in all."""
