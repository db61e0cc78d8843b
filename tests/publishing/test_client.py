"""Every way in which a request can end: an error in words, the next step, and never the token."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from instanseg_export.errors import InstansegExportError, PublishError
from instanseg_export.publishing import client as client_module
from instanseg_export.publishing.answers import NoAnswerError, RefusedError, Service
from instanseg_export.publishing.client import Client
from instanseg_export.publishing.package import PackageFile
from instanseg_export.publishing.release_files import file_at
from instanseg_export.publishing.token import check_address, check_site_address, token_of

TOKEN = "secret-token-0123456789"
URL = "https://zoo.example/thing"
Answers = Callable[[httpx.Request], httpx.Response]


def client_for(answers: Answers, waits: list[float] | None = None, server: str = "https://zoo.example") -> Client:
    service = Service("the model zoo", server, "HYPHA_TOKEN", "make one")
    sleep = (waits if waits is not None else []).append
    return Client(service, TOKEN, transport=httpx.MockTransport(answers), sleep=sleep)


def ask(answers: Answers, waits: list[float] | None = None, **options: Any) -> Any:
    with client_for(answers, waits) as client:
        return client.ask("asking", "POST", URL, body={"a": 1}, **options)


@pytest.mark.parametrize(
    ("status", "content", "words", "hint"),
    [
        (400, {"success": False, "detail": "AssertionError: Artifact must be in staging mode."}, "staging mode", "new"),
        (401, {"detail": "Error decoding token headers."}, "not valid, or has expired", "HYPHA_TOKEN"),
        (403, {"success": False, "detail": "PermissionError: no"}, "may not do that", "HYPHA_TOKEN"),
        (404, {"success": False, "detail": "KeyError: none"}, "nothing of that name", "name"),
        (409, {}, "name is taken", "another name"),
        (413, "<html>too large</html>", "too large", "Leave out"),
        (422, {"message": "Failed", "errors": [{"code": "already_exists"}]}, "name is taken", "another name"),
        (500, {"detail": "RemoteException: FileExistsError: Artifact with alias exists"}, "name is taken", "another"),
        (500, {"detail": ["Traceback\n", "  line\n", "OSError: disk\n"]}, "OSError: disk", "again"),
        (302, "", "another address", "address"),
        (418, "\x1b[31mteapot", "teapot", "new version"),
    ],
)
def test_refusals_say_what_is_wrong_and_what_to_do(status: int, content: Any, words: str, hint: str) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        text = {"text": content} if isinstance(content, str) else {"json": content}
        return httpx.Response(status, headers={"Location": "https://evil.example"} if status == 302 else {}, **text)

    with pytest.raises(RefusedError) as caught:
        ask(answer)
    assert caught.value.status == status
    assert f"({status})" in caught.value.message
    assert words in caught.value.message
    assert hint in caught.value.hint
    assert len(asked) == 1, "another try would meet the same"
    assert {request.url.host for request in asked} == {"zoo.example"}


@pytest.mark.parametrize("after", ["3", "date", None, "soon", "-1"])
def test_a_limit_on_requests_is_waited_for(after: str | None) -> None:
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=30))
    headers = {} if after is None else {"Retry-After": moment if after == "date" else after}
    answers = iter([httpx.Response(429, headers=headers), httpx.Response(200, json=5)])
    waits: list[float] = []
    assert ask(lambda request: next(answers), waits, repeatable=False) == 5
    (waited,) = waits
    assert {"3": waited == 3, "date": 25 < waited <= 30}.get(after or "", waited == 1)


def test_a_limit_that_lasts_is_told_of() -> None:
    waits: list[float] = []
    with pytest.raises(RefusedError, match="fewer requests") as caught:
        ask(lambda request: httpx.Response(429, headers={"Retry-After": "3600"}), waits)
    assert "3,600 s" in caught.value.hint
    assert waits == []
    with pytest.raises(RefusedError, match="fewer requests"):
        ask(lambda request: httpx.Response(429), waits)
    assert waits == [1, 2, 4, 8]


@pytest.mark.parametrize("error", [httpx.ReadTimeout, httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError])
def test_what_may_have_arrived_is_repeated_only_if_it_may_be(error: type[httpx.TransportError]) -> None:
    for repeatable, tries in ((True, 5), (False, 1)):
        asked: list[httpx.Request] = []

        def fail(request: httpx.Request, asked: list[httpx.Request] = asked) -> httpx.Response:
            asked.append(request)
            raise error(f"broken while sending {TOKEN}")

        with pytest.raises(NoAnswerError, match=r"zoo\.example does not answer") as caught:
            ask(fail, repeatable=repeatable)
        assert len(asked) == tries
        assert TOKEN not in caught.value.message + caught.value.hint


def test_what_surely_did_not_arrive_is_repeated() -> None:
    asked: list[httpx.Request] = []

    def fail(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        raise httpx.ConnectError("Name or service not known")

    with pytest.raises(NoAnswerError, match="cannot be reached"):
        ask(fail, repeatable=False)
    assert len(asked) == 5


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_gateway_s_failure_leaves_open_whether_it_arrived(status: int) -> None:
    waits: list[float] = []
    with pytest.raises(NoAnswerError):
        ask(lambda request: httpx.Response(status), waits, repeatable=False)
    assert waits == []
    with pytest.raises(RefusedError):
        ask(lambda request: httpx.Response(status), waits)
    assert len(waits) == 4


@pytest.mark.parametrize("place", ["detail", "text", "list"])
def test_the_token_is_in_no_message(place: str) -> None:
    """Not even when the server sends it back."""
    said = {
        "detail": httpx.Response(403, json={"detail": f"bad token Bearer {TOKEN}!"}),
        "text": httpx.Response(403, text=f"Authorization: Bearer {TOKEN}"),
        "list": httpx.Response(500, json={"detail": ["a\n", f"{TOKEN}\n"]}),
    }[place]
    with pytest.raises(PublishError) as caught:
        ask(lambda request: said)
    shown = f"{caught.value.message} {caught.value.hint} {caught.value!r}"
    assert TOKEN not in shown
    assert "***" in shown


@pytest.mark.parametrize("content", [b"<html>", b"{", b"[" * 100_000, b"\xff\xfe", b'{"a": 1, "a": 2}'])
def test_an_answer_that_is_no_json_is_an_error_of_ours(content: bytes) -> None:
    with pytest.raises(PublishError, match="the answer of") as caught:
        ask(lambda request: httpx.Response(200, content=content))
    assert "address" in caught.value.hint


def test_an_endless_answer_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "MAX_TEXT_BYTES", 1000)

    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 100

    with pytest.raises(PublishError, match="more than 1,000 bytes"):
        ask(lambda request: httpx.Response(200, content=endless()))


# Over the network of this machine


@contextlib.contextmanager
def _rude(behave: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does with each connection what it likes."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                with connection, contextlib.suppress(OSError):
                    behave(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(10)


@pytest.fixture
def large(tmp_path: Path) -> PackageFile:
    path = tmp_path / "large.bin"
    path.write_bytes(b"0123456789abcdef" * 500_000)
    return file_at(path)


def _send(server: str, file: PackageFile, timeout: float = 20.0) -> Any:
    service = Service("the model zoo", server, "HYPHA_TOKEN", "make one")
    with Client(service, TOKEN, sleep=lambda seconds: None, timeout=timeout) as client:
        headers = {"Content-Type": ""}
        return client.send_file(
            "uploading", "PUT", f"{server}/put?Signature=s", file, headers=headers, authorised=False
        )


def _early(connection: socket.socket) -> None:
    """Refuse before the file is there, as servers with a limit do."""
    connection.recv(1000)
    connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    while connection.recv(1 << 20):
        pass


def _hang_up(connection: socket.socket) -> None:
    connection.recv(100_000)


def _mute(connection: socket.socket) -> None:
    while connection.recv(1 << 20):
        pass


def _babble(connection: socket.socket) -> None:
    connection.recv(1000)
    connection.sendall(b"SSH-2.0-OpenSSH\r\n\r\n")


@pytest.mark.parametrize(
    ("behave", "words", "timeout"),
    [(_early, "too large", 20), (_hang_up, "broke", 20), (_mute, "does not answer", 0.3), (_babble, "answer", 20)],
    ids=["refuses early", "hangs up", "says nothing", "speaks otherwise"],
)
def test_an_upload_ends_in_words(
    behave: Callable[[socket.socket], None], words: str, timeout: float, large: PackageFile
) -> None:
    with _rude(behave) as server, pytest.raises(PublishError, match=words) as caught:
        _send(server, large, timeout)
    assert "Signature" not in caught.value.message, "an address that is signed is a secret"


def test_nobody_there(large: PackageFile) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = f"http://127.0.0.1:{listening.getsockname()[1]}"
    with pytest.raises(NoAnswerError, match="cannot be reached"):
        _send(server, large)


# Addresses and tokens


@pytest.mark.parametrize(
    "address",
    [
        "http://hypha.aicell.io",
        "http://127.0.0.1.evil.example",
        "http://localhost@evil.example",
        "https://user:password@hypha.aicell.io",
        "https://hypha.aicell.io?x=1",
        "https://hypha.aicell.io#x",
        "https://",
        "hypha.aicell.io",
        "ftp://hypha.aicell.io",
        "file:///etc/passwd",
        "https://a b",
        "https://[::1",
        "https://a:99999",
        "https://\u0430icell.io",
        "",
    ],
)
def test_the_token_goes_to_no_such_address(address: str) -> None:
    with pytest.raises(PublishError):
        check_address(address)


def test_addresses_that_are_fine() -> None:
    assert check_address("https://hypha.aicell.io/") == "https://hypha.aicell.io"
    assert check_address("http://127.0.0.1:9527") == "http://127.0.0.1:9527"
    assert check_address("http://[::1]:9527") == "http://[::1]:9527"
    assert check_site_address("https://example.com/models/") == "https://example.com/models"
    for wrong in ("javascript:alert(1)", "https://", "example.com", 'https://a/"onload=', "https://a/?q", "//a/b"):
        with pytest.raises(PublishError):
            check_site_address(wrong)


def test_tokens_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service("the model zoo", "https://zoo.example", "HYPHA_TOKEN", "make one there")
    monkeypatch.setenv("HYPHA_TOKEN", f" {TOKEN}\n")
    assert token_of(service) == TOKEN
    for wrong in ("two words", "a\x1bb", "t\u00f6ken", "x" * 100_000):
        monkeypatch.setenv("HYPHA_TOKEN", wrong)
        with pytest.raises(PublishError) as caught:
            token_of(service)
        assert wrong not in caught.value.message
    for unset in ("", "  "):
        monkeypatch.setenv("HYPHA_TOKEN", unset)
        with pytest.raises(InstansegExportError, match="HYPHA_TOKEN is not set") as error:
            token_of(service)
        assert "make one there" in error.value.hint
    monkeypatch.delenv("HYPHA_TOKEN")
    assert token_of(service, needed=False) == ""
