"""What is published of a package: the files that its description names, and nothing else that lies in its folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import PackageError, PublishError
from ..exported_model import open_model
from ..files import sha256_of
from ..packaging.card import UNKNOWN_AUTHOR
from ..packaging.rdf_file import RDF_FILE, check_rdf, without_lookups
from ..packaging.zoo import zoo_test
from ..plain_text import plain
from ..progress import Steps
from ..targets.trust import check_trust
from ..untrusted.boundary import regular_file
from ..untrusted.yaml_texts import load_yaml
from .names import check_file_name

__all__ = ["PackageFile", "PublishedPackage", "checked_package"]

_AGAIN = "Export the model again."
_FILES = ("documentation", "covers", "attachments")
"""Keys of a description whose texts are names of files."""

_WITH_FILES = (*_FILES, "inputs", "outputs", "weights")
"""Those, and keys that hold groups with a ``source``."""

_SHOWN = 3


@dataclass(frozen=True)
class PackageFile:
    """One file of a package.

    Attributes:
        name: within the package, with forward slashes.
        path: where it is.
        size: in bytes.
        sha256: of its bytes, in hex.
        weights: whether it holds the model itself.
    """

    name: str
    path: Path
    size: int
    sha256: str
    weights: bool = False


@dataclass(frozen=True)
class PublishedPackage:
    """A package that is fit to be published.

    Attributes:
        folder: that holds it.
        content: of its rdf.yaml.
        files: that rdf.yaml names, in the order of their names; rdf.yaml itself is not among them.
    """

    folder: Path
    content: Mapping[str, Any]
    files: tuple[PackageFile, ...]

    @property
    def name(self) -> str:
        return str(self.content["name"])

    @property
    def version(self) -> str:
        return str(self.content["version"])

    @property
    def license(self) -> str:
        return str(self.content["license"])

    def source_of(self, key: str) -> PackageFile | None:
        """Return the first file that a key of the description names; None where it names none in the package."""
        names = list(_sources(self.content, key))
        return next((file for file in self.files if names and file.name == names[0]), None)


@contextmanager
def checked_package(
    path: Path, *, trust: bool = False, test: bool = True, steps: Steps | None = None
) -> Iterator[PublishedPackage]:
    """Yield a package that passes the zoo's own checks, on this machine and without a network.

    Args:
        path: a package's folder or zip.
        trust: run files that this package did not write.
        test: run the checks; without them, nothing of the package is run.
        steps: two are counted.

    Raises:
        PackageError: there is no package, or a file is missing, damaged, or another than its description says.
        PublishError: the zoo's test fails, or the description lacks what others need to know.
        UntrustedFileError: others wrote a file that would be run, and it is not trusted.
    """
    steps = steps or Steps()
    with open_model(path) as model:
        if model.path.is_file() or not (model.path / RDF_FILE).exists():
            raise PackageError(f"{path} is no package: it has no {RDF_FILE}.", hint="Give a package's folder or zip.")
        steps.start(f"reading {path}")
        package = _read(model.path, path)
        if test:
            for file in package.files:
                if file.weights:
                    check_trust(file.path, trusted=trust, shown=path)
            steps.start(f"running the model zoo's test on {path.name}")
            _test(package, path)
        yield package


def _read(folder: Path, shown: Path) -> PublishedPackage:
    content = load_yaml(folder / RDF_FILE, "a description of a model", PackageError, hint=_AGAIN)
    if not isinstance(content, dict) or content.get("type") != "model":
        raise PackageError(f"{shown} does not describe a model.", hint=_AGAIN)
    _check_facts(content, shown)
    weights = set(_sources(content, "weights"))
    names = sorted({name for key in _WITH_FILES for name in _sources(content, key)} - {RDF_FILE})
    return PublishedPackage(folder, content, tuple(_file(folder, name, name in weights) for name in names))


def _sources(content: Mapping[str, Any], key: str) -> Iterator[str]:
    """Yield the names of the files that a key of a description names; what lies on other machines is left out."""
    value = content.get(key)
    plain_texts = [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]
    for name in [*(plain_texts if key in _FILES else ()), *_nested(value)]:
        if "://" not in name:
            yield name


def _nested(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("source"), str):
            yield value["source"]
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _nested(inner)


def _file(folder: Path, name: str, weights: bool) -> PackageFile:
    check_file_name(name)
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise PackageError(f"{path} is a link that leads out of the package.", hint="Put the file itself there.")
    size = regular_file(path, PackageError)
    return PackageFile(name, path, size, sha256_of(path), weights)


def _check_facts(content: Mapping[str, Any], shown: Path) -> None:
    """Refuse a description that lacks what others need: who made the model, and what they may do with it."""
    if not str(content.get("format_version", "")).startswith("0.5."):
        raise PublishError(f"{shown} is described in a format that is not published here.", hint=_AGAIN)
    for key in ("name", "version", "license", "description"):
        if not isinstance(content.get(key), str) or not content[key].strip():
            raise PublishError(f"{shown} states no {key}.", hint="Write it into the card, and export again.")
    authors = content.get("authors")
    names = [one.get("name") for one in authors if isinstance(one, dict)] if isinstance(authors, list) else []
    if not names or UNKNOWN_AUTHOR in names:
        raise PublishError(
            f"{shown} does not say who made the model.", hint="Write the authors into the card, and export again."
        )


def _test(package: PublishedPackage, shown: Path) -> None:
    """Run the zoo's checks of the description and of each weights entry."""
    check_rdf(package.folder, without_lookups(package.content))
    failed = [check for check in zoo_test(package.folder) if not check.passed]
    if failed:
        reasons = _first(f"{check.weights}: {reason}" for check in failed for reason in check.failures or ("it fails",))
        raise PublishError(
            f"{shown} fails the model zoo's own test: {reasons}.",
            hint="Nothing was sent. Export the model again, or see what instanseg-export validate says of it.",
        )


def _first(reasons: Iterator[str]) -> str:
    listed: Sequence[str] = [plain(reason, 300) for reason in reasons]
    more = f"; and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return "; ".join(listed[:_SHOWN]) + more
