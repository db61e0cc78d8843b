"""A model and an image file in, a label file and a picture of the outlines out."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .errors import ImageError, OutputError, PackageError, RuntimeUnavailableError, SettingError
from .files import staged_file
from .forwards.tunables import Tunable
from .images import Image, overlay, read_image, rescale, rescale_labels, write_labels, write_objects
from .images.coco import write_coco
from .parity.runtimes import Runtime, find_runtime, list_runtimes
from .parity.subject import Subject, open_subject
from .targets import known_target
from .targets.capabilities import require_shape

__all__ = ["Found", "RunResult", "run"]

_SAME_SIZE = 0.01
"""Pixel sizes that differ by no more than this part are taken as equal: resampling would only blur the image."""


@dataclass(frozen=True)
class Found:
    """What was found of one target.

    Attributes:
        target: "nuclei" or "cells".
        instances: how many.
        median_area: in pixels of the image, or voxels of the volume; None without instances.
        median_area_um2: in square micrometres, of images whose pixel size is known.
    """

    target: str
    instances: int
    median_area: float | None
    median_area_um2: float | None


@dataclass(frozen=True)
class RunResult:
    """What ``run`` did.

    Attributes:
        model, image: what it was given.
        labels: the label file, a page per target, of the image's own height and width.
        overlay: the picture of the outlines.
        masks: for models whose masks may overlap, the file with the whole masks as COCO run-length encoding, else None.
        objects: the table of what else the model says of each label; None for models that only segment.
        found: per target, in the order of the pages.
        runtime: what ran the model.
        pixel_size: of the image, in micrometres, as used; None if unknown.
        model_pixel_size: of the model, in micrometres; None if unknown.
        resampled: whether the image was brought to the model's pixel size, and the labels back.
        lost: ids of instances too small to survive the way back.
        notes: one sentence for each thing that was assumed.
        seconds: for all of it.
    """

    model: Path
    image: Path
    labels: Path
    overlay: Path
    masks: Path | None
    objects: Path | None
    found: tuple[Found, ...]
    runtime: str
    pixel_size: float | None
    model_pixel_size: float | None
    resampled: bool
    lost: tuple[int, ...]
    notes: tuple[str, ...]
    seconds: float


def run(
    model: str | Path,
    image_path: str | Path,
    *,
    output: str | Path | None = None,
    pixel_size: float | None = None,
    channels: Sequence[int | str] | None = None,
    settings: Mapping[str, Any] | None = None,
    device: str = "cpu",
    runtime: str | None = None,
    time_limit: float = 3600.0,
    overwrite: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> RunResult:
    """Segment one image with an exported model and write ``<stem>_labels.tif`` and ``<stem>_overlay.png``.

    Models whose masks may overlap get ``<stem>_masks.json`` too: see :func:`.images.coco.write_coco`. For a model with
    a row per label, such as a classifier of cells, there is ``<stem>_objects.csv``.

    Args:
        model: a package folder, its zip, or one exported file.
        image_path: any image that :func:`read_image` reads.
        output: folder of the two files; by default the current one.
        pixel_size: of the image, in micrometres, where the file does not say or is wrong. Where it and the model's are
            known and differ, the image is resampled for the model, and the labels back by the nearest pixel.
        channels: which channels the model sees, by number from 1 or by name, in the model's order; by default all.
        settings: tunables to override, as in ``{"seed_threshold": 0.6}``.
        device: "cpu", "cuda", "cuda:1" or "mps".
        runtime: name of the runtime; by default one that fits the model and the device.
        time_limit: seconds that the runtime may take.
        overwrite: replace existing files.
        progress: called with (what, done, total).

    Raises:
        PackageError: the model is damaged, or fails on the image.
        ImageError: the image cannot be read, or its channels do not fit the model.
        SettingError: a setting is unknown, out of range, or fixed in this file.
        RuntimeUnavailableError: nothing here runs the model on that device.
        OutputError: a file exists or cannot be written.
    """
    started = time.perf_counter()
    report = progress or (lambda what, done, total: None)
    image_path = Path(image_path)
    stem = image_path.name.removesuffix(image_path.suffix).removesuffix(".ome")
    folder = Path.cwd() if output is None else Path(output)
    labels_path, overlay_path = folder / f"{stem}_labels.tif", folder / f"{stem}_overlay.png"
    objects_path = folder / f"{stem}_objects.csv"
    for path in (labels_path, overlay_path, objects_path):
        if path.exists() and not overwrite:
            raise _exists(path)
    if pixel_size is not None and not 0 < pixel_size < np.inf:
        raise ImageError(f"The pixel size {pixel_size:g} is no length.", hint="Give it in micrometres, as in 0.5.")

    report("read", 0, 4)
    with open_subject(Path(model)) as subject:
        chosen, file = _choose_runtime(Path(model), subject, runtime, device)
        metadata: Mapping[str, Any] = subject.metadata or _undescribed(Path(model), file)
        spec = metadata["spec"]
        image = read_image(image_path, int(metadata.get("dimensions", 2)))
        planes = _choose_channels(image, channels, subject.channels)
        size = pixel_size or image.pixel_size
        notes = []
        if size is None and spec["pixel_size"] is not None:
            notes.append(f"{image_path.name} does not say its pixel size: taken to be {spec['pixel_size']:g} µm.")
        seen = planes.astype(np.float32)
        resample = False
        if size is not None and spec["pixel_size"] is not None:
            axial = (image.slice_distance or 0.0) / (spec.get("slice_distance") or np.inf) or 1.0
            resample = max(abs(size / spec["pixel_size"] - 1), abs(axial - 1)) > _SAME_SIZE
            seen = rescale(planes, size, spec["pixel_size"], axial) if resample else seen
        report("segment", 1, 4)
        parsed = _parse(settings or {}, metadata, chosen, file)
        if (target := known_target(chosen.target)) is not None:
            require_shape(target, file, (1, *seen.shape))
        labels, further, ran_in = _predict(chosen, file, seen, parsed, device, time_limit)
    masks = further.get("instance_masks")
    if masks is not None:
        coco_path = folder / f"{stem}_masks.json"
        if coco_path.exists() and not overwrite:
            raise _exists(coco_path)
    lost: list[int] = []
    if resample:
        labels, lost = rescale_labels(labels, planes.shape[1:])
        masks = None if masks is None else rescale_labels(masks, planes.shape[1:])[0]
    if lost:
        notes.append(f"{len(lost)} instances are smaller than a pixel of the image and are not in the label file.")

    report("write", 2, 4)
    names = _target_names(spec["targets"], parsed, labels.shape[0])
    picture = overlay(planes, labels)
    with staged_file(overlay_path, overwrite=overwrite) as staged:
        from PIL import Image as Pillow

        Pillow.fromarray(picture).save(staged, format="PNG")
        report("write", 3, 4)
        # Inside, so that no file appears if another cannot be written.
        rows: Mapping[str, Any] = metadata.get("rows", {})
        with contextlib.ExitStack() as beside:
            if masks is not None:
                coco = beside.enter_context(staged_file(coco_path, overwrite=overwrite))
                write_coco(
                    coco,
                    masks,
                    image=image_path.name,
                    scores=further.get("instance_scores", np.ones(len(masks))),
                    categories=further.get("detection_classes", np.ones(len(masks))).astype(int),
                    names=spec.get("classes", spec["targets"]),
                )
            if rows:
                table = beside.enter_context(staged_file(objects_path, overwrite=overwrite))
                write_objects(table, {name: further[name][0] for name in rows}, rows)
            write_labels(
                labels_path, labels, size, names=names, slice_distance=image.slice_distance, overwrite=overwrite
            )
    report("done", 4, 4)
    return RunResult(
        model=Path(model),
        image=image_path,
        labels=labels_path,
        overlay=overlay_path,
        masks=None if masks is None else coco_path,
        objects=objects_path if rows else None,
        found=tuple(
            _count(name, plane, size if plane.ndim == 2 else None) for name, plane in zip(names, labels, strict=True)
        ),
        runtime=ran_in,
        pixel_size=size,
        model_pixel_size=spec["pixel_size"],
        resampled=resample,
        lost=tuple(lost),
        notes=tuple(notes),
        seconds=time.perf_counter() - started,
    )


def _exists(path: Path) -> OutputError:
    return OutputError(f"{path} exists already.", hint="Pass --overwrite to replace it, or another --output.")


def _choose_channels(image: Image, channels: Sequence[int | str] | None, expected: int | None) -> Any:
    planes = image.array
    if channels is not None:
        planes = planes[[_channel(image, wanted) for wanted in channels]]
    if expected is not None and planes.shape[0] != expected:
        example = " ".join(str(min(index + 1, image.array.shape[0])) for index in range(expected))
        raise ImageError(
            f"{image.path} has {planes.shape[0]} channel{'s' * (planes.shape[0] != 1)}"
            f"{'' if channels is None else ' after --channels'}, and the model takes {expected}.",
            hint=f"Choose or repeat channels in the model's order, as in --channels {example}. "
            f"The image has: {', '.join(image.channel_names)}.",
        )
    return planes


def _channel(image: Image, wanted: int | str) -> int:
    if str(wanted) in image.channel_names:
        return image.channel_names.index(str(wanted))
    if str(wanted).isdigit() and 1 <= int(wanted) <= len(image.channel_names):
        return int(wanted) - 1
    numbered = ", ".join(f"{index} {name}" for index, name in enumerate(image.channel_names, start=1))
    raise ImageError(f"{image.path} has no channel {wanted!r}.", hint=f"Its channels are: {numbered}.")


def _choose_runtime(model: Path, subject: Subject, name: str | None, device: str) -> tuple[Runtime, Path]:
    """Return a runtime for one of the model's files, and that file."""
    if name is not None:
        wanted = find_runtime(name)
        file = subject.file(wanted.filename)
        if file is None:
            raise RuntimeUnavailableError(
                f"{wanted.title} needs a {wanted.target} file, and {model} has none.",
                hint=f"Export it with --targets {wanted.target}, or choose another --runtime.",
            )
        if not wanted.available:
            raise RuntimeUnavailableError(f"{wanted.title} is not here: {wanted.reason}.", hint=wanted.install)
        return wanted, file
    # The CPU is the home of ONNX Runtime; on other devices its loops are driven from the CPU.
    preferred = ("onnxruntime", "torchscript") if device == "cpu" else ("torchscript", "onnxruntime")
    runtimes = [one for one in list_runtimes() if not one.needs_exporter]
    runtimes.sort(key=lambda one: preferred.index(one.name) if one.name in preferred else len(preferred))
    fitting = [(one, file) for one in runtimes if (file := subject.file(one.filename)) is not None]
    for one, file in fitting:
        if one.available:
            return one, file
    if not fitting:
        raise PackageError(f"{model} holds no file that a runtime here takes.", hint="Export the model again.")
    raise RuntimeUnavailableError(
        f"No runtime on this machine runs {' or '.join(sorted({file.name for _, file in fitting}))}.",
        hint=" Or: ".join(dict.fromkeys(one.install for one, _ in fitting)),
    )


def _undescribed(model: Path, file: Path) -> dict[str, Any]:
    """Return the little that is known of a file that is not ours: others export models with the same name and contract.

    Raises:
        PackageError: it is a checkpoint, which has no forward yet.
    """
    from .checkpoints import READERS

    if file.suffix == ".pt" and not READERS.get("torchscript").recognises(file):
        raise PackageError(
            f"{file} is no exported model.", hint=f"If it is a checkpoint, export it first: instanseg-export {model}"
        )
    return {"spec": {"pixel_size": None, "targets": ()}, "tunables": ()}


def _parse(settings: Mapping[str, Any], metadata: Mapping[str, Any], runtime: Runtime, file: Path) -> dict[str, Any]:
    from .forwards.tunables import parse_settings, tunables_of

    table = tunables_of(metadata if metadata["tunables"] else None)
    parsed = parse_settings(settings, table)
    stuck = [tunable for tunable in table if tunable.name in parsed and _is_fixed(tunable, runtime.target)]
    if metadata["tunables"] and stuck:
        elsewhere = not any(_is_fixed(tunable, "torchscript") for tunable in stuck)
        raise SettingError(
            f"{file.name} has {' and '.join(tunable.name for tunable in stuck)} fixed at export.",
            hint="Use the TorchScript file (--runtime torchscript), or export again with --set."
            if elsewhere
            else "Export again with --set.",
        )
    return parsed


def _is_fixed(tunable: Tunable, target: str) -> bool:
    from .targets.settings import is_fixed

    writer = known_target(target)
    return writer is not None and is_fixed(tunable, writer)


def _predict(
    runtime: Runtime, file: Path, image: Any, settings: Mapping[str, Any], device: str, time_limit: float
) -> tuple[Any, Mapping[str, Any], str]:
    """Return the label maps (T, H, W), what the model gives beside them, and the runtime's title and version."""
    from .parity.runners import run_runtime

    with tempfile.TemporaryDirectory(prefix="instanseg-export-") as folder:
        source, result = Path(folder) / "image.npy", Path(folder) / "labels.npz"
        np.save(source, image[None])
        (outcome,) = run_runtime(
            runtime, file, [source], [result], device=device, settings=settings, time_limit=time_limit
        )
        if outcome.unavailable:
            raise RuntimeUnavailableError(
                f"{runtime.title} cannot run on {device}: {outcome.error}.",
                hint="Use --device cpu; instanseg-export doctor shows what this machine has.",
            )
        try:
            return outcome.labels()[0], outcome.further(), f"{runtime.title} {outcome.version}".strip()
        except ValueError as error:
            raise PackageError(
                f"{runtime.title} failed with {file.name}: {error}.",
                hint="instanseg-export validate shows whether the model or the image is at fault.",
            ) from error


def _target_names(targets: Sequence[str], settings: Mapping[str, Any], count: int) -> tuple[str, ...]:
    if count == len(targets):
        return tuple(targets)
    flags = settings.get("target_segmentation", ())
    chosen = tuple(name for name, flag in zip(targets, flags, strict=False) if flag)
    return chosen if len(chosen) == count else tuple(f"target {index + 1}" for index in range(count))


def _count(target: str, labels: Any, pixel_size: float | None) -> Found:
    areas = np.bincount(np.unique(labels[labels > 0], return_inverse=True)[1])
    median = float(np.median(areas)) if areas.size else None
    return Found(target, areas.size, median, None if median is None or pixel_size is None else median * pixel_size**2)
