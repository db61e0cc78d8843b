"""The HTTP program, started as its README line says, finds what ``run`` finds."""

from __future__ import annotations

import io
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import tifffile
from PIL import Image

from instanseg_export import read_image, run
from support.paths import DEMO_IMAGES


def _port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Program:
    """The program on a port of this machine, for as long as the block runs."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder, self.arguments = folder, arguments

    def __enter__(self) -> httpx.Client:
        port = _port()
        words = [sys.executable, "server.py", "--port", str(port), *self.arguments]
        self.process = subprocess.Popen(
            words, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120, trust_env=False)
        for _ in range(1200):
            if self.process.poll() is not None:
                break
            try:
                client.get("/health").raise_for_status()
            except httpx.TransportError:
                time.sleep(0.1)
            else:
                return client
        self.__exit__()
        assert self.process.stdout is not None
        raise AssertionError(self.process.stdout.read())

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()


@pytest.fixture(scope="module")
def client(server: Path) -> Iterator[httpx.Client]:
    with Program(server / "http", "--most-pixels", "200000", "--most-bytes", "3000000") as client:
        yield client


def labels_of(response: httpx.Response) -> np.ndarray:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "image/tiff"
    return np.asarray(tifffile.imread(io.BytesIO(response.content)))


@pytest.mark.parametrize("settings", [{}, {"seed_threshold": "0.8", "min_size": "40"}], ids=["defaults", "settings"])
def test_labels_are_those_of_run(
    client: httpx.Client, demo_package: Path, settings: dict[str, str], tmp_path: Path
) -> None:
    file = DEMO_IMAGES / "histology.png"
    chosen = {"seed_threshold": 0.8, "min_size": 40} if settings else {}
    result = run(demo_package, file, runtime="onnxruntime", settings=chosen, output=tmp_path)
    expected = tifffile.imread(result.labels)
    response = client.post("/segment", content=file.read_bytes(), params=settings)
    found = labels_of(response)
    np.testing.assert_array_equal(found.squeeze(), expected)
    assert int(response.headers["x-instances"]) == len(np.unique(expected)) - 1 > 10


def test_every_kind_of_file_gives_the_same(client: httpx.Client) -> None:
    array = read_image(DEMO_IMAGES / "histology.png", 2).array
    channels_last = np.moveaxis(array, 0, -1)
    planar, chunky, numpy_file, png = (io.BytesIO() for _ in range(4))
    tifffile.imwrite(planar, array, photometric="minisblack", metadata={"axes": "CYX"}, ome=True)
    tifffile.imwrite(chunky, channels_last, photometric="rgb", compression="zlib")
    np.save(numpy_file, array)
    Image.fromarray(channels_last).save(png, "PNG")
    found = [labels_of(client.post("/segment", content=one.getvalue())) for one in (planar, chunky, numpy_file, png)]
    assert found[0].any()
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])


def test_a_channel_can_stand_for_all(client: httpx.Client) -> None:
    data = (DEMO_IMAGES / "fluorescence.png").read_bytes()
    refused = client.post("/segment", content=data)
    assert refused.status_code == 422
    assert refused.json() == {"error": "The image has 1 channels; the model takes 3."}
    assert labels_of(client.post("/segment", content=data, params={"channels": "1,1,1"})).any()


def test_it_says_what_it_serves(client: httpx.Client) -> None:
    about = client.get("/").json()
    assert about["image"] == ["batch", 3, "height", "width"]
    assert about["settings"]["seed_threshold"] == "float32"
    assert about["model"]["pixel_size"] == 0.5


def _zeros(*shape: int) -> bytes:
    file = io.BytesIO()
    np.save(file, np.zeros(shape, np.uint8))
    return file.getvalue()


def _png(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height)).save(file, "PNG")
    return file.getvalue()


def _pickled() -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return file.getvalue()


GOOD = _png(32, 32)


@pytest.mark.parametrize(
    ("data", "query", "status", "words"),
    [
        (b"", {}, 415, "no PNG"),
        (b"hello", {}, 415, "no PNG"),
        (GOOD[:60], {}, 415, "no PNG"),
        (b"II*\0" + b"\xff" * 50, {}, 415, "no PNG"),
        (b"\x93NUMPY" + b"\xff" * 50, {}, 415, "no PNG"),
        (_pickled(), {}, 415, "no PNG"),
        (_zeros(3, 0, 5), {}, 422, "shape"),
        (_zeros(5, 5), {}, 422, "shape"),
        (_zeros(3, 2, 5, 5), {}, 422, "shape"),
        (_png(1000, 1000), {}, 413, "more than 200000 pixels"),
        (_png(30_000, 30_000), {}, 413, "more than 200000 pixels"),
        (_zeros(3, 1000, 1000) + b"\0" * 10, {}, 413, "bytes"),
        (GOOD, {"seed_treshold": "1"}, 422, "There is no setting 'seed_treshold'"),
        (GOOD, {"seed_threshold": "high"}, 422, "is no value"),
        (GOOD, {"seed_threshold": "inf"}, 422, "finite"),
        (GOOD, {"min_size": "1.5"}, 422, "is no value"),
        (GOOD, {"min_size": "9" * 40}, 422, "is no value"),
        (GOOD, {"connected": "perhaps"}, 422, "is no value"),
        (GOOD, {"channels": "0,1,2"}, 422, "asks for others"),
        (GOOD, {"channels": "1,2,9"}, 422, "asks for others"),
        (GOOD, {"channels": "red"}, 422, "numbers from 1"),
    ],
)
def test_bad_requests_are_answered(
    client: httpx.Client, data: bytes, query: dict[str, str], status: int, words: str
) -> None:
    response = client.post("/segment", content=data, params=query)
    assert response.status_code == status, response.text
    assert words in response.json()["error"]
    assert client.get("/health").status_code == 200


def test_a_file_of_one_size(demo_static: Path, server: Path, tmp_path: Path) -> None:
    """It takes that size only, and answers no label map that is not complete."""
    (tmp_path / "server.py").write_text((server / "http/server.py").read_text())
    array = read_image(DEMO_IMAGES / "histology.png", 2).array
    with Program(tmp_path, "--model", str(demo_static)) as client:
        assert client.get("/").json()["settings"] == {}
        sent = io.BytesIO()
        np.save(sent, array)
        assert client.post("/segment", content=sent.getvalue()).status_code == 422
        sent = io.BytesIO()
        np.save(sent, array[:, :96, :128])
        assert labels_of(client.post("/segment", content=sent.getvalue())).shape == (1, 96, 128)


def test_the_requirements_are_what_it_imports(server: Path) -> None:
    names = {line.partition(">")[0] for line in (server / "http/requirements.txt").read_text().splitlines()}
    assert names == {"numpy", "onnxruntime", "pillow", "starlette", "tifffile", "uvicorn"}
    text = (server / "http/server.py").read_text()
    assert "instanseg_export import" not in text
