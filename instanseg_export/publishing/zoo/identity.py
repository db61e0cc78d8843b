"""Who a token belongs to, as far as it says so itself: that is how one's own models are told from those of others."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import InstansegExportError, PublishError
from ...untrusted.json_texts import load_json_text

__all__ = ["Identity", "identity_of"]


@dataclass(frozen=True)
class Identity:
    """The owner of a token.

    Attributes:
        ids: of the user; a token that was made from another has its own, and that of its parent.
        email: in lower case; empty where the token does not say it.
    """

    ids: frozenset[str] = frozenset()
    email: str = ""

    def owns(self, artifact: Mapping[str, Any]) -> bool:
        """Tell whether an artifact was created, or uploaded, by this user."""
        manifest = artifact.get("manifest")
        uploader = manifest.get("uploader") if isinstance(manifest, dict) else None
        address = uploader.get("email") if isinstance(uploader, dict) else None
        by_email = bool(self.email) and isinstance(address, str) and address.lower() == self.email
        return artifact.get("created_by") in self.ids or by_email


def identity_of(token: str) -> Identity:
    """Return what a token says of its owner. Its signature is the server's to check: nothing is allowed because of it.

    Raises:
        PublishError: it has expired.
    """
    claims = _claims(token)
    expires = claims.get("exp")
    if isinstance(expires, int | float) and expires < time.time():
        raise PublishError(
            "The token in HYPHA_TOKEN has expired.", hint="Get a new one at https://bioimage.io/#/api, and set it."
        )
    named = (claims.get("sub"), claims.get("parent"), *_own(claims, "parent"))
    email = next((one for one in (*_own(claims, "email"), claims.get("email")) if isinstance(one, str) and one), "")
    return Identity(frozenset(one for one in named if isinstance(one, str) and one), email.lower())


def _own(claims: Mapping[str, Any], name: str) -> list[Any]:
    """Return the values of one of the server's own claims, under whichever address it keeps them."""
    return [value for key, value in claims.items() if "://" in key and key.endswith(f"/{name}")]


def _claims(token: str) -> Mapping[str, Any]:
    """Return the claims of a JSON Web Token (RFC 7519); none of a token of another kind."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        text = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        claims = load_json_text(text, Path("the token"), "it", PublishError)
    except (binascii.Error, ValueError, InstansegExportError):
        return {}
    return claims if isinstance(claims, dict) else {}
