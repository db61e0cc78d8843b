"""Zip archives: names, sizes and offsets that are not what they seem."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from support.hostile_checkpoints.member import MARKER, Member, archive, entries_form, file_form, written
from support.hostile_checkpoints.pickles import checkpoint_pickle
from support.hostile_checkpoints.steps import text, view

__all__ = ["archives"]


def archives() -> Iterator[Member]:
    good = {
        "data.pkl": checkpoint_pickle(b"}" + text(MARKER.decode()) + view(0, (4,), (1,)) + b"s"),
        "data/0": bytes(16),
    }
    bomb = bytes(100_000_000)

    def archived(title: str, change: Callable[[Path], None]) -> Member:
        def build(folder: Path) -> Path:
            path = archive(folder / "model_weights.pth", good)
            change(path)
            return path

        return Member(f"zip: {title}", build)

    def adding(entry: str, data: bytes = b"x", compression: int = 0) -> Callable[[Path], None]:
        def change(path: Path) -> None:
            with zipfile.ZipFile(path, "a") as file:
                file.writestr(entry, data, compress_type=compression)

        return change

    def patching(place: int, form: str, value: int, magic: bytes = b"PK\x01\x02") -> Callable[[Path], None]:
        def change(path: Path) -> None:
            data = bytearray(path.read_bytes())
            at = data.find(magic)
            while at >= 0:
                struct.pack_into(form, data, at + place, value)
                at = data.find(magic, at + 4)
            path.write_bytes(data)

        return change

    for entry in ("../outside", "x/../../outside", "/absolute", "..\\outside", "C:\\outside", "\\\\host\\share", "//x"):
        yield archived(f"an entry {entry}", adding(entry))
    yield archived("two entries of one name", adding("x/data.pkl"))
    yield archived("an entry with colours", adding("x/\x1b[31m"))
    yield archived("an entry of a long name", adding("x/" + "n" * 60_000))
    for compression in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        yield Member(f"zip: a bomb, {compression}", entries_form({"data.pkl": bomb}, compression))
        yield archived(f"data in a bomb, {compression}", adding("x/data/1", bomb, compression))
    for place, form, title in (
        *((20, "<I", "packed size"), (24, "<I", "size"), (42, "<I", "offset"), (8, "<H", "flags")),
        *(
            (10, "<H", "method"),
            (28, "<H", "length of the name"),
            (30, "<H", "length of extras"),
            (16, "<I", "checksum"),
        ),
    ):
        for value in (1, 2 ** (8 * struct.calcsize(form)) - 1, 2 ** (8 * struct.calcsize(form) - 1) + 3):
            yield archived(f"{title} is {value}", patching(place, form, value))
    for place, form, title in (
        (8, "<H", "entries"),
        (10, "<H", "all entries"),
        (12, "<I", "directory"),
        (16, "<I", "start"),
    ):
        for value in (0, 2 ** (8 * struct.calcsize(form)) - 1):
            member = archived(f"the end says {title} {value}", patching(place, form, value, b"PK\x05\x06"))
            yield Member(member.name, member.build)

    def crowded(folder: Path) -> Path:
        record = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0)
        directory = b"".join(record + b"x/%06d" % place for place in range(400_000))
        end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 65535, 65535, len(directory), 4, 0)
        return written(folder / "model_weights.pth", b"PK\x03\x04" + directory + end)

    yield Member("zip: 400,000 entries", crowded)
    for entries, title in (
        ({"data/0": bytes(16)}, "no pickle"),
        ({"data.pkl": good["data.pkl"]}, "no data"),
        ({**good, "byteorder": b"big"}, "another order of bytes"),
        ({**good, "data/0": b""}, "empty data"),
        ({**good, "data/0": bytes(3)}, "data of three bytes"),
        ({"data.pkl": b"", "code/x": b""}, "an empty pickle"),
        ({}, "nothing"),
    ):
        yield Member(f"zip: {title}", entries_form(entries))
    yield Member("zip: only a head", file_form("model_weights.pth", b"PK\x03\x04" + bytes(100)))
    for elements in (10_000_000, 70_000_000):
        steps = checkpoint_pickle(b"](" + b"N" * elements + b"e")
        yield Member(f"zip: a pickle of {elements:,} steps", entries_form({"data.pkl": steps}))
