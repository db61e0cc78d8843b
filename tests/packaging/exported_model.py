"""A genuine checkpoint with the files that were made of it, to be packaged in many ways."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from instanseg_export.checkpoints import Checkpoint, load_checkpoint
from instanseg_export.families.base import SegmentationForward
from instanseg_export.families.registry import build_forward
from instanseg_export.packaging import Card, Sample, card_for, choose_samples, write_package
from instanseg_export.targets import TARGETS, write_artifact
from instanseg_export.targets.base import Artifact

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "model_zoo" / "nuclei_dsb2018" / "checkpoint.pt"


@dataclass(frozen=True)
class Exported:
    """A checkpoint and the files that were made of it."""

    checkpoint: Checkpoint
    forward: SegmentationForward
    card: Card
    samples: list[Sample]
    artifacts: list[Artifact]

    def only(self, target: str) -> Exported:
        """Return this with the file of one target alone."""
        return replace(self, artifacts=[artifact for artifact in self.artifacts if artifact.target == target])

    def package(self, folder: Path, **changes: object) -> Path:
        """Write a package of (a changed version of) this into a new folder."""
        folder.mkdir(parents=True)
        artifacts = []
        for artifact in self.artifacts:
            shutil.copy(artifact.path, folder)
            artifacts.append(replace(artifact, path=folder / artifact.path.name))
        arguments: dict[str, object] = {
            "artifacts": artifacts,
            "checkpoint": self.checkpoint,
            "forward": self.forward,
            "card": self.card,
            "samples": self.samples,
        }
        write_package(folder, **(arguments | changes))  # type: ignore[arg-type]
        return folder


def export(source: Path, folder: Path) -> Exported:
    checkpoint = load_checkpoint(source)
    forward = build_forward(checkpoint)
    artifacts = [
        write_artifact(name, forward, checkpoint, folder / TARGETS.get(name).filename)
        for name in ("torchscript", "onnx")
    ]
    samples = choose_samples(checkpoint, forward)
    return Exported(checkpoint, forward, card_for(checkpoint), samples, artifacts)
