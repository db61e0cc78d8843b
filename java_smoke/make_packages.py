"""Export the packages that the Java tests run, and write down what Python finds with them.

    python java_smoke/make_packages.py [folder]

The folder, by default java_smoke/packages, gets one package per checkpoint, exported afresh. In each, ``expected/``
holds one npz per case: ``image`` (B, C, H, W) float32, the ``args.<name>`` that are sent along, and ``labels``
(B, T, H, W) as the TorchScript file gives them in Python. ``expected/large/`` holds images that are larger than a tile.

The checkpoints are those of ../shared/checkpoints (or $INSTANSEG_EXPORT_SHARED), where that folder is there, else the
demo model alone.
"""

from __future__ import annotations

import argparse
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from instanseg_export import build_forward, export
from instanseg_export.checkpoints import load_checkpoint
from instanseg_export.images import read_image
from instanseg_export.images.synthetic import standard_images

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("INSTANSEG_EXPORT_SHARED", ROOT.parent / "shared"))
DEMO = ROOT / "model_zoo" / "nuclei_dsb2018"
VARIANTS = ("nuclei_batchnorm", "nuclei_cells_channelnet", "multihead_seeds2_coords4")

DRAWN = (
    "nuclei",
    "no objects",
    "one pixel",
    "odd sizes",
    "crowded",
    "NaN and infinities",
    "normalised",
    "batch of 3",
    "one channel",
)
"""Of the standard images of the parity report: each with a risk of its own, and small."""

CANDIDATES: Mapping[str, Sequence[Any]] = {
    "normalize": (2, 1),
    "seed_threshold": (0.85, 0.75, 0.55, 0.4, 0.95),
    "mask_threshold": (0.6, 0.45, 0.7),
    "peak_distance": (9, 2, 15, 1),
    "overlap_threshold": (0.02, 0.6, 0.95, 0.0),
    "min_size": (60, 150, 300, 30),
    "fg_threshold": (0.8, 0.95, 0.2, 0.99),
    "window_size": (12, 8),
    "cleanup_fragments": (False,),
    "connected": (False,),
    "resolve_cell_and_nucleus": (False,),
    "target_segmentation": ([0, 1],),
}
"""Values of each setting that are not the default: the first that changes something, and leaves something, is sent."""

FloatImage = NDArray[np.float32]
Segment = Callable[[FloatImage, Mapping[str, Any]], FloatImage]


@dataclass
class Case:
    """An image, and what is sent with it; ``large`` ones are larger than a client's tile."""

    name: str
    image: FloatImage
    settings: Mapping[str, Any] = field(default_factory=dict)
    large: bool = False

    @property
    def place(self) -> str:
        """The file's name below ``expected``."""
        stem = re.sub(r"[^a-z0-9]+", "_", self.name.lower())
        return f"large/{stem}.npz" if self.large else f"{stem}.npz"


def encode(settings: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return settings in the types that the file declares: float32, int64 or bool."""
    arrays = {name: np.asarray(value) for name, value in settings.items()}
    return {name: array.astype(np.float32) if array.dtype.kind == "f" else array for name, array in arrays.items()}


def checkpoints() -> dict[str, Path]:
    """Return the checkpoints to export, by the name of their package."""
    if (SHARED / "checkpoints").is_dir():
        return {name: SHARED / "checkpoints" / name for name in VARIANTS}
    return {DEMO.name: DEMO / "checkpoint.pt"}


def cases(
    segment: Segment, samples: Mapping[str, FloatImage], channels: int | None, settings: Sequence[str]
) -> Iterator[Case]:
    """Give the cases of a model.

    Args:
        segment: the model.
        samples: the images in its package.
        channels: that it takes; None for any number.
        settings: that it has.
    """
    standard = {image.name: image.batch() for image in standard_images(channels)}
    drawn = {name: image for name, image in standard.items() if name in DRAWN}
    for name, image in {**drawn, **samples}.items():
        yield Case(name, image)
    images = [*samples.values(), drawn["crowded"], drawn["nuclei"], drawn["normalised"]]
    # Raw values that are not normalised are all cut to the same number, and on a flat image rounding picks the seeds.
    moderate = [drawn["normalised"] * np.float32(4), drawn["normalised"]]
    # Where many masks overlap, some cut pieces off others.
    noise = np.ascontiguousarray(standard["thousands of seeds"][:, :, -512:, -512:])
    special = {"normalize": moderate, "connected": [*images, noise]}
    yield from with_settings(segment, {name: special.get(name, images) for name in settings})
    yield Case("with settings together", images[0], {"normalize": 1, "peak_distance": 7, "cleanup_fragments": False})
    if SHARED.is_dir():
        if channels is None:
            multiplex = _batch(SHARED / "data" / "multiplex" / "FIHC4_2_component_data.tif")
            yield Case("five channels", multiplex)
            if "target_segmentation" in settings:
                yield Case("five channels nuclei", multiplex, {"target_segmentation": [1, 0]})
                yield Case("five channels cells", multiplex, {"target_segmentation": [0, 1]})
                normalised = _as_qupath_does(multiplex)
                yield Case("five channels as QuPath normalises them", normalised)
                mirrored = np.pad(normalised, ((0, 0), (0, 0), (0, 444), (0, 708)), mode="symmetric")
                yield Case("five channels mirrored", mirrored, large=True)
                yield Case("five channels in windows", _windows(mirrored, 432, (0, 272), (0, 624)), large=True)
        else:
            histology = _batch(SHARED / "data" / "examples" / "HE_example.tif")
            yield Case("histology", histology, large=True)
            normalised = _as_qupath_does(histology)
            yield Case("histology as QuPath normalises it", normalised, large=True)
            yield Case("histology in windows", _windows(normalised, 512, (258, 610), (134, 838)), large=True)


def with_settings(segment: Segment, images: Mapping[str, Sequence[FloatImage]]) -> Iterator[Case]:
    """Give a case for each setting, in which it changes what is found.

    Args:
        segment: the model.
        images: to try, by setting.

    Raises:
        ValueError: no value of a setting changes anything in any image: other candidates are needed.
    """
    plain = {id(image): segment(image, {}) for several in images.values() for image in several}

    def effective(name: str) -> Case:
        for value in CANDIDATES[name]:
            for image in images[name]:
                found = segment(image, {name: value})
                if found.any() and not np.array_equal(found, plain[id(image)]):
                    return Case(f"with {name}", image, {name: value})
        raise ValueError(f"no value of {name} changes anything in these images")

    for name in images:
        yield effective(name)


def _batch(path: Path) -> FloatImage:
    return np.ascontiguousarray(read_image(path).array[None], dtype=np.float32)


def _as_qupath_does(image: FloatImage) -> FloatImage:
    """Rescale each channel by its 0.1 and 99.9 percentiles over the whole image, and clip to [-0.5, 1.5]."""
    low, high = np.percentile(image, (0.1, 99.9), axis=(0, 2, 3), keepdims=True)
    normalised: FloatImage = np.clip((image - low) / (high - low), -0.5, 1.5).astype(np.float32)
    return normalised


def _windows(image: FloatImage, size: int, rows: tuple[int, ...], columns: tuple[int, ...]) -> FloatImage:
    """Return square windows that start at these rows and columns, as a batch; QuPath cuts tiles there."""
    return np.concatenate([image[:, :, y : y + size, x : x + size] for y in rows for x in columns])


def make(name: str, checkpoint_path: Path, folder: Path) -> None:
    """Export one checkpoint to ``folder`` and write the cases' npz files into it."""
    started = time.perf_counter()
    checkpoint = load_checkpoint(checkpoint_path)
    result = export(checkpoint, output=folder, overwrite=True, validate=False)
    exported = time.perf_counter()
    load: Any = torch.jit.load
    module = load(str(folder / "instanseg.pt"))
    forward = build_forward(checkpoint)
    settings = [setting.name for setting in forward.settings if setting.decides != "forward"]
    expected = folder / "expected"
    (expected / "large").mkdir(parents=True)
    count = 0
    samples = {
        path.stem: _batch(path) for path in sorted(folder.glob("sample-*.tif")) if not path.stem.endswith("-labels")
    }

    def segment(image: FloatImage, args: Mapping[str, Any]) -> FloatImage:
        with torch.inference_mode():
            tensors = {key: torch.from_numpy(value) for key, value in encode(args).items()}
            labels: FloatImage = module(torch.from_numpy(image), tensors).numpy()
        return labels

    for case in cases(segment, samples, checkpoint.spec.channels, settings):
        arrays: dict[str, Any] = {f"args.{key}": value for key, value in encode(case.settings).items()}
        labels = segment(case.image, case.settings)
        np.savez(expected / case.place, image=case.image, labels=labels, **arrays)
        count += 1
    seconds = exported - started, time.perf_counter() - exported
    print(f"{name}: {result.folder}, exported in {seconds[0]:.0f} s, {count} cases in {seconds[1]:.0f} s")  # noqa: T201


def main() -> None:
    """Make all packages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    default = Path(__file__).resolve().parent / "packages"
    parser.add_argument("folder", type=Path, nargs="?", default=default, help="by default java_smoke/packages")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in checkpoints().items():
        make(name, path, folder / name)


if __name__ == "__main__":
    main()
