"""OME-Zarr behind a URL is read as that in a folder is, without a copy of it."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from instanseg_export.errors import ImageError
from instanseg_export.slides.box import Box
from instanseg_export.slides.sources import SlideAddress, open_slide, zarr_store
from support.slides import ome_zarr, pyramid

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 300, 420), dtype=np.uint8)
LEVELS = pyramid(PIXELS)


class _Handler(SimpleHTTPRequestHandler):
    """Serves a folder, with parts of files, and can be made to fail."""

    asked: ClassVar[list[str]] = []
    failures: ClassVar[dict[str, int]] = {}

    def send_head(self) -> Any:
        self.asked.append(self.path)
        if self.failures.get(self.path, 0):
            self.failures[self.path] -= 1
            self.send_error(503)
            return None
        file = Path(self.translate_path(self.path))
        span = self.headers.get("Range")
        if span is None or not file.is_file():
            return super().send_head()
        start, stop = span.removeprefix("bytes=").split("-")
        size = file.stat().st_size
        first = int(start) if start else size - int(stop)
        last = min(int(stop), size - 1) if start and stop else size - 1
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.send_header("Content-Length", str(last - first + 1))
        self.end_headers()
        if self.command == "GET":
            with file.open("rb") as stream:
                stream.seek(first)
                self.wfile.write(stream.read(last - first + 1))
        return None

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    _Handler.asked.clear()
    _Handler.failures.clear()
    serving = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(tmp_path)))
    thread = threading.Thread(target=partial(serving.serve_forever, 0.02), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{serving.server_address[1]}"
    serving.shutdown()
    serving.server_close()
    thread.join()


@pytest.mark.parametrize(("version", "sharded"), [("0.4", False), ("0.5", False), ("0.5", True)])
def test_parts_of_levels(version: str, sharded: bool, server: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {"chunks": (1, 32, 32), "shards": (1, 128, 128)} if sharded else {}
    path = ome_zarr(tmp_path, LEVELS, version=version, **options)
    url = f"{server}/{path.name}"
    address = pickle.loads(pickle.dumps(SlideAddress(url)))
    with open_slide(address) as remote, open_slide(SlideAddress(path)) as local:
        assert remote.info.levels == local.info.levels
        assert remote.info.pixel_size == local.info.pixel_size == (0.5, 0.5)
        assert remote.info.path.name == path.name
        assert not any("/c/" in asked or "/0.0" in asked for asked in _Handler.asked), "pixels wait to be asked for"
        for level, box in ((0, Box((3, 5), (290, 411))), (2, Box((0, 0), (75, 105))), (1, Box((149, 0), (150, 1)))):
            expected = LEVELS[level][[2, 0]][(slice(None), *box.slices)]
            assert np.array_equal(remote.read(level, box, [2, 0]), expected)
        _Handler.asked.clear()
        remote.read(0, Box((0, 0), (10, 10)), [1])
        assert 0 < len(set(_Handler.asked)) <= 2, "one chunk, and no more"
        assert not remote.found


def test_failures_of_a_moment_are_tried_again(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zarr_store, "_WAIT", 0.01)
    path = ome_zarr(tmp_path, LEVELS)
    key = f"/{path.name}/0/c/0/0/0"
    with open_slide(SlideAddress(f"{server}/{path.name}")) as source:
        _Handler.failures[key] = 2
        assert np.array_equal(source.read(0, Box((0, 0), (9, 9)), [0]), PIXELS[:1, :9, :9])
        assert _Handler.asked.count(key) == 3
        _Handler.failures[key] = 1000
        with pytest.raises(ImageError, match="503"):
            source.read(0, Box((0, 0), (9, 9)), [0])


def test_a_collection_of_one_image(server: str, tmp_path: Path) -> None:
    """As bioformats2raw writes it."""
    import zarr

    whole = tmp_path / "whole"
    whole.mkdir()
    ome_zarr(whole, LEVELS, version="0.4").rename(whole / "0")
    zarr.open_group(whole, mode="a", zarr_format=2).attrs["bioformats2raw.layout"] = 3
    with open_slide(SlideAddress(f"{server}/whole")) as source:
        assert np.array_equal(source.read(1, source.info.levels[1].box, range(3)), LEVELS[1])
        assert source.info.path == Path("whole")


def test_lost_chunks_are_told(server: str, tmp_path: Path) -> None:
    path = ome_zarr(tmp_path, LEVELS)
    (path / "0" / "c" / "0" / "0" / "0").unlink()
    with open_slide(SlideAddress(f"{server}/{path.name}")) as source:
        assert not source.read(0, Box((0, 0), (9, 9)), [0]).any()
        assert "lacks 1 of the chunks" in source.found[0]


def test_truncated_chunks_are_refused(server: str, tmp_path: Path) -> None:
    path = ome_zarr(tmp_path, LEVELS, compressors=None)
    chunk = path / "0" / "c" / "0" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:100])
    with (
        open_slide(SlideAddress(f"{server}/{path.name}")) as source,
        pytest.raises(ImageError, match="is truncated: it has 100 bytes"),
    ):
        source.read(0, Box((0, 0), (9, 9)), [0])


@pytest.mark.parametrize(
    ("place", "content", "words"),
    [
        ("nothing", None, "is no OME-Zarr image"),
        ("slide_0.5.ome.zarr/zarr.json", "{", "not valid JSON"),
        ("slide_0.5.ome.zarr/0/zarr.json", "[1]", "holds no mapping"),
        ("slide_0.5.ome.zarr/0/zarr.json", None, "lacks its finest level"),
    ],
)
def test_what_is_no_image(place: str, content: str | None, words: str, server: str, tmp_path: Path) -> None:
    path = ome_zarr(tmp_path, LEVELS)
    if content is not None:
        (tmp_path / place).write_text(content)
    else:
        (tmp_path / place).unlink(missing_ok=True)
    url = f"{server}/{path.name if place != 'nothing' else place}"
    with pytest.raises(ImageError, match=words) as error:
        open_slide(SlideAddress(url))
    assert url in error.value.message
    assert "/tmp" not in error.value.message


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/a.zarr", "nowhere://a/b.zarr"])
def test_servers_that_do_not_answer(url: str) -> None:
    with pytest.raises(ImageError, match="cannot be read") as error:
        open_slide(SlideAddress(url))
    assert url in error.value.message


def test_a_server_that_fails(server: str, tmp_path: Path) -> None:
    """Which is not one that has no such image."""
    path = ome_zarr(tmp_path, LEVELS)
    _Handler.failures[f"/{path.name}/zarr.json"] = 1000
    with pytest.raises(ImageError, match="cannot be read"):
        open_slide(SlideAddress(f"{server}/{path.name}"))
