"""Pickles in each of the forms that hold one: a zip, the form of old, TorchScript."""

from __future__ import annotations

import os
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from support.hostile_checkpoints.member import MARKER, Member, archive, entries_form, file_form, written
from support.hostile_checkpoints.programs import programs
from support.hostile_checkpoints.steps import text, view

__all__ = ["checkpoint_pickle", "legacy_form", "pickles", "script_form", "zip_form"]


def checkpoint_pickle(steps: bytes, protocol: int = 2) -> bytes:
    """A pickle of a training run's dict in which ``steps`` push the weights."""
    head = b"\x80" + bytes([protocol]) + b"}(" + text("name") + text(MARKER.decode()) + text("model_state_dict")
    return head + steps + b"u."


def script_pickle(steps: bytes) -> bytes:
    """A pickle of a TorchScript module in which ``steps`` push an attribute."""
    head = b"\x80\x02c__torch__\nModule\n)\x81}(" + text("default_x")
    return head + steps + text("pixel_size") + b"G?\xe0\x00\x00\x00\x00\x00\x00" + b"ub."


def legacy(content: bytes, keys: bytes = b"", data: bytes = b"") -> bytes:
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    head = b"".join(pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, system))
    return head + content + (keys or pickle.dumps(["0"], 2)) + (data or struct.pack("<q", 4) + bytes(16))


def zip_form(steps: bytes) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        entries = {"data.pkl": checkpoint_pickle(steps), "version": b"3\n", "data/0": bytes(16)}
        return archive(folder / "model_weights.pth", entries)

    return build


def legacy_form(steps: bytes) -> Callable[[Path], Path]:
    return lambda folder: written(folder / "model_weights.pth", legacy(checkpoint_pickle(steps)))


def script_form(steps: bytes) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        entries = {
            "data.pkl": script_pickle(steps),
            "code/m.py": b"",
            "constants.pkl": b"\x80\x02).",
            "data/0": bytes(16),
        }
        return archive(folder / "instanseg.pt", entries)

    return build


def pickles(canary: Path) -> Iterator[Member]:
    for title, steps, harmless in programs(canary):
        forms: dict[str, Callable[[Path], Path]] = {"zip": zip_form(steps), "legacy": legacy_form(steps)}
        forms["script"] = script_form(steps)
        for form, build in forms.items():
            yield Member(f"pickle, {form}: {title}", build, harmless=harmless)
    for protocol in (0, 1, 3, 4, 5):
        steps = pickle.dumps({"a": _Touch(canary)}, protocol)
        yield Member(f"pickle, bare: a command in protocol {protocol}", file_form("model_weights.pth", steps))
        for packing in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            entries = {"data.pkl": steps + MARKER}
            yield Member(f"pickle, zip {packing}: a command in protocol {protocol}", entries_form(entries, packing))
    for title, content in {
        "an unknown protocol": b"\x80\x09N.",
        "no end": b"\x80\x02" + b"N" * 1000,
        "zeros": b"\x80\x02" + bytes(1000),
        "a long line": b"\x80\x02c" + b"a" * 1_000_000,
        "another version": legacy(b"").replace(pickle.dumps(1001, 2), pickle.dumps(1002, 2)),
        "another order of bytes": legacy(b"").replace(b"endianq\x02\x88", b"endianq\x02\x89"),
        "no list of data": legacy(checkpoint_pickle(view(0, (4,), (1,))), b"\x80\x02N."),
        "a list of other data": legacy(checkpoint_pickle(view(0, (4,), (1,))), pickle.dumps(["1"], 2)),
        "more numbers than described": legacy(
            checkpoint_pickle(view(0, (4,), (1,))), data=struct.pack("<q", 2**40) + bytes(16)
        ),
        "a negative number of numbers": legacy(checkpoint_pickle(view(0, (4,), (1,))), data=struct.pack("<q", -4)),
        "data that ends early": legacy(checkpoint_pickle(view(0, (4,), (1,))), data=struct.pack("<q", 4) + bytes(3)),
    }.items():
        yield Member(f"legacy: {title}", file_form("model_weights.pth", content))


class _Touch:
    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.canary}",)
