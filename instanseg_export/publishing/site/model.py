"""A model as the pages of a site show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..package import PackageFile, PublishedPackage

__all__ = ["SiteModel"]


@dataclass(frozen=True)
class SiteModel:
    """A model on the site, as the pages show it.

    Attributes:
        place: its folder on the site, with forward slashes.
        package: that is shown.
        archive: what people download.
        files: of the package, those with weights first.
        cover: a picture of it, if it has one.
        browser: address of the page that runs it, within its folder; empty where there is none.
    """

    place: str
    package: PublishedPackage
    archive: PackageFile
    files: tuple[PackageFile, ...]
    cover: PackageFile | None
    browser: str = ""

    @property
    def name(self) -> str:
        return self.package.name

    @property
    def version(self) -> str:
        return self.package.version

    @property
    def license(self) -> str:
        return self.package.license

    @property
    def description(self) -> str:
        return str(self.package.content["description"])

    @property
    def tags(self) -> list[str]:
        return [tag for tag in self.package.content.get("tags") or () if isinstance(tag, str)]

    @property
    def authors(self) -> list[Any]:
        return [one for one in self.package.content.get("authors") or () if isinstance(one, dict)]

    @property
    def cite(self) -> list[Any]:
        return [one for one in self.package.content.get("cite") or () if isinstance(one, dict)]
