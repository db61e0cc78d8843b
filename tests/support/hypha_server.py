"""A real Hypha server with an S3 emulator behind it, on this machine alone.

Runs in the virtual environment that ``support.local_zoo`` makes, not in that of the tests, and imports nothing of ours.
It prints one JSON object when the zoo's collection is there, and lives for as long as its standard input does.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

_PATIENCE = 400.0
_COLLECTION = "bioimage-io/bioimage.io"
_PERMISSIONS = {"@": "r+", "*": "r", "reviewer|1": "rw", "admin|1": "*"}
_ID_PARTS = {
    "animal": ["shark", "otter", "heron", "lynx"],
    "animal_emoji": ["🦈", "🦦", "🐦", "🐈"],
    "animal_adjective": ["affable", "brisk", "calm", "deft"],
}


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _ask(server: str, token: str, service: str, verb: str, keywords: dict[str, Any]) -> Any:
    request = urllib.request.Request(
        f"{server}/public/services/{service}/{verb}",
        data=json.dumps(keywords).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise RuntimeError(f"{verb}: {error.code}: {error.read()[:500]!r}") from error


async def _token_for(name: str) -> str:
    """Return the token of a user who has a workspace of their own and nothing else."""
    from hypha.core import UserInfo, UserPermission
    from hypha.core.auth import create_scope, generate_auth_token

    place = f"ws-user-{name}|1"
    scope = create_scope({place: UserPermission.admin}, current_workspace=place)
    user = UserInfo(
        id=f"{name}|1",
        is_anonymous=False,
        email=f"{name}@example.com",
        parent=None,
        roles=[],
        scope=scope,
        expires_at=None,
    )
    return str(await generate_auth_token(user, 36_000))


def _wait(server: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            with urllib.request.urlopen(f"{server}/health/readiness", timeout=5):
                return
        except OSError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Hypha does not start: {log.read_text()[-1500:]}") from error
        time.sleep(0.2)


def main(folder: Path) -> None:
    """Serve until standard input ends; ``folder`` is empty, and holds the database and a log."""
    os.environ["JWT_SECRET"] = secrets.token_hex(32)
    from moto.server import ThreadedMotoServer

    storage, port = _free_port(), _free_port()
    server, endpoint = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{storage}"
    # Hypha refuses tokens with words in them that people make up.
    root = "Zq" + secrets.token_hex(32).translate(str.maketrans("0123456789", "ghijkmnpqr"))
    log = folder / "hypha.log"
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=storage, verbose=False)
    moto.start()
    options = {
        "--host": "127.0.0.1",
        "--port": str(port),
        "--public-base-url": server,
        "--endpoint-url": endpoint,
        "--endpoint-url-public": endpoint,
        "--region-name": "us-east-1",
        "--access-key-id": "testing",
        "--secret-access-key": "testing",
        "--database-uri": f"sqlite+aiosqlite:///{folder / 'hypha.db'}",
        "--root-token": root,
    }
    command = [
        sys.executable,
        "-m",
        "hypha.server",
        "--enable-s3",
        *(word for pair in options.items() for word in pair),
    ]
    with log.open("wb") as stream:
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream)
    try:
        _wait(server, process, log)
        workspace = {"id": "bioimage-io", "name": "bioimage-io", "persistent": True, "owned_by": "root"}
        _ask(server, root, "ws", "create_workspace", {"config": workspace, "overwrite": True})
        collection = {
            "alias": _COLLECTION,
            "type": "collection",
            "manifest": {"name": "BioImage.IO", "description": "the model zoo"},
            "config": {"permissions": _PERMISSIONS, "id_parts": _ID_PARTS},
        }
        _ask(server, root, "artifact-manager", "create", collection)
        tokens = {name: asyncio.run(_token_for(name)) for name in ("alice", "bob")}
        sys.stdout.write(json.dumps({"server": server, "root": root, "tokens": tokens}) + "\n")
        sys.stdout.flush()
        sys.stdin.read()
    finally:
        process.terminate()
        process.wait(20)
        moto.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
