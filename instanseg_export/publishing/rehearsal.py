"""Requests that are written down and not sent: the same code makes them, and gets answers as from a server."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from .client import FILE_EXTENSION

__all__ = ["PlannedRequest", "Rehearsal"]

_HIDDEN = "***"
_TOLD = ("authorization", "content-type", "content-length", "accept", "x-github-api-version")


@dataclass(frozen=True)
class PlannedRequest:
    """A request that was not sent.

    Attributes:
        method: of HTTP.
        url: where it would go.
        headers: without the token, in whose place stands ``***``.
        body: JSON, or what a file would be sent; None where there is none.
    """

    method: str
    url: str
    headers: dict[str, str]
    body: Any


Answer = Callable[[httpx.Request, Any], Any]
"""Takes a request and its JSON, and returns the JSON of an answer."""


class Rehearsal(httpx.BaseTransport):
    """Stands in place of the network.

    Args:
        answer: what to go on with.
    """

    def __init__(self, answer: Answer) -> None:
        self.requests: list[PlannedRequest] = []
        self._answer = answer

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Write a request down and answer it."""
        content = request.read()
        file = request.extensions.get(FILE_EXTENSION)
        body = json.loads(content) if content and file is None else None
        shown = body if file is None else f"the {len(content):,} bytes of {file}"
        headers = {name: value for name, value in request.headers.items() if name.lower() in _TOLD}
        if "authorization" in headers:
            headers["authorization"] = f"{headers['authorization'].partition(' ')[0]} {_HIDDEN}"
        self.requests.append(PlannedRequest(request.method, str(request.url), headers, shown))
        return httpx.Response(200, json=self._answer(request, body))
