"""The zoo's server: a Hypha artifact manager, called by plain HTTP, one method here for each verb of it that is needed.

Never ``commit``: a model goes public when a reviewer decides so. Never ``overwrite``: it would replace the draft of
somebody else that has the same name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from ...errors import PublishError
from ...limits import MAX_ZIP_MEMBERS
from ...plain_text import plain
from ..answers import RefusedError
from ..client import Client
from ..names import check_file_name
from ..package import PackageFile

__all__ = ["COLLECTION", "ArtifactManager", "full_id"]

COLLECTION = "bioimage-io/bioimage.io"
_WORKSPACE = COLLECTION.partition("/")[0]
_ALIAS = "{animal_adjective}-{animal}"
"""The server puts a free pair of words in its place."""

_PAGE = 500
_MOST_PAGES = 40
_ID = re.compile(r"[a-z0-9][a-z0-9_.-]{1,127}", re.IGNORECASE)
_DEEPEST = 16


def full_id(name: str) -> str:
    """Return the id of a model in the zoo, which people also write without its first part.

    Raises:
        PublishError: it is no such id.
    """
    alias = name.removeprefix(f"{_WORKSPACE}/")
    if not _ID.fullmatch(alias):
        raise PublishError(
            f"{plain(name, 100)!r} is no id of a model in the zoo.", hint="It looks like affable-shark: see its page."
        )
    return f"{_WORKSPACE}/{alias}"


class ArtifactManager:
    """The verbs of the server."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._base = f"{client.service.server}/public/services/artifact-manager"

    def _call(self, verb: str, what: str, keywords: Mapping[str, Any], *, repeatable: bool = True) -> Any:
        return self._client.ask(what, "POST", f"{self._base}/{verb}", body=keywords, repeatable=repeatable)

    def read(self, artifact: str, *, stage: bool = False) -> dict[str, Any]:
        """Return an artifact as it is published, or as it waits for that.

        Raises:
            RefusedError: there is none (404), or it is not to be seen (403).
        """
        keywords: dict[str, Any] = {"artifact_id": artifact}
        if stage:
            keywords["stage"] = True
        return _artifact(self._call("read", f"reading {artifact}", keywords))

    def models(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """Yield the models of the collection; by default those that are published, with ``stage=True`` the drafts."""
        for page in range(_MOST_PAGES):
            keywords = {
                "parent_id": COLLECTION,
                "limit": _PAGE,
                "offset": page * _PAGE,
                "silent": True,  # else the collection's views are counted
                **filters,
            }
            found = self._call("list", "looking for models of yours", keywords)
            if not isinstance(found, list):
                raise _strange("its list of models")
            yield from (one for one in found if isinstance(one, dict))
            if len(found) < _PAGE:
                return

    def create(self, manifest: Mapping[str, Any], permissions: Mapping[str, str]) -> dict[str, Any]:
        """Create a draft and return it.

        Raises:
            NoAnswerError: the server may have created it or not.
        """
        keywords = {
            "parent_id": COLLECTION,
            "type": "model",
            "alias": _ALIAS,
            "manifest": manifest,
            "config": {"permissions": permissions},
            "stage": True,
            "overwrite": False,
        }
        return _artifact(self._call("create", "creating the draft", keywords, repeatable=False))

    def edit(self, artifact: str, manifest: Mapping[str, Any], *, new_version: bool = False) -> None:
        """Replace the manifest of a draft; with ``new_version``, begin the draft of one."""
        keywords: dict[str, Any] = {"artifact_id": artifact, "manifest": manifest, "stage": True}
        if new_version:
            keywords |= {"type": "model", "version": "new"}
        self._call("edit", f"writing the description of {artifact}", keywords)

    def upload(self, artifact: str, file: PackageFile) -> None:
        """Put a file into a draft, whole or not at all."""
        check_file_name_in_zoo(file.name)
        keywords: dict[str, Any] = {"artifact_id": artifact, "file_path": file.name}
        if file.weights:
            keywords["download_weight"] = 1  # by which the zoo counts downloads
        what = f"uploading {file.name}"
        url = self._call("put_file", what, keywords)
        if not isinstance(url, str):
            raise _strange("the address to upload to")
        # The address is signed for an empty type: any other, and S3 refuses it.
        self._client.send_file(what, "PUT", url, file, headers={"Content-Type": ""}, authorised=False)

    def files(self, artifact: str) -> dict[str, int]:
        """Return the sizes in bytes of the files that are in a draft, by their names."""
        found: dict[str, int] = {}
        folders = [PurePosixPath()]
        while folders:
            folder = folders.pop()
            keywords: dict[str, Any] = {"artifact_id": artifact, "stage": True, "limit": MAX_ZIP_MEMBERS}
            if folder.parts:
                keywords["dir_path"] = str(folder)
            rows = self._call("list_files", f"listing the files of {artifact}", keywords)
            if not isinstance(rows, list) or len(folder.parts) > _DEEPEST or len(found) > MAX_ZIP_MEMBERS:
                raise _strange("its list of files")
            for row in rows:
                if not isinstance(row, dict) or not isinstance(row.get("name"), str):
                    raise _strange("its list of files")
                path = folder / row["name"].strip("/")
                if row.get("type") == "directory":
                    folders.append(path)
                elif isinstance(row.get("size"), int):
                    found[str(path)] = row["size"]
        return found

    def remove_file(self, artifact: str, name: str) -> None:
        """Take a file out of a draft."""
        keywords = {"artifact_id": artifact, "file_path": name}
        self._call("remove_file", f"removing {plain(name, 100)}", keywords)

    def discard(self, artifact: str) -> None:
        """Give up what is staged of a model that is published, which stays as it is."""
        try:
            self._call("discard", f"discarding the draft of {artifact}", {"artifact_id": artifact})
        except RefusedError as error:
            if error.status != 400 or "No staged changes" not in error.detail:
                raise  # else an earlier try arrived, though its answer did not

    def delete(self, artifact: str) -> None:
        """Delete a draft of what was never published, with its files: ``discard`` would leave an empty entry."""
        keywords = {"artifact_id": artifact, "delete_files": True, "recursive": True}
        try:
            self._call("delete", f"deleting the draft {artifact}", keywords)
        except RefusedError as error:
            if error.status != 404:  # an earlier try arrived, though its answer did not
                raise


def check_file_name_in_zoo(name: str) -> None:
    """Refuse a name that is none; the zoo's own description is the one reserved name that is ours to write."""
    if name != "bioimageio.yaml":
        check_file_name(name)


def _artifact(answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict) or not isinstance(answer.get("id"), str):
        raise _strange("what it says of a model")
    return answer


def _strange(what: str) -> PublishError:
    return PublishError(
        f"The model zoo's server does not give {what}.", hint="Look whether there is a new version of instanseg-export."
    )
