"""What a server's answer, or its silence, means: an error in words, with the next step."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import PublishError

__all__ = ["NoAnswerError", "RefusedError", "Service", "refusal"]


@dataclass(frozen=True)
class Service:
    """A server that takes what is published.

    Attributes:
        name: for messages, as in "the model zoo".
        server: its address, without a slash at the end.
        variable: of the environment, which holds the token.
        token_from: how one gets a token.
    """

    name: str
    server: str
    variable: str
    token_from: str


class RefusedError(PublishError):
    """A server refuses a request.

    Args:
        status: HTTP's.
        detail: what the server says.
    """

    def __init__(self, message: str, *, hint: str, status: int, detail: str) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.detail = detail


class NoAnswerError(PublishError):
    """A server does not answer, or the connection breaks off: what was asked for may have been done or not.

    Args:
        pending: whether the server may be at work on it still; else it has ended, in one way or the other.
    """

    def __init__(self, message: str, *, hint: str, pending: bool) -> None:
        super().__init__(message, hint=hint)
        self.pending = pending


_AGAIN = "Run the same command again: it goes on where it broke off."


def refusal(status: int, detail: str, what: str, service: Service) -> RefusedError:
    """Return the error for an answer that is none of success.

    Args:
        status: HTTP's.
        detail: what the server says, as one plain line; may be empty.
        what: was asked for, as a part of a sentence, as in "creating the draft".
        service: that was asked.
    """
    taken = status == 409 or (status == 422 and "already_exists" in detail) or "FileExistsError" in detail
    if taken:
        fact, hint = "the name is taken", "Choose another name, or publish a new version of what is there."
    elif status == 401:
        fact = "the token is not valid, or has expired"
        hint = f"Put a new token into {service.variable}: {service.token_from}."
    elif status == 403:
        fact = "the token's owner may not do that"
        hint = f"Check who owns the token in {service.variable} and what it is allowed; {service.token_from}."
    elif status == 404:
        fact, hint = "there is nothing of that name", "Check the name, and that the token's owner may see it."
    elif status == 413:
        fact, hint = (
            "it is too large for the server",
            "Leave out files that are not needed, or ask the server's owners.",
        )
    elif status == 429:
        fact, hint = "it asks for fewer requests", "Wait for some minutes. " + _AGAIN
    elif 300 <= status < 400:
        fact, hint = "it points to another address, where the token is not sent", "Check the server's address."
    elif status >= 500:
        fact, hint = "it failed", _AGAIN + " If it fails again, the server's owners must see to it."
    else:
        fact, hint = "the request does not fit what it expects", "The server may have changed: look for a new version."
    said = f" It says: {detail}" if detail else ""
    message = f"{service.name[0].upper()}{service.name[1:]} refused {what} ({status}): {fact}.{said}"
    return RefusedError(message, hint=hint, status=status, detail=detail)
