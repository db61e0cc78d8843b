"""Names of files as servers get them. The zoo's server takes any, those that lead out of a folder among them."""

from __future__ import annotations

import re
import unicodedata

from ..errors import PublishError
from ..plain_text import controls, plain

__all__ = ["RESERVED", "check_file_name"]

RESERVED = frozenset({"bioimageio.yaml", "comments.json"})
"""The zoo writes the first from the description, and keeps its reviewers' remarks in the second."""

_MOST_BYTES = 900
"""Of a name. S3 takes 1,024, and the server puts some before it."""

_LONGEST_PART = 255
_DRIVE = re.compile(r"[A-Za-z]:")
_REFUSED = set('\\:*?"<>|#%')
"""What Windows or addresses give a meaning to."""


def check_file_name(name: str) -> None:
    """Refuse what is no plain relative name with forward slashes, on every system.

    Raises:
        PublishError: it is absolute, leads elsewhere, is reserved, too long, or has characters that mean something.
    """
    reason = _fault(name)
    if reason:
        raise PublishError(
            f"The package names a file {plain(name, 120)!r}, which {reason}.",
            hint="Export the model again, or rename the file and correct rdf.yaml.",
        )


def _fault(name: str) -> str:
    parts = name.split("/")
    if name.startswith("/") or _DRIVE.match(name):
        return "is an absolute path"
    if any(part in ("", ".", "..") for part in parts):
        return "leads out of the package, or has an empty part"
    if controls(name) or not name.isprintable() or _REFUSED.intersection(name):
        return "has characters that not every system can store"
    if any(part != part.strip() or part.endswith(".") for part in parts):
        return "has a part that begins or ends with a space, or ends with a dot"
    if unicodedata.normalize("NFC", name) != name:
        return "is written in decomposed characters, which servers and systems spell in two ways"
    if len(name.encode()) > _MOST_BYTES or any(len(part.encode()) > _LONGEST_PART for part in parts):
        return "is too long"
    if parts[-1].casefold() in RESERVED:
        return "the model zoo keeps for itself"
    return ""
