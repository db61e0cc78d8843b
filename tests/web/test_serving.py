"""The page of a model is given to this computer alone, and a folder of it works on any host."""

from __future__ import annotations

import http.client
import http.server
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from playwright.sync_api import Browser

from instanseg_export import build_forward, load_checkpoint
from instanseg_export.api.export_web import export_web
from instanseg_export.api.serve import serve
from instanseg_export.errors import OutputError, PackageError, RuntimeUnavailableError
from instanseg_export.exported_model.package_files import Description
from instanseg_export.runtimes.build import CACHE_VARIABLE
from instanseg_export.targets import read_metadata, write_artifact
from instanseg_export.testing.small_forward import SmallForward, small_checkpoint
from instanseg_export.web.manifest import PageModel
from support.embedseg_runs import write_volume_run
from support.paths import DEMO_IMAGES
from support.web_labels import by_python
from support.web_page import opened


@contextmanager
def plain_host(folder: Path) -> Iterator[str]:
    """A web host that knows nothing of the page: no headers, on loopback."""
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    handler.log_message = lambda *_: None  # type: ignore[attr-defined]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


def test_a_written_folder_works_on_any_host(
    demo_package: Path, browsers: Callable[[bool], Browser], tmp_path: Path
) -> None:
    """In a folder of the host, without the headers that threads need: on one thread."""
    page = export_web(demo_package, output=tmp_path / "host" / "models" / "demo")
    assert page.name == "nuclei_dsb2018"
    expected = by_python(demo_package, DEMO_IMAGES / "histology.png", tmp_path)
    with plain_host(tmp_path / "host") as url, opened(browsers(False), f"{url}models/demo/") as seen:
        seen.open(DEMO_IMAGES / "histology.png")
        seen.segment()
        np.testing.assert_array_equal(seen.labels(), expected)
        assert "WebAssembly on one thread" in seen.text("engine")


def test_a_folder_with_another_model_s_file_is_refused_by_the_page(
    demo_package: Path, browsers: Callable[[bool], Browser], tmp_path: Path
) -> None:
    page = export_web(demo_package, output=tmp_path / "page")
    write_artifact("onnx", SmallForward(), small_checkpoint(), tmp_path / "other.onnx")
    model = page.folder / "model" / "model.onnx"
    for content in ((tmp_path / "other.onnx").read_bytes(), model.read_bytes()[:-1] + b"\0", b""):
        model.write_bytes(content)
        with plain_host(page.folder) as url, opened(browsers(False), url) as seen:
            seen.ready()
            assert "model.onnx is not the file of nuclei_dsb2018" in seen.problem()
            assert "export-web" in seen.problem()
    shutil.rmtree(page.folder / "model")
    with plain_host(page.folder) as url, opened(browsers(False), url) as seen:
        seen.ready()
        assert "no model beside this page" in seen.problem()


def test_a_model_of_volumes_is_refused_by_the_commands_and_by_the_page(
    demo_package: Path, browsers: Callable[[bool], Browser], tmp_path: Path
) -> None:
    checkpoint = load_checkpoint(write_volume_run(tmp_path / "run"))
    file = tmp_path / "model.onnx"
    write_artifact("onnx", build_forward(checkpoint), checkpoint, file)
    with pytest.raises(PackageError, match="takes volumes") as refused:
        export_web(file, output=tmp_path / "none")
    assert "instanseg-export run" in refused.value.hint
    assert not (tmp_path / "none").exists()
    with pytest.raises(PackageError, match="takes volumes"), serve(file):
        pass
    page = export_web(demo_package, output=tmp_path / "page")
    metadata = read_metadata(file)
    assert metadata is not None
    volumes = PageModel(file, metadata, Description({}), ()).manifest()
    _page_refuses(page.folder, file, volumes, "takes volumes", browsers(False))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"image_shape": [1, 3, 256, 256]}, "takes images of one size only"),
        (
            {"outputs": [{"name": "network", "role": "network", "axes": ["batch", "channel", "y", "x"]}]},
            "network alone",
        ),
    ],
)
def test_a_page_that_was_put_together_by_hand_refuses_what_it_cannot_run(
    demo_package: Path, browsers: Callable[[bool], Browser], tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    page = export_web(demo_package, output=tmp_path / "page")
    content = json.loads((page.folder / "model" / "model.json").read_text())
    content["metadata"] |= changes
    _page_refuses(page.folder, demo_package / "model.onnx", json.dumps(content), words, browsers(False))


def _page_refuses(folder: Path, file: Path, manifest: str, words: str, browser: Browser) -> None:
    shutil.copy(file, folder / "model" / "model.onnx")
    (folder / "model" / "model.json").write_text(manifest)
    with plain_host(folder) as url, opened(browser, url) as seen:
        seen.ready()
        assert words in seen.problem()
        assert "instanseg-export run" in seen.problem()
        assert seen.part("file").is_disabled()


def ask(url: str, path: str, **headers: str) -> http.client.HTTPResponse:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port)
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    response.content = response.read()  # type: ignore[attr-defined]
    connection.close()
    return response


def test_serve_gives_the_page_to_this_computer_alone(demo_package: Path) -> None:
    with serve(demo_package) as page:
        assert page.url.startswith("http://127.0.0.1:")
        response = ask(page.url, "/")
        assert response.status == 200
        assert response.getheader("Cross-Origin-Opener-Policy") == "same-origin"
        assert response.getheader("Cross-Origin-Embedder-Policy") == "require-corp"
        assert "connect-src 'self'" in str(response.getheader("Content-Security-Policy"))
        assert ask(page.url, "/main.js").getheader("Content-Type") == "text/javascript; charset=utf-8"
        assert ask(page.url, "/onnxruntime/ort-wasm-simd-threaded.wasm").getheader("Content-Type") == "application/wasm"
        assert ask(page.url, "/model/").status == 404, "folders are not listed"
        for path in ("/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/none.js", "//etc/passwd"):
            assert ask(page.url, path).status == 404
        assert ask(page.url, "/", Host="elsewhere.example:80").status == 403, "not by another name"
        with pytest.raises(OutputError, match="cannot be used"), serve(demo_package, port=urlsplit(page.url).port or 0):
            pass
    with pytest.raises(OSError, match="refused"):
        ask(page.url, "/")


def test_a_model_that_the_page_cannot_run_is_refused(demo_package: Path, tmp_path: Path) -> None:
    package = tmp_path / "package"
    shutil.copytree(demo_package, package)
    (package / "model.onnx").unlink()
    with pytest.raises(PackageError, match=r"holds no model\.onnx") as refused, serve(package):
        pass
    assert "--targets onnx" in refused.value.hint
    write_artifact("onnx", SmallForward(), small_checkpoint(), tmp_path / "model.onnx")
    shutil.copy(tmp_path / "model.onnx", package)
    with pytest.raises(PackageError), serve(package):
        pass
    with pytest.raises(PackageError), serve(demo_package / "rdf.yaml"):
        pass


def test_without_node_the_page_is_not_built_and_the_error_says_what_to_do(
    demo_package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeUnavailableError, match="no program node on the path") as refused, serve(demo_package):
        pass
    assert "Node 20.15" in refused.value.hint
    assert not (tmp_path / "cache").exists()
