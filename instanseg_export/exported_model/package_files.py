"""What lies beside the exported files of a package: its description, and the images that it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from ..errors import PackageError
from ..images.named import NamedImage
from ..limits import MAX_SAMPLES
from ..metadata import LABELS
from ..untrusted.arrays import read_npy
from ..untrusted.boundary import plain, present, regular_file
from ..untrusted.yaml_texts import load_yaml

__all__ = ["RDF_FILE", "Description", "PackageTest", "read_description", "read_samples", "read_test", "sample_pictures"]

RDF_FILE = "rdf.yaml"
_SAMPLES = "sample-*.tif"
_LONGEST_WORDS = 1000
_EPSILON = 1e-6
"""Of the zoo's scale_range."""

_AGAIN = "Export the model again, or get the package again from its publisher."


@dataclass(frozen=True)
class PackageTest:
    """An image and the label map that the package's files made of it when they were exported.

    Attributes:
        image: file name.
        labels: file name.
        low: the percentile that becomes 0 before the image is given to the model.
        high: the one that becomes 1.
    """

    image: str
    labels: str
    low: float
    high: float


class Description:
    """What a package's rdf.yaml says, as far as it concerns running the model; others may have written it.

    Args:
        content: of the file; empty where there is none.
    """

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._content = content

    @property
    def name(self) -> str | None:
        """Of the model."""
        name = self._content.get("name")
        return plain(name, 200) if isinstance(name, str) and name.strip() else None

    @property
    def channels(self) -> int | None:
        """That the model takes; None for any number, or where it does not say."""
        for row in self._inputs():
            axes = row.get("axes")
            for axis in axes if isinstance(axes, list) else []:
                names = axis.get("channel_names") if isinstance(axis, dict) else None
                if isinstance(names, list) and names:
                    return len(names)
        return None

    @property
    def summary(self) -> str:
        """What the model is, in a sentence or two; empty where it does not say."""
        return _words(self._content.get("description"))

    @property
    def licence(self) -> str:
        """An SPDX identifier; empty where it does not say."""
        return _words(self._content.get("license"))

    @property
    def authors(self) -> list[str]:
        """Names."""
        return [name for row in self._rows("authors") if (name := _words(row.get("name")))]

    @property
    def citations(self) -> list[str]:
        """What to cite, each with its DOI where it has one."""
        found = [(_words(row.get("text")), _words(row.get("doi"))) for row in self._rows("cite")]
        return [f"{text.rstrip('.')}. doi:{doi}" if doi else text for text, doi in found if text]

    @property
    def images(self) -> list[str]:
        """File names of the images that it names as inputs; paths elsewhere are left out."""
        names = []
        for row in self._inputs():
            for key in ("test_tensor", "sample_tensor"):
                names += _file_names(row.get(key))
        return names

    @property
    def test(self) -> PackageTest | None:
        """The package's own test, where it normalises by percentiles and nothing else, as packages of ours do."""
        inputs, outputs = self._inputs(), self._rows("outputs")
        output = next((row for row in outputs if row.get("id") == LABELS), None)
        if len(inputs) != 1 or output is None:
            return None
        steps = inputs[0].get("preprocessing")
        names = _file_names(inputs[0].get("test_tensor")), _file_names(output.get("test_tensor"))
        if not isinstance(steps, list) or len(steps) != 1 or not all(names):
            return None
        step = steps[0] if isinstance(steps[0], dict) else {}
        options = step.get("kwargs")
        if step.get("id") != "scale_range" or not isinstance(options, dict):
            return None
        low, high = options.get("min_percentile"), options.get("max_percentile")
        if not all(isinstance(one, int | float) and 0 <= one <= 100 for one in (low, high)):
            return None
        return PackageTest(names[0][0], names[1][0], float(cast(float, low)), float(cast(float, high)))

    @property
    def hashes(self) -> dict[str, str]:
        """The SHA-256 of each file that it names together with one."""
        weights = self._content.get("weights")
        rows = list(weights.values()) if isinstance(weights, dict) else []
        for key in ("inputs", "outputs"):
            for row in self._rows(key):
                rows += [row.get("test_tensor"), row.get("sample_tensor")]
        rows += self._rows("attachments")
        return {
            name: row["sha256"].lower()
            for row in rows
            if isinstance(row, dict) and isinstance(row.get("sha256"), str)
            for name in _file_names(row, inside=True)
        }

    def _inputs(self) -> list[Mapping[str, Any]]:
        return self._rows("inputs")

    def _rows(self, key: str) -> list[Mapping[str, Any]]:
        rows = self._content.get(key)
        return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _words(text: Any) -> str:
    return plain(text, _LONGEST_WORDS).strip() if isinstance(text, str) else ""


def _file_names(source: Any, *, inside: bool = False) -> list[str]:
    """Return the name of a file that lies in the package itself, or ``inside`` of a folder of it; or nothing."""
    name = source.get("source") if isinstance(source, dict) else source
    if not isinstance(name, str) or name in ("", ".", ".."):
        return []
    path = PurePosixPath(name)
    if inside and str(path) == name and not path.is_absolute() and ".." not in path.parts:
        return [name]
    return [name] if path.name == name else []


def read_description(folder: Path) -> Description | None:
    """Read a package's rdf.yaml; None where there is none.

    Raises:
        PackageError: it is damaged, or describes no model.
    """
    path = folder / RDF_FILE
    if not present(path, PackageError):
        return None
    content = load_yaml(path, "a description of a model", PackageError, hint=_AGAIN, finite=False)
    if not isinstance(content, dict):
        raise PackageError(f"{path} is not a description of a model.", hint=_AGAIN)
    return Description(content)


def read_samples(folder: Path, names: Sequence[str], channels: int | None, dimensions: int) -> Iterator[NamedImage]:
    """Yield the images that the package's description names as inputs, and pictures that lie beside them.

    Args:
        folder: of the package.
        names: that the description names.
        channels: that the model takes; images with others are left out. None for any number.
        dimensions: 2, or 3 for volumes.

    Raises:
        PackageError: one is missing or damaged.
        ImageError: a picture cannot be read.
    """
    beside = [path.name for path in sample_pictures(folder)]
    seen: list[npt.NDArray[np.float32]] = []
    for name in list(dict.fromkeys([*names, *beside]))[:MAX_SAMPLES]:
        path = folder / name
        if name in names and not present(path, PackageError):
            raise PackageError(f"{folder} has no {plain(name, 100)}, which its {RDF_FILE} names.", hint=_AGAIN)
        regular_file(path, PackageError)
        array = _read_array(path, dimensions)
        if array is None or (channels is not None and array.shape[-1 - dimensions] != channels):
            continue
        sample = NamedImage(name, array, "of the package", sample=True, dimensions=dimensions)
        if not any(np.array_equal(sample.batch(), other, equal_nan=True) for other in seen):
            seen.append(sample.batch())
            yield sample


def sample_pictures(folder: Path) -> list[Path]:
    """Return the pictures that lie beside a package's description to show what it does, without their label maps."""
    return sorted(path for path in folder.glob(_SAMPLES) if not path.stem.endswith("-labels") and path.is_file())[
        :MAX_SAMPLES
    ]


def read_test(folder: Path, test: PackageTest, channels: int | None, dimensions: int) -> NamedImage | None:
    """Return a package's own test: its image as clients normalise it, with the label map that it states.

    None where the package lacks a file of it, or the image does not fit the model.

    Raises:
        PackageError: a file is damaged.
    """
    if not all(present(folder / name, PackageError) for name in (test.image, test.labels)):
        return None
    raw = read_npy(folder / test.image, PackageError, hint=_AGAIN).astype(np.float64)
    labels = read_npy(folder / test.labels, PackageError, hint=_AGAIN)
    if raw.ndim != dimensions + 2 or 0 in raw.shape or (channels is not None and raw.shape[1] != channels):
        return None
    space = tuple(range(2, raw.ndim))
    low, high = np.percentile(raw, [test.low, test.high], axis=space, keepdims=True)
    image = ((raw - low) / (high - low + _EPSILON)).astype(np.float32)
    name = f"{test.image}, normalised"
    return NamedImage(name, image, "the package's own test", dimensions=dimensions, expected=labels)


def _read_array(path: Path, dimensions: int) -> npt.NDArray[Any] | None:
    if path.suffix == ".npy":
        array = read_npy(path, PackageError, hint=_AGAIN)
        return array if array.ndim - dimensions in (1, 2) and 0 not in array.shape else None
    from ..images import read_image

    return read_image(path, dimensions).array
