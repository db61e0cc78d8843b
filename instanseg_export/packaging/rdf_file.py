"""A resource description (RDF) as a file: written as YAML, and checked by the zoo's own reader."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from ..errors import PackageError

__all__ = ["QUPATH_FILE", "RDF_FILE", "check_rdf", "quiet_reader", "rdf_text", "without_lookups", "write_rdf"]

RDF_FILE = "rdf.yaml"
QUPATH_FILE = "model.yml"

_NO_LOOKUP_URL = "https://example.com"
_NO_LOOKUP_USER = "bioimageiobot"
"""An address and a GitHub user that bioimageio.spec takes without asking."""


class _Dumper(yaml.SafeDumper):
    """YAML that readers of every version of YAML understand alike.

    There are no anchors, and texts that begin as a number does are quoted: 12e45 is a number in Java, and a text here.
    """

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        style = "'" if data[:1] and data[0] in "+-.0123456789" else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _Dumper.represent_str)


@contextmanager
def quiet_reader() -> Iterator[None]:
    """Silence the remark of bioimageio.spec on each axis ``c`` that it takes for an axis ``channel``."""
    from loguru import logger

    source = "pydantic._internal"
    logger.disable(source)
    try:
        yield
    finally:
        logger.enable(source)


def rdf_text(content: Mapping[str, Any]) -> str:
    """Return a description as YAML."""
    return yaml.dump(dict(content), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def write_rdf(folder: Path, content: Mapping[str, Any], name: str = RDF_FILE) -> None:
    """Write a description and check it, with all files that it names, by the zoo's own reader.

    Args:
        folder: of the package; all files that are named are in it.
        content: of :func:`describe` or :func:`with_pixel_size`.
        name: of the file.

    Raises:
        PackageError: the reader refuses it.
    """
    (folder / name).write_text(rdf_text(content), encoding="utf-8", newline="\n")
    check_rdf(folder, content, name)


def check_rdf(folder: Path, content: Mapping[str, Any], name: str = RDF_FILE) -> None:
    """Check a description, with all files that it names, by the zoo's own reader; its arguments are as above.

    Raises:
        PackageError: the reader refuses it.
    """
    from bioimageio.spec import InvalidDescr, ValidationContext, build_description

    with ValidationContext(root=folder, perform_io_checks=True), quiet_reader():
        description = build_description(without_lookups(content))
    if isinstance(description, InvalidDescr):
        problems = "; ".join(
            ": ".join(filter(None, (".".join(map(str, error.loc)), error.msg)))
            for detail in description.validation_summary.details
            for error in detail.errors
        )
        raise PackageError(
            f"bioimageio.spec refuses the description of the model, {name}: {problems}.",
            hint="Correct the card. If this is about nothing in it, the installed packages may not fit one another: "
            "install instanseg-export into a new environment.",
        )


def without_lookups(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of an RDF's content that bioimageio.spec can check without a network.

    It would ask GitHub for each user and the web for each address; the rest of its checks stays as it is.
    """
    copy = deepcopy(dict(content))
    for entry in copy.get("cite", []):
        if "url" in entry:
            entry["url"] = _NO_LOOKUP_URL
    if "git_repo" in copy:
        copy["git_repo"] = _NO_LOOKUP_URL
    for person in [*copy.get("authors", []), *copy.get("maintainers", [])]:
        if "github_user" in person:
            person["github_user"] = _NO_LOOKUP_USER
    return copy
