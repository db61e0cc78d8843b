"""Requests to one server: with its token, with patience, and with an error in words for every way in which they end."""

from __future__ import annotations

import email.utils
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import tenacity

from .. import __version__
from ..errors import InstansegExportError, PublishError
from ..limits import MAX_TEXT_BYTES
from ..plain_text import plain
from ..untrusted.boundary import allowed
from ..untrusted.json_texts import load_json_text
from .answers import NoAnswerError, RefusedError, Service, refusal
from .package import PackageFile
from .token import is_safe_address

__all__ = ["FILE_EXTENSION", "Client"]

FILE_EXTENSION = "instanseg_export.file"
"""Under this name a request carries the name of the file in its body, for those who describe requests."""

_TRIES = 5
_LONGEST_WAIT = 120.0
"""Seconds. A server that asks for more is told of, and not waited for."""

_PASSING = (502, 503, 504)
"""Answers of what stands before a server, which another try may not meet."""

_GATEWAY_TIMEOUT = 504
_CHUNK = 1 << 20
_CONNECT = 15.0


class _AgainError(Exception):
    """Another try is worth it."""

    def __init__(self, error: PublishError, after: float | None = None) -> None:
        self.error = error
        self.after = after


class Client:
    """Talks to one service.

    Args:
        service: to talk to.
        token: of its user.
        transport: in place of the network.
        timeout: seconds of silence after which a server counts as one that does not answer.
        sleep: waits for so many seconds.
        say: is told why nothing seems to happen.
    """

    def __init__(
        self,
        service: Service,
        token: str,
        *,
        transport: httpx.BaseTransport | None = None,
        timeout: float = 120.0,
        sleep: Callable[[float], None] = time.sleep,
        say: Callable[[str], None] = lambda words: None,
    ) -> None:
        self.service = service
        self._token = token
        self._sleep = sleep
        self._say = say
        # Redirects are not followed: the token is for this server alone.
        self._http = httpx.Client(
            transport=transport,
            timeout=httpx.Timeout(timeout, connect=min(timeout, _CONNECT)),
            follow_redirects=False,
            headers={"User-Agent": f"instanseg-export/{__version__}"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def ask(
        self,
        what: str,
        method: str,
        url: str,
        *,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = True,
    ) -> Any:
        """Send a request with the token and return what JSON the answer holds; None where it is empty.

        Args:
            what: is asked for, as a part of a sentence.
            method: of HTTP.
            url: on the service's server.
            body: sent as JSON.
            headers: beside the token's.
            repeatable: whether the request does the same when it arrives twice. One that does not is sent again only
                if it surely did not arrive.

        Raises:
            RefusedError: the server says no.
            NoAnswerError: it says nothing, or the connection breaks off.
        """
        given = {"Authorization": f"Bearer {self._token}", "Accept": "application/json", **(headers or {})}
        content = None if body is None else json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
        if content is not None:
            given["Content-Type"] = "application/json"

        def attempt() -> Any:
            request = self._http.build_request(method, url, headers=given, content=content)
            return self._send(request, what, repeatable=repeatable)

        return self._patiently(attempt)

    def send_file(
        self, what: str, method: str, url: str, file: PackageFile, *, headers: Mapping[str, str], authorised: bool
    ) -> Any:
        """Send a file's bytes and return what JSON the answer holds; None where it is empty.

        Args:
            what: is done, as a part of a sentence.
            method: of HTTP.
            url: that takes the file; it may be a secret and is never shown.
            file: to send.
            headers: that the address asks for.
            authorised: send the token, too; addresses that are signed do without.

        Raises:
            RefusedError: the server says no.
            NoAnswerError: it says nothing, or the connection breaks off, again and again.
            PublishError: the address is not safe, or the file changes meanwhile.
        """
        if not is_safe_address(url):
            raise PublishError(
                f"{self.service.name} wants {plain(file.name, 100)} sent in plain text to another machine.",
                hint="That is not done. Ask the server's owners.",
            )
        given = {**headers, "Content-Length": str(file.size)}
        if authorised:
            given["Authorization"] = f"Bearer {self._token}"

        def attempt() -> Any:
            request = self._http.build_request(
                method, url, headers=given, content=_bytes_of(file), extensions={FILE_EXTENSION: file.name}
            )
            return self._send(request, what, repeatable=True, passing=(500, *_PASSING))

        return self._patiently(attempt)

    def _patiently(self, attempt: Callable[[], Any]) -> Any:
        def wait(state: tenacity.RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome is not None else None
            asked = error.after if isinstance(error, _AgainError) else None
            return asked if asked is not None else 2.0 ** (state.attempt_number - 1)

        def tell(state: tenacity.RetryCallState) -> None:
            seconds = state.next_action.sleep if state.next_action is not None else 0.0
            host = urlsplit(self.service.server).hostname
            self._say(f"{host} does not answer well; trying again in {seconds:.0f} s")

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_AgainError),
            stop=tenacity.stop_after_attempt(_TRIES),
            wait=wait,
            sleep=self._sleep,
            before_sleep=tell,
            reraise=True,
        )
        try:
            return retrying(attempt)
        except _AgainError as last:
            raise last.error from last.__cause__

    def _send(self, request: httpx.Request, what: str, *, repeatable: bool, passing: tuple[int, ...] = _PASSING) -> Any:
        host = plain(request.url.host, 100)
        try:
            response = self._http.send(request, stream=True)
            try:
                text = _limited(response)
            finally:
                response.close()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise _AgainError(self._silent(what, host, error, "cannot be reached")) from error
        except httpx.TransportError as error:
            pending = isinstance(error, httpx.TimeoutException)
            silent = self._silent(what, host, error, "does not answer, or broke the connection off", pending=pending)
            if not repeatable:
                raise silent from error
            raise _AgainError(silent) from error
        except httpx.HTTPError as error:
            raise self._silent(what, host, error, "cannot be understood") from error
        if response.is_success:
            return _parsed(text, host) if text.strip() else None
        status = response.status_code
        refused = refusal(status, self._detail(text), what, self.service)
        if status == 429:
            after = _retry_after(response.headers.get("Retry-After"))
            if after is not None and after > _LONGEST_WAIT:
                asked = f"It asks to wait for {after:,.0f} s"
                hint = f"{asked}: run the same command again then, and it goes on where it broke off."
                raise RefusedError(refused.message, hint=hint, status=status, detail=refused.detail)
            raise _AgainError(refused, after)
        if status in passing:
            if not repeatable:
                raise self._silent(what, host, refused, f"answers {status}", pending=status == _GATEWAY_TIMEOUT)
            raise _AgainError(refused)
        raise refused

    def _silent(self, what: str, host: str, error: BaseException, fact: str, *, pending: bool = False) -> NoAnswerError:
        words = plain(self._redacted(str(error)), 200) or type(error).__name__
        return NoAnswerError(
            f"{host} {fact} ({words}) while {what}.",
            hint="Check the connection, and run the same command again: it goes on where it broke off.",
            pending=pending,
        )

    def _detail(self, text: bytes) -> str:
        """Return what the server says of a refusal, in one line; of a traceback, the end."""
        words = text.decode("utf-8", errors="replace")
        try:
            document = json.loads(words)
        except ValueError:
            document = None
        if isinstance(document, dict):
            said = document.get("detail", document.get("message", ""))
            if isinstance(said, list):
                said = "".join(part if isinstance(part, str) else json.dumps(part) for part in said)
            more = document.get("errors")
            words = f"{said} {json.dumps(more)}" if more else str(said)
        elif words.lstrip().startswith("<"):
            words = ""  # a page, or XML with request ids
        lines = [line.strip() for line in words.splitlines() if line.strip()]
        return plain(self._redacted(lines[-1] if lines else ""), 300)

    def _redacted(self, text: str) -> str:
        return text.replace(self._token, "***") if self._token else text


def _bytes_of(file: PackageFile) -> Iterator[bytes]:
    """Yield a file's bytes, and refuse to end them if they are not those that were checked."""
    digest, count = hashlib.sha256(), 0
    try:
        with file.path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
                count += len(chunk)
                if count > file.size:
                    raise _changed(file)
                if count == file.size and digest.hexdigest() != file.sha256:
                    raise _changed(file)
                yield chunk
    except OSError as error:
        raise PublishError(
            f"{file.path} cannot be read: {plain(error.strerror or error)}.", hint="Check the file, and try again."
        ) from error
    if count < file.size or (not file.size and digest.hexdigest() != file.sha256):
        raise _changed(file)


def _changed(file: PackageFile) -> PublishError:
    return PublishError(
        f"{file.path} changed after it was checked.", hint="Let nothing write to the package, and run it again."
    )


def _limited(response: httpx.Response) -> bytes:
    limit, parts, count = allowed(MAX_TEXT_BYTES), [], 0
    for part in response.iter_bytes():
        count += len(part)
        if count > limit:
            raise PublishError(
                f"{plain(response.url.host, 100)} answers with more than {limit:,} bytes.",
                hint="This is no server that packages are published to: check its address.",
            )
        parts.append(part)
    return b"".join(parts)


def _parsed(text: bytes, host: str) -> Any:
    try:
        return load_json_text(text, Path(f"the answer of {host}"), "it", PublishError, finite=False)
    except InstansegExportError as error:
        raise PublishError(error.message, hint="Check the server's address.") from error


def _retry_after(text: str | None) -> float | None:
    """Return the seconds that a server asks to wait, given as a number or as a date; None where it gives neither."""
    if text is None:
        return None
    if text.strip().isdigit():
        return float(text.strip()[:9])
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
