"""Gives a folder to browsers on this computer, and to nobody else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO

from ..errors import OutputError
from ..untrusted.boundary import plain

__all__ = ["given_out"]

_HOST = "127.0.0.1"
_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' blob: data:; connect-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    # Isolated from other pages, a page may share memory between threads.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class _Handler(SimpleHTTPRequestHandler):
    """Gives files, lists no folders, and answers only those who came here by this computer's own name."""

    # Not by the system's tables, which on some systems call JavaScript plain text.
    extensions_map = {  # noqa: RUF012 (the parent's own)
        "": "application/octet-stream",
        ".html": "text/html; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".mjs": "text/javascript; charset=utf-8",
        ".json": "application/json; charset=utf-8",
        ".txt": "text/plain; charset=utf-8",
        ".wasm": "application/wasm",
        ".png": "image/png",
        ".tif": "image/tiff",
    }

    def send_head(self) -> IO[bytes] | None:  # type: ignore[override]
        # A page elsewhere whose name was made to lead here would send that name.
        if self.headers.get("Host", "").rpartition(":")[0] not in (_HOST, "localhost"):
            self.send_error(HTTPStatus.FORBIDDEN, "This page is for this computer alone")
            return None
        return super().send_head()

    def list_directory(self, path: object) -> None:
        self.send_error(HTTPStatus.NOT_FOUND, "No such file")

    def end_headers(self) -> None:
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing: the terminal is the user's."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing where a browser has gone away."""


@contextmanager
def given_out(folder: Path, port: int) -> Iterator[str]:
    """Yield the address under which a folder is given to browsers on this computer, as long as the block runs.

    Args:
        folder: what is given.
        port: to listen on; 0 for any that is free.

    Raises:
        OutputError: the port is taken or may not be used.
    """
    try:
        server = _Server((_HOST, port), partial(_Handler, directory=str(folder)))
    except OSError as error:
        raise OutputError(
            f"Port {port} of this computer cannot be used: {plain(error.strerror or error)}.",
            hint="Choose another with --port, or leave it out: then a free one is taken.",
        ) from error
    thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.1), daemon=True)
    thread.start()
    try:
        yield f"http://{_HOST}:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
