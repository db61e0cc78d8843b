"""What is no file."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from support.hostile_images.parts import Builder, Hostile, into, written

__all__ = ["HOSTILE"]

HOSTILE: list[Hostile] = []
_add = into(HOSTILE)


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "a.tif")
    return folder / "a.tif"


def _link_to_pipe(folder: Path) -> Path:
    (folder / "link.tif").symlink_to(_pipe(folder))
    return folder / "link.tif"


def _socket(folder: Path) -> Path:
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(folder / "a.tif"))
    server.close()
    return folder / "a.tif"


def _link(name: str) -> Builder:
    def build(folder: Path) -> Path:
        (folder / "a").symlink_to(folder / name)
        return folder / "a"

    return build


def _elsewhere(path: Path) -> Builder:
    return lambda folder: path


_add("pipe", _pipe, "pipe")
_add("link to a pipe", _link_to_pipe, "pipe")
_add("socket", _socket, "socket")
for device in ("zero", "null", "random", "tty"):
    _add(f"/dev/{device}", _elsewhere(Path("/dev") / device), "device")
_add("link to itself", _link("a"))
_add("a name with a zero", lambda folder: folder / "a\0b.tif")
_add("a name that is too long", lambda folder: folder / ("a" * 5000))
_add("below a file", lambda folder: written("a", b"x")(folder) / "b.tif", "no file")
_add("link to nothing", _link("b"), "no file")
