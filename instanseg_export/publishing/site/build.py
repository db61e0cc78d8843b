"""Builds the site: an index with a card for each model, a page for each, its archive and its files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from ...errors import PublishError
from ...files import files_in
from ...packaging.rdf_file import RDF_FILE
from ...plain_text import plain
from ..package import PublishedPackage
from ..release_files import CHECKSUMS, file_at, qupath_entry, safe_name, write_archive, write_checksums, write_index
from .model import SiteModel
from .pages import render_index, render_model, style

__all__ = ["BROWSER_FOLDER", "BrowserPage", "add_model", "finish_site"]

BROWSER_FOLDER = "browser"
_PAGE = "index.html"

BrowserPage = Callable[[Path, Path], object]
"""Takes the folder of a package and one to make, and writes a page into it that runs the model in the browser."""


def add_model(site: Path, package: PublishedPackage, scratch: Path, browser_page: BrowserPage | None) -> SiteModel:
    """Write a model's folder and its page.

    Args:
        site: folder of the site in the making.
        package: to show.
        scratch: a folder for copies.
        browser_page: writes the page that runs the model; None where there is none.

    Raises:
        PublishError: the site has this version of the model already, or a file of it is in the place of a page.
    """
    place = f"models/{safe_name(package.name)}/{safe_name(package.version)}"
    folder = site / place
    if folder.exists():
        raise PublishError(
            f"{plain(package.name, 100)} {plain(package.version, 40)} is given twice.",
            hint="Give each version of a model once; names that differ by their special characters only are the same.",
        )
    folder.mkdir(parents=True)
    description = file_at(package.folder / RDF_FILE)
    files = sorted((*package.files, description), key=lambda file: (not file.weights, file.name))
    for file in files:
        if file.name.partition("/")[0] in (_PAGE, CHECKSUMS, BROWSER_FOLDER):
            raise PublishError(f"The package has a file {file.name}, where the site has its own.", hint="Rename it.")
        target = folder / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file.path, target)
    archive = write_archive(package, folder, scratch)
    write_checksums(folder, [archive, *files])
    browser = ""
    if browser_page is not None:
        browser_page(package.folder, folder / BROWSER_FOLDER)
        browser = _start_of(folder / BROWSER_FOLDER)
    model = SiteModel(place, package, archive, tuple(files), package.source_of("covers"), browser)
    readme = package.source_of("documentation")
    text = readme.path.read_text(encoding="utf-8", errors="replace") if readme is not None else ""
    root = "../" * (place.count("/") + 1)
    (folder / _PAGE).write_text(render_model(model, text, root), encoding="utf-8", newline="\n")
    return model


def _start_of(folder: Path) -> str:
    """Return where a browser page begins; it may have been written without one."""
    pages = [file for file in files_in(folder) if file.name == _PAGE] if folder.is_dir() else []
    first = min(pages, key=lambda page: len(page.parts), default=None)
    return "" if first is None else first.relative_to(folder.parent).as_posix()


def finish_site(site: Path, models: Sequence[SiteModel], *, title: str, url: str | None) -> None:
    """Write what belongs to all models: the index, for people and for programs.

    Args:
        site: folder of the site in the making.
        models: that are on it.
        title: of the index.
        url: where the site will be; with it, the list that QuPath's extension reads is written, too.
    """
    if url is not None:
        write_index(site, [qupath_entry(one.package, f"{url}/{one.place}/{one.archive.name}") for one in models])
    rows = [
        {
            "name": one.name,
            "version": one.version,
            "license": one.license,
            "description": one.description,
            "page": f"{one.place}/{_PAGE}",
            "archive": f"{one.place}/{one.archive.name}",
            "size": one.archive.size,
            "sha256": one.archive.sha256,
            **({"browser": f"{one.place}/{one.browser}"} if one.browser else {}),
        }
        for one in models
    ]
    document = {"format": 1, "title": title, "models": rows}
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    (site / "index.json").write_text(text, encoding="utf-8", newline="\n")
    (site / "style.css").write_text(style(), encoding="utf-8", newline="\n")
    (site / _PAGE).write_text(render_index(models, title, qupath=url is not None), encoding="utf-8", newline="\n")
