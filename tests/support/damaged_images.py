"""Damage small real files at random and read them, in a process with little memory. Run as a program by the tests.

    PYTHONPATH=tests python -m support.damaged_images EXAMPLES SEED KIND...

prints one line per kind: how many were read, how many refused. Anything but an image or an ImageError, more memory
than ``ROOM`` or more time than ``SECONDS`` ends it with a status other than 0 and the smallest example that hypothesis
finds.
"""

from __future__ import annotations

import resource
import shutil
import signal
import sys
import tempfile
import warnings
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from instanseg_export.errors import ImageError
from instanseg_export.images import probe_image, read_image
from support.peoples_images.everything import KINDS

ROOM = 1_500_000_000
"""Bytes of address space above what the imports need."""

SECONDS = 20


def damage(content: bytes, edits: list[tuple[str, float, int]]) -> bytes:
    """Return bytes with some flipped, cut out, doubled, or replaced by numbers that are never right."""
    data = bytearray(content)
    for what, where, value in edits:
        # Headers and directories are most of what can be wrong: half of the edits go to the start or the end.
        place = int(where * len(data)) if len(data) else 0
        if what == "flip" and data:
            data[min(place, len(data) - 1)] ^= 1 + value % 255
        elif what == "cut":
            del data[place:]
        elif what == "drop":
            del data[place : place + 1 + value % 9]
        elif what == "insert":
            data[place:place] = bytes([value % 256]) * (1 + value % 9)
        elif what == "huge":
            data[place : place + 4] = (b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\0", b"\0\0\0\x40")[value % 4]
    return bytes(data)


_PLACES = st.one_of(st.floats(0, 1), st.floats(0, 0.1), st.floats(0.9, 1))
EDITS = st.lists(
    st.tuples(
        st.sampled_from(["flip", "flip", "huge", "huge", "cut", "drop", "insert"]), _PLACES, st.integers(0, 2**16)
    ),
    min_size=1,
    max_size=4,
)


def try_kind(name: str, examples: int, number: int) -> str:
    """Damage one kind of file many times."""
    builder, expected = next((builder, expected) for kind, builder, expected in KINDS if kind == name)
    folder = Path(tempfile.mkdtemp())
    path = builder(folder)
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    contents = [file.read_bytes() for file in files]
    counts = {"read": 0, "refused": 0}

    @seed(number)
    @settings(
        max_examples=examples, deadline=None, database=None, phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.integers(0, len(files) - 1), EDITS)
    def run(which: int, edits: list[tuple[str, float, int]]) -> None:
        files[which].write_bytes(damage(contents[which], edits))
        signal.alarm(SECONDS)
        try:
            probe_image(path, expected.dimensions)
            image = read_image(path, expected.dimensions)
            assert image.array.ndim == expected.dimensions + 1
            counts["read"] += 1
        except ImageError as error:
            counts["refused"] += 1
            if not (error.message.isprintable() and error.hint and str(folder) in error.message):
                raise AssertionError(f"a bad message: {error.message!r}, {error.hint!r}") from error
        finally:
            signal.alarm(0)
            files[which].write_bytes(contents[which])

    try:
        run()
    finally:
        shutil.rmtree(folder)
    return f"{name}: {counts['read']} read, {counts['refused']} refused"


def main(arguments: list[str]) -> None:
    """Try the kinds that are named."""
    warnings.simplefilter("ignore")
    import imagecodecs
    import PIL.Image
    import tifffile
    import zarr

    del imagecodecs, PIL, tifffile, zarr  # loaded before memory is short
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, used + ROOM))
    for name in arguments[2:]:
        print(try_kind(name, int(arguments[0]), int(arguments[1])), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
