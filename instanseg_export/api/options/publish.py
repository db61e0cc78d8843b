"""Where a package is published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from ...errors import SettingError
from .shared import AnyPath

__all__ = ["PublishKeywords", "PublishOptions"]


@dataclass(frozen=True, kw_only=True)
class PublishOptions:
    """Where a package is published, and how.

    Attributes:
        to: bioimageio (the BioImage Model Zoo), github-release, or folder (a static site of one or more models).
        dry_run: Show every request, with the token hidden, and send none. Needs no token.
        abort: Remove the draft of an upload that broke off or was not submitted, with its files.
        draft: Leave a draft in place, and neither submit it for review nor make it public.
        id: bioimageio: the model there that this is the next version of. Default: yours of the same name, if any.
        repository: github-release: where the release is made, as in OWNER/NAME.
        tag: github-release: of the release. Default: v and the model's version.
        output: Folder to write. github-release: write the files there and send nothing. folder: the site.
        url: folder: where the site will be, as in https://example.com/zoo. QuPath's list of models needs it.
        title: folder: of the site.
        server: bioimageio: another Hypha server than the zoo's, for trying things out.
        overwrite: Replace an existing output of this tool, if nothing in it was added or changed.
        trust: Test a program (.pt) that instanseg-export did not write. It can read and write your files.

    Raises:
        SettingError: two of them contradict each other.
    """

    to: str | None = None
    dry_run: bool = False
    abort: bool = False
    draft: bool = False
    id: str | None = None
    repository: str | None = None
    tag: str | None = None
    output: AnyPath | None = None
    url: str | None = None
    title: str = "Models"
    server: str | None = None
    overwrite: bool = False
    trust: bool = False

    def __post_init__(self) -> None:
        if self.abort and self.draft:
            raise SettingError("A draft cannot be both left in place and removed.", hint="Give --abort or --draft.")


class PublishKeywords(TypedDict, total=False):
    """The fields of :class:`PublishOptions` as keywords."""

    to: str | None
    dry_run: bool
    abort: bool
    draft: bool
    id: str | None
    repository: str | None
    tag: str | None
    output: AnyPath | None
    url: str | None
    title: str
    server: str | None
    overwrite: bool
    trust: bool
