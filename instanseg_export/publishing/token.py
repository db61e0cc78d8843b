"""The token of a service: from the environment and nowhere else, and never in a message."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from ..errors import PublishError
from ..plain_text import plain
from .answers import Service

__all__ = ["check_address", "check_site_address", "is_safe_address", "token_of"]

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_LONGEST = 16_384


def token_of(service: Service, *, needed: bool = True) -> str:
    """Return a service's token; where it is not needed and not there, an empty text.

    Raises:
        PublishError: there is none, or it is no token. Nothing of it is in the message.
    """
    token = os.environ.get(service.variable, "").strip()
    hint = f"Set {service.variable}: {service.token_from}. --dry-run needs none."
    if not token and not needed:
        return ""
    if not token:
        raise PublishError(f"There is no token for {service.name}: {service.variable} is not set.", hint=hint)
    if not token.isascii() or not token.isprintable() or " " in token or len(token) > _LONGEST:
        raise PublishError(f"What {service.variable} holds is no token: it has spaces or other characters.", hint=hint)
    return token


def is_safe_address(address: str) -> bool:
    """Tell whether nobody on the way can read what is sent: by https, or on this machine."""
    parts = urlsplit(address)
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    )


def check_address(address: str) -> str:
    """Return a server's address without a slash at its end.

    Raises:
        PublishError: it is no address, or one that the token would go to in plain text.
    """
    parts = None
    try:
        parts = urlsplit(address)
        bare = not (parts.username or parts.password or parts.query or parts.fragment) and parts.port != 0
        fit = bare and is_safe_address(address) and address.isascii() and address.isprintable() and " " not in address
    except ValueError:
        fit = False
    if not fit:
        plain_http = parts is not None and parts.scheme == "http"
        why = "would carry the token in plain text" if plain_http else "is no address of a server"
        raise PublishError(
            f"{plain(address, 200)} {why}.", hint="Give an address that starts with https://, without user or query."
        )
    return address.rstrip("/")


def check_site_address(address: str) -> str:
    """Return the address of a site without a slash at its end; nothing secret goes there.

    Raises:
        PublishError: it is none.
    """
    try:
        parts = urlsplit(address)
        fit = parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.query or parts.fragment)
    except ValueError:
        fit = False
    if not fit or not address.isascii() or not address.isprintable() or set(' "<>\\').intersection(address):
        raise PublishError(f"{plain(address, 200)} is no address of a site.", hint="It begins with https://.")
    return address.rstrip("/")
