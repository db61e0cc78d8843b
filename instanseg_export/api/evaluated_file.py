"""One file of a model on all labelled images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..evaluation.labelled import Labelled, LabelledSet
from ..evaluation.records import EvaluatedFile
from ..evaluation.scored import ScoredFile
from ..files import scratch_folder, sha256_of
from ..images.image import Array
from ..inference.every_file import Candidate
from ..inference.image_options import ImageOptions
from ..inference.label_maps import find_labels

__all__ = ["EvaluatedOne", "evaluate_file"]

Labels = npt.NDArray[np.int64]
OnLabels = Callable[[int, Labels, Labels], None]


@dataclass(frozen=True)
class EvaluatedOne:
    """What became of a file.

    Attributes:
        candidate: the file and what runs it.
        record: of it.
        scored: what it found; None where it could not be run at all.
        digests: of the pixels of images, by their place.
        notes: of images, by their place.
    """

    candidate: Candidate
    record: EvaluatedFile
    scored: ScoredFile | None
    digests: dict[int, str] = field(default_factory=dict)
    notes: dict[int, tuple[str, ...]] = field(default_factory=dict)


def evaluate_file(
    candidate: Candidate,
    images: LabelledSet,
    options: ImageOptions,
    *,
    planes: Sequence[int],
    iou: float,
    time_limit: float,
    tell: Callable[[Labelled], None],
    on_labels: OnLabels,
) -> EvaluatedOne:
    """Run a file on all images and score what it finds.

    Args:
        candidate: the file and what runs it.
        images: with label maps.
        options: pixel size and channels.
        planes: places of the structures that are evaluated.
        iou: the chosen threshold.
        time_limit: seconds for each image.
        tell: told each image that has ended.
        on_labels: given the place of each image that was segmented, what was found and the true labels.
    """
    facts = EvaluatedFile(
        key=candidate.key,
        title=candidate.title,
        runtime=candidate.runtime.name,
        file=candidate.file,
        precision=candidate.precision,
        status="not run",
        why=candidate.why,
    )
    ready = candidate.ready
    if ready is None:
        return EvaluatedOne(candidate, facts, None)
    scored = ScoredFile(candidate.key, images.structures, iou)
    one = EvaluatedOne(candidate, facts, scored)
    version, seconds, failures = "", 0.0, []
    with scratch_folder() as folder:
        for found in find_labels(
            ready,
            [image.pair.image for image in images.images],
            options,
            folder,
            time_limit=time_limit,
            tell=lambda place: tell(images.images[place]),
        ):
            image = images.images[found.place]
            version, seconds = found.version or version, seconds + found.seconds
            one.notes[found.place] = found.notes
            if found.prepared is not None:
                one.digests[found.place] = found.prepared.digest
            if found.labels is None:
                scored.fail(image, found.why)
                failures.append(found.why)
                continue
            labels = found.labels[list(planes)]
            truth = images.labels(image)
            scored.add(image, labels, truth)
            on_labels(found.place, labels, truth)
    record = facts.model_copy(
        update={
            "version": version,
            "device": ready.device,
            "sha256": "" if Path(ready.file).is_dir() else sha256_of(ready.file),
            "status": "failed" if failures else "passed",
            "why": f"{len(failures)} of {len(images.images)} images: {failures[0]}" if failures else "",
            "seconds": seconds,
        }
    )
    if len(failures) == len(images.images):
        return EvaluatedOne(candidate, record.model_copy(update={"why": failures[0]}), None)
    return EvaluatedOne(candidate, record, scored, one.digests, one.notes)


def kept_in(folder: Path) -> tuple[Callable[[int, Array], None], Callable[[int], Array | None]]:
    """Return how label maps are put into a folder by place, and taken out again; None where there is none."""

    def put(place: int, labels: Array) -> None:
        np.save(folder / f"{place}.npy", labels, allow_pickle=False)

    def take(place: int) -> Array | None:
        path = folder / f"{place}.npy"
        return np.load(path, allow_pickle=False) if path.is_file() else None

    return put, take
