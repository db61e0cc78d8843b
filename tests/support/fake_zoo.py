"""A strict stand-in for the zoo's server, on a port of this machine: it answers as Hypha does, and holds a grudge.

What a real server takes and a good client does not do is a violation, which tests look at: overwriting, publishing by
oneself, rights for everybody, names that lead elsewhere, a review of half an upload. Faults can be ordered for any
request, among them those of the network.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

__all__ = ["BREAK", "SILENCE", "FakeZoo", "Fault", "serve", "token_for"]

BREAK = "break off"
"""The connection ends in the midst of what the client sends."""
SILENCE = "silence"
"""All is received, and done, and no answer comes."""

COLLECTION = "bioimage-io/bioimage.io"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_VERBS = {
    "create": {"parent_id", "alias", "type", "manifest", "config", "stage", "overwrite"},
    "read": {"artifact_id", "stage"},
    "edit": {"artifact_id", "manifest", "type", "version", "stage"},
    "put_file": {"artifact_id", "file_path", "download_weight"},
    "list": {"parent_id", "limit", "offset", "silent", "stage", "filters", "keywords"},
    "list_files": {"artifact_id", "stage", "limit", "dir_path"},
    "remove_file": {"artifact_id", "file_path"},
    "discard": {"artifact_id"},
    "delete": {"artifact_id", "delete_files", "recursive"},
}


def token_for(user: str, email: str | None, **claims: Any) -> str:
    """Return a token that says whose it is, signed by nobody."""
    content = {"sub": user, "https://amun.ai/email": email, **claims}
    text = base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJub25lIn0.{text}.c2lnbmF0dXJl"


@dataclass
class Artifact:
    """What the server keeps of a model."""

    id: str
    owner: str
    manifest: dict[str, Any]
    config: dict[str, Any]
    versions: list[dict[str, bytes]] = field(default_factory=list)
    staged: dict[str, Any] | None = None
    intent: str = "new_version"
    files: dict[str, bytes] = field(default_factory=dict)


@dataclass
class Fault:
    """What goes wrong with a request.

    Attributes:
        answer: a status of HTTP, :data:`BREAK` or :data:`SILENCE`.
        body: of the answer.
        headers: of the answer.
    """

    answer: int | str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class FakeZoo:
    """The server's state, what it was asked, and what was wrong with that."""

    def __init__(self) -> None:
        self.address = ""
        self.artifacts: dict[str, Artifact] = {}
        self.users = {token_for("alice|1", "Alice@example.com"): "alice|1", token_for("bob|1", None): "bob|1"}
        self.requests: list[str] = []
        self.violations: list[str] = []
        self.faults: Callable[[int, str], Fault | None] = lambda number, what: None
        self.lock = threading.Lock()
        self._names = iter(f"affable-{animal}" for animal in ("shark", "otter", "heron", "lynx", "mole", "newt"))
        self.collection = {
            "permissions": {"@": "r+", "*": "r", "reviewer|1": "rw", "admin|1": "*", "reader|1": "r"},
            "id_parts": {"animal": ["shark", "otter"], "animal_emoji": ["🦈", "🦦"]},
        }

    def publish(self, artifact: str) -> None:
        """Do what a reviewer does."""
        one = self.artifacts[artifact]
        assert one.staged is not None
        one.manifest, one.staged = {**one.staged, "status": "published"}, None
        one.versions.append(one.files)
        one.files = {}

    # The verbs.

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        """Return a status and JSON."""
        if method == "PUT":
            return self._put(path, headers, body)
        user = self.users.get(headers.get("authorization", "").removeprefix("Bearer "))
        if user is None:
            return 401, {"detail": "Error decoding token headers."}
        place, _, verb = path.rpartition("/")
        if place != "/public/services/artifact-manager" or verb not in _VERBS:
            self.violations.append(f"{method} {path}")
            return 404, {"success": False, "detail": "no such service"}
        keywords = json.loads(body, parse_constant=lambda text: self.violations.append(text))
        unknown = keywords.keys() - _VERBS[verb]
        if unknown or headers.get("content-type") != "application/json":
            self.violations.append(f"{verb}: {sorted(unknown)}")
            return 400, {"success": False, "detail": f"unknown keywords {sorted(unknown)}"}
        try:
            return 200, getattr(self, f"_{verb}")(user, **keywords)
        except KeyError as error:
            return 404, _remote("KeyError", f"Artifact with ID {error} does not exist.")
        except PermissionError as error:
            return 403, _remote("PermissionError", str(error))
        except AssertionError as error:
            return 400, _remote("AssertionError", str(error))

    def _find(self, user: str, artifact: str) -> Artifact:
        one = self.artifacts[artifact]
        if user != one.owner and one.config["permissions"].get(user) not in ("rw+", "*"):
            raise PermissionError(f"User does not have permission on {artifact}.")
        return one

    def _shown(self, one: Artifact, *, staged: bool) -> dict[str, Any]:
        draft = staged and one.staged is not None
        staging = [*({"path": name} for name in one.files), {"_intent": one.intent}] if draft else None
        return {
            "id": one.id,
            "manifest": one.staged if draft else one.manifest,
            "staging": staging,
            "versions": [{"version": f"v{number}"} for number in range(len(one.versions))],
            "created_by": one.owner,
            "config": one.config,
        }

    def _read(self, user: str, artifact_id: str, stage: bool = False) -> dict[str, Any]:
        if artifact_id == COLLECTION:
            return {"id": COLLECTION, "manifest": {"name": "zoo"}, "config": self.collection}
        return self._shown(self.artifacts[artifact_id], staged=stage)

    def _list(
        self,
        user: str,
        parent_id: str,
        limit: int = 100,
        offset: int = 0,
        silent: bool = False,
        stage: bool = False,
        filters: dict[str, Any] | None = None,
        keywords: list[str] | None = None,
    ) -> list[dict[str, Any]]:
        if not silent or parent_id != COLLECTION:
            self.violations.append("list counts a view, or lists something else")
        found = [one for one in self.artifacts.values() if (one.staged is not None if stage else one.versions)]
        if filters:
            found = [one for one in found if one.owner == filters["created_by"]]
        if keywords:
            found = [one for one in found if all(word in json.dumps(one.manifest).lower() for word in keywords)]
        return [{**self._shown(one, staged=False)} for one in found][offset : offset + limit]

    def _create(
        self,
        user: str,
        parent_id: str,
        alias: str,
        type: str,
        manifest: dict[str, Any],
        config: dict[str, Any],
        stage: bool,
        overwrite: bool,
    ) -> dict[str, Any]:
        rights = config["permissions"]
        wrong = {
            "overwrites": overwrite,
            "publishes by itself": not stage,
            "has another parent": parent_id != COLLECTION,
            "has no free name": alias != "{animal_adjective}-{animal}",
            "is no model": type != "model",
            "is no draft": manifest.get("status") != "draft",
            "gives rights to everybody": bool({"@", "*"} & rights.keys()) or set(rights.values()) - {"rw+"},
            "asks for a DOI": "publish_to" in config,
        }
        self.violations += [f"create {what}" for what, is_so in wrong.items() if is_so]
        one = Artifact(f"bioimage-io/{next(self._names)}", user, manifest, {"permissions": {**rights, user: "*"}})
        one.staged = dict(manifest)
        self.artifacts[one.id] = one
        return self._shown(one, staged=True)

    def _edit(
        self,
        user: str,
        artifact_id: str,
        manifest: dict[str, Any],
        stage: bool = False,
        version: str | None = None,
        type: str = "model",
    ) -> dict[str, Any]:
        one = self._find(user, artifact_id)
        if not stage or version not in (None, "new"):
            self.violations.append("edit publishes by itself")
        before = self._shown(one, staged=True)
        if one.staged is None:
            one.files, one.intent = {}, "new_version" if version == "new" else "edit_version"
        if manifest.get("status") == "in-review":
            self._check_review(one, manifest)
        one.staged = manifest
        return before

    def _check_review(self, one: Artifact, manifest: dict[str, Any]) -> None:
        there = {name: hashlib.sha256(content).hexdigest() for name, content in one.files.items()}
        there.pop("comments.json", None)
        if there != manifest.get("file_sha256"):
            self.violations.append("half an upload goes into review")
        for name in ("rdf.yaml", "bioimageio.yaml"):
            described = yaml.load(one.files.get(name, b"{}"), Loader=_LOADER)
            shared = {key: value for key, value in manifest.items() if key not in ("status", "file_sha256")}
            if described != shared or described.get("id") != one.id.partition("/")[2]:
                self.violations.append(f"{name} is not what the manifest says")

    def _put_file(self, user: str, artifact_id: str, file_path: str, download_weight: float = 0) -> str:
        one = self._find(user, artifact_id)
        assert one.staged is not None, "Artifact must be in staging mode."
        paths = PurePosixPath("/in") / file_path, PureWindowsPath("C:/in") / file_path
        if ".." in paths[1].parts or not paths[0].is_relative_to("/in") or not paths[1].is_relative_to("C:/in"):
            self.violations.append(f"put_file {file_path!r}")
        if file_path == "comments.json" or file_path in one.files:
            self.violations.append(f"put_file replaces {file_path}")
        if (download_weight > 0) != file_path.endswith((".pt", ".onnx")):
            self.violations.append(f"download_weight of {file_path}")
        signed = hashlib.sha256(f"{artifact_id}/{file_path}".encode()).hexdigest()
        return f"{self.address}/storage/{artifact_id}/{file_path.replace(' ', '%20')}?Signature={signed}"

    def _put(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        parts = urlsplit(path)
        name = unquote(parts.path).removeprefix("/storage/")
        if f"Signature={hashlib.sha256(name.encode()).hexdigest()}" != parts.query:
            return 403, "<Error><Code>SignatureDoesNotMatch</Code></Error>"
        # S3 signs the type, refuses two ways of proving who one is, and takes no chunks.
        if headers.get("content-type") or "authorization" in headers or "content-length" not in headers:
            self.violations.append(f"PUT with {sorted(headers)}")
            return 400, "<Error><Code>InvalidArgument</Code></Error>"
        workspace, alias, file = name.split("/", 2)
        self.artifacts[f"{workspace}/{alias}"].files[file] = body
        return 200, None

    def _list_files(
        self, user: str, artifact_id: str, stage: bool = False, limit: int = 1000, dir_path: str = ""
    ) -> list[dict[str, Any]]:
        start = f"{dir_path}/" if dir_path else ""
        rows: dict[str, dict[str, Any]] = {}
        for name, content in self._find(user, artifact_id).files.items():
            if name.startswith(start):
                first, _, rest = name.removeprefix(start).partition("/")
                rows[first] = (
                    {"name": first, "type": "directory"}
                    if rest
                    else {
                        "name": first,
                        "type": "file",
                        "size": len(content),
                    }
                )
        return list(rows.values())[:limit]

    def _remove_file(self, user: str, artifact_id: str, file_path: str) -> None:
        if file_path == "comments.json":
            self.violations.append("the reviewers' remarks are removed")
        self._find(user, artifact_id).files.pop(file_path, None)

    def _discard(self, user: str, artifact_id: str) -> dict[str, Any]:
        one = self._find(user, artifact_id)
        assert one.staged is not None, "No staged changes to discard. Artifact is not in staging mode."
        if not one.versions:
            self.violations.append("discard leaves an orphan")
        one.staged, one.files = None, {}
        return self._shown(one, staged=False)

    def _delete(self, user: str, artifact_id: str, delete_files: bool = False, recursive: bool = False) -> None:
        one = self._find(user, artifact_id)
        if one.versions or not (delete_files and recursive):
            self.violations.append("delete removes what is published, or leaves files")
        del self.artifacts[artifact_id]


def _remote(kind: str, words: str) -> dict[str, Any]:
    return {"success": False, "detail": f"RemoteException: {kind}: {words}"}


@contextmanager
def serve(zoo: Any) -> Iterator[str]:
    """Serve something with ``answer``, ``faults`` and ``requests`` on a port of this machine, and yield its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            with zoo.lock:
                what = f"{self.command} {urlsplit(self.path).path}"
                zoo.requests.append(what)
                fault = zoo.faults(len(zoo.requests) - 1, what)
            if fault is not None and fault.answer == BREAK:
                self.rfile.read(length // 2)
                self._hang_up()
                return
            body = self.rfile.read(length)
            if len(body) < length:  # S3 takes no part of a file for the whole
                self._hang_up()
                return
            status, document = 0, None
            if fault is None or fault.answer == SILENCE:
                headers = {name.lower(): value for name, value in self.headers.items()}
                with zoo.lock:
                    status, document = zoo.answer(self.command, self.path, headers, body)
            if fault is not None and fault.answer == SILENCE:
                self._hang_up()
                return
            content = b"" if document is None else json.dumps(document).encode()
            more: dict[str, str] = {}
            if fault is not None:
                status, content, more = int(fault.answer), fault.body, fault.headers
            self.send_response(status)
            for name, value in more.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _hang_up(self) -> None:
            self.close_connection = True
            self.connection.close()

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_one  # noqa: N815

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    zoo.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield zoo.address
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
