"""The card of a model: who made it, from what, under which licence, and how it is to be cited."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from ..limits import MAX_CARD_ENTRIES, MAX_NAME
from ..plain_text import controls
from ..registry import closest

__all__ = ["UNKNOWN_AUTHOR", "UNSTATED_LICENSE", "Author", "Card", "Citation", "Dataset", "Maintainer"]

UNKNOWN_AUTHOR = "unknown author"
UNSTATED_LICENSE = "CC-BY-NC-ND-4.0"
"""Clients require a licence. Where nobody stated one, this grants the least of the common ones."""

_NAME = re.compile(r"[A-Za-z0-9_+\-() ]{5,128}")
_DOI = re.compile(r"10\.[0-9]{4,9}/\S+")
_VERSION = re.compile(r"\d+\.\d+\.\d+([-.+][0-9A-Za-z.+-]+)?")
_GITHUB_USER = re.compile(r"[A-Za-z0-9](-?[A-Za-z0-9]){0,38}")
_ORCID = re.compile(r"\d{4}-\d{4}-\d{4}-\d{3}[\dX]")


def _name(value: str) -> str:
    if not _NAME.fullmatch(value) or value != value.strip():
        raise ValueError("must have 5 to 128 characters out of letters, digits, spaces and _ + - ( )")
    return value


def _person(value: str) -> str:
    if not value.strip() or "/" in value or "\\" in value:
        raise ValueError("must be a name without slashes")
    return value


def _license(value: str) -> str:
    from bioimageio.spec.generic.v0_3 import LicenseId

    known = get_args(LicenseId.root_model.model_fields["root"].annotation)
    if value not in known:
        guess = closest(value, known)
        raise ValueError(
            f"{value!r} is no SPDX licence identifier{f', did you mean {guess!r}?' if guess else ''} "
            "(as in Apache-2.0, CC-BY-4.0, CC0-1.0; the list is at https://spdx.org/licenses)"
        )
    return value


def _doi(value: str) -> str:
    bare = re.sub(r"^(https?://(dx\.)?doi\.org/|doi:\s*)", "", value.strip(), flags=re.IGNORECASE)
    if not _DOI.fullmatch(bare):
        raise ValueError(f"{value!r} is no DOI, which looks like 10.48550/arXiv.2408.15954")
    return bare


def _orcid(value: str) -> str:
    """Check the form and the check digit (ISO 7064, MOD 11-2)."""
    bare = re.sub(r"^https?://orcid\.org/", "", value.strip())
    remainder = 0
    if _ORCID.fullmatch(bare):
        for digit in bare.replace("-", ""):
            remainder = (2 * remainder + (10 if digit == "X" else int(digit))) % 11
    if remainder != 1:
        raise ValueError(f"{value!r} is no ORCID iD (four groups of four digits, the last one is a check digit)")
    return bare


def _matching(pattern: re.Pattern[str], expected: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(f"must be {expected}, not {value!r}")
        return value

    return check


_GithubUser = Annotated[str, AfterValidator(_matching(_GITHUB_USER, "the name of a GitHub user"))]
_Url = Annotated[str, AfterValidator(_matching(re.compile(r"https?://\S+"), "an address that starts with https://"))]
_Email = Annotated[str, AfterValidator(_matching(re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+"), "an e-mail address"))]


_LONG = frozenset({"description", "documentation", "note", "text"})
"""Fields that may have several lines."""


class _Part(BaseModel):
    """Fields without unknown ones, with finite numbers and with text that does nothing to a terminal or a page."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _harmless(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, (list, tuple)) and len(value) > MAX_CARD_ENTRIES:
            raise ValueError(f"has {len(value):,} entries; at most are {MAX_CARD_ENTRIES:,}")
        for text in value if isinstance(value, (list, tuple)) else (value,):
            if isinstance(text, str):
                _check_text(text, info.field_name in _LONG)
        return value


def _check_text(text: str, long: bool) -> None:
    """Refuse what is too long or has control characters, before patterns are compared with it."""
    if not long and len(text) > MAX_NAME:
        raise ValueError(f"has {len(text):,} characters; at most are {MAX_NAME:,}")
    if found := controls(text, allow="\n\t" if long else ""):
        written = ", ".join(char.encode("unicode_escape").decode() for char in found[:5])
        raise ValueError(f"has control characters ({written})")


class Author(_Part):
    """Someone who made the model."""

    name: Annotated[str, AfterValidator(_person)]
    affiliation: str | None = None
    orcid: Annotated[str, AfterValidator(_orcid)] | None = None
    github_user: _GithubUser | None = None
    email: _Email | None = None


class Maintainer(_Part):
    """Someone who answers questions about the model, on GitHub."""

    github_user: _GithubUser
    name: Annotated[str, AfterValidator(_person)] | None = None


class Citation(_Part):
    """What to cite when the model is used; needs a DOI or an address."""

    text: str = Field(min_length=1)
    doi: Annotated[str, AfterValidator(_doi)] | None = None
    url: _Url | None = None

    @model_validator(mode="after")
    def _can_be_found(self) -> Citation:
        if self.doi is None and self.url is None:
            raise ValueError("needs a doi or a url")
        return self


class Dataset(_Part):
    """Images that the model was trained on."""

    name: str = Field(min_length=1)
    url: _Url | None = None
    license: str | None = None
    note: str = ""


class Card(_Part):
    """What people need to know of a model before they use it.

    Attributes:
        name: of the model; 5 to 128 letters, digits, spaces or _ + - ( ).
        description: one or two sentences, at most 512 characters.
        authors: who made it, at least one.
        license: of the weights, an SPDX identifier.
        cite: what to cite.
        tags: search terms beside those that follow from the model itself; imaging modalities of the zoo are
            fluorescence-light-microscopy, transmission-light-microscopy, whole-slide-imaging, other.
        version: of this model, major.minor.patch.
        pixel_size: of images as the model wants them, in micrometres; None takes the checkpoint's.
        channel_names: of the input, one per channel; None where a model takes any number.
        training_data: what it was trained on.
        git_repo: address of the repository in which the model is developed.
        maintainers: who answers questions; the zoo asks for one with a GitHub name.
        samples: images that show what the model is for; relative to the card's folder.
        documentation: more text for the model's README, in Markdown.
    """

    name: Annotated[str, AfterValidator(_name)]
    description: str = Field(min_length=1, max_length=512)
    authors: tuple[Author, ...] = Field(min_length=1)
    license: Annotated[str, AfterValidator(_license)]
    cite: tuple[Citation, ...] = ()
    tags: tuple[str, ...] = ()
    version: Annotated[str, AfterValidator(_matching(_VERSION, "a version such as 0.1.0"))] = "0.1.0"
    pixel_size: float | None = Field(default=None, gt=0, le=1000)
    channel_names: tuple[str, ...] | None = Field(default=None, min_length=1)
    training_data: tuple[Dataset, ...] = ()
    git_repo: _Url | None = None
    maintainers: tuple[Maintainer, ...] = ()
    samples: tuple[Path, ...] = ()
    documentation: str = ""
