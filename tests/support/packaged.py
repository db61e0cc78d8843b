"""A genuine checkpoint with the files that were made of it, to be packaged in many ways."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from instanseg_export.checkpoints import Checkpoint, load_checkpoint
from instanseg_export.families.base import SegmentationForward
from instanseg_export.families.registry import build_forward
from instanseg_export.files import sha256_of, size_of
from instanseg_export.packaging import Card, Sample, card_for, choose_samples, write_package
from instanseg_export.targets import TARGETS
from instanseg_export.targets.base import Artifact


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


def exported_from(source: Path, folder: Path) -> Exported:
    """Read a checkpoint, and take the files of both formats that ``write_both`` made of it from ``folder``."""
    checkpoint = load_checkpoint(source)
    forward = build_forward(checkpoint)
    paths = {name: folder / TARGETS.get(name).filename for name in ("torchscript", "onnx")}
    artifacts = [Artifact(name, path, sha256_of(path), size_of(path)) for name, path in paths.items()]
    return Exported(checkpoint, forward, card_for(checkpoint), choose_samples(checkpoint, forward), artifacts)


def rdf_of(folder: Path, name: str = "rdf.yaml") -> dict[str, Any]:
    """The description as a plain YAML reader sees it, which is how QuPath and JDLL do."""
    content = yaml.safe_load((folder / name).read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


def axes_of(tensor: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {axis.get("id", axis["type"]): axis for axis in tensor["axes"]}
