"""Errors are plain lines, whatever a file says."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instanseg_export.errors import CheckpointError, InstansegExportError
from instanseg_export.plain_text import controls
from instanseg_export.untrusted.boundary import out_of_memory, plain, present, regular_file

HOSTILE = [
    "\x1b[31mred",
    "\x1b]0;title\x07",
    "a\nb",
    "a\rb",
    "\u202eabc",
    "\u2066",
    "\x9b31m",
    "\ud800",
    "\x00",
    "\u2028",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_control_characters_are_written_out(text: str) -> None:
    error = InstansegExportError(f"before {text} after", hint=text)
    for shown in (error.message, error.hint, str(error), plain(text)):
        assert controls(shown) == ""
    assert error.message.startswith("before ")
    assert error.message.endswith(" after")


@given(st.text())
def test_no_text_does_anything_to_a_terminal(text: str) -> None:
    error = InstansegExportError(text, hint="")
    assert not [char for char in error.message if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")]
    if controls(text) == "":
        assert error.message == text


def test_long_messages_are_cut() -> None:
    assert len(InstansegExportError("x" * 10_000_000, hint="").message) == 5_000


def test_names_that_people_use_are_kept() -> None:
    for name in ("Zellkerne größer", "细胞核.pt", "a  b", "نواة", "می‌خواهم", "👩‍🔬", "a\u00a0b"):
        assert InstansegExportError(name, hint="").message == name


def test_only_regular_files_are_files(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "gone").symlink_to(tmp_path / "nothing")
    (tmp_path / "ring").symlink_to(tmp_path / "ring")
    (tmp_path / "file").write_bytes(b"abc")
    (tmp_path / "link").symlink_to("file")
    for name in ("pipe", "gone", "ring"):
        with pytest.raises(CheckpointError, match=name):
            present(tmp_path / name, CheckpointError)
    with pytest.raises(CheckpointError, match="is a device"):
        regular_file(Path("/dev/zero"), CheckpointError)
    assert regular_file(tmp_path / "link", CheckpointError) == 3
    assert present(tmp_path / "link", CheckpointError)
    assert not present(tmp_path / "nothing", CheckpointError)
    assert not present(tmp_path / "file" / "below", CheckpointError)


def test_a_lack_of_memory_is_recognised() -> None:
    words = "[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8"
    assert out_of_memory(MemoryError())
    assert out_of_memory(RuntimeError(words))
    assert not out_of_memory(RuntimeError("size mismatch"))
    assert not out_of_memory(ValueError("not enough memory"))
