"""A model's folder in the zoo: what people wrote, and what was recorded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from ..checkpoints import Checkpoint, load_checkpoint
from ..errors import CardError, PackageError
from ..evaluation.records import EvaluationData
from ..limits import MAX_REPORT_BYTES
from ..packaging import Card, load_card
from ..packaging.checkpoint_card import CARD_FILE, check_fit
from ..parity.report import Report
from ..untrusted.boundary import first_problem
from ..untrusted.json_texts import load_json
from ..untrusted.texts import read_text

__all__ = [
    "CHECKPOINT_FILE",
    "EVALUATION_FILE",
    "PAGE_FILE",
    "PARITY_FILE",
    "PICTURES_FOLDER",
    "TARGETS",
    "TRAINING_FILE",
    "Records",
    "ZooModel",
    "read_evaluation",
    "read_model",
    "read_parity",
    "read_records",
]

CHECKPOINT_FILE = "checkpoint.pt"
TRAINING_FILE = "training.md"
EVALUATION_FILE = "evaluation.json"
PARITY_FILE = "parity.json"
PICTURES_FOLDER = "pictures"
PAGE_FILE = "README.md"
TARGETS = ("torchscript", "onnx")
"""Whose files a page is about."""


@dataclass(frozen=True)
class ZooModel:
    """What people wrote of a model, and its weights.

    Attributes:
        folder: of the model.
        card: that lies in it.
        checkpoint: that lies in it.
        training: how it was trained, in Markdown; empty where nobody wrote it down.
        has_recipe: whether there is a recipe.yaml.
    """

    folder: Path
    card: Card
    checkpoint: Checkpoint
    training: str
    has_recipe: bool

    @property
    def package(self) -> str:
        """The name of the folder that an export makes."""
        return self.card.name.replace(" ", "_")


@dataclass(frozen=True)
class Records:
    """What was recorded of a model.

    Attributes:
        evaluation: what it finds and misses in labelled images.
        parity: how its files compare in all runtimes.
    """

    evaluation: EvaluationData
    parity: Report


def read_model(folder: Path) -> ZooModel:
    """Read a model's folder.

    Raises:
        CardError: it has no card, or one that does not fit the checkpoint.
        CheckpointError: it has no checkpoint, or a damaged one.
    """
    if not (folder / CARD_FILE).is_file():
        raise CardError(
            f"There is no {CARD_FILE} in {folder}.",
            hint="Give the folder of a model, as in model_zoo/nuclei_dsb2018; docs/model-zoo.md says what is in it.",
        )
    card = load_card(folder / CARD_FILE)
    checkpoint = load_checkpoint(folder / CHECKPOINT_FILE)
    check_fit(card, checkpoint)
    written = folder / TRAINING_FILE
    training = read_text(written, "a description of the training", CardError) if written.is_file() else ""
    return ZooModel(folder, card, checkpoint, training.strip(), (folder / "recipe.yaml").is_file())


def read_evaluation(model: ZooModel) -> EvaluationData:
    """Read what was found in labelled images.

    Raises:
        PackageError: it was not recorded, is damaged, or is of another checkpoint.
    """
    path = _recorded(model, EVALUATION_FILE)
    content = load_json(path, "an evaluation", PackageError, limit=MAX_REPORT_BYTES)
    try:
        data = EvaluationData.model_validate(content)
    except ValidationError as error:
        raise PackageError(f"{path} is no evaluation: {first_problem(error)}.", hint=_remedy(path)) from error
    _check_source(model, path, data.source_sha256)
    return data


def read_parity(model: ZooModel) -> Report:
    """Read how a model's files compare.

    Raises:
        PackageError: it was not recorded, is damaged, or is of another checkpoint.
    """
    path = _recorded(model, PARITY_FILE)
    report = Report.read(path)
    _check_source(model, path, report.source_sha256)
    return report


def read_records(model: ZooModel) -> Records:
    """Read all that was recorded of a model.

    Raises:
        PackageError: a record is missing, damaged, or of another checkpoint.
    """
    return Records(read_evaluation(model), read_parity(model))


def _recorded(model: ZooModel, name: str) -> Path:
    path = model.folder / name
    if not path.is_file():
        raise PackageError(f"There is no {name} in {model.folder}.", hint=_remedy(path))
    return path


def _check_source(model: ZooModel, path: Path, digest: str) -> None:
    if digest != model.checkpoint.sha256:
        raise PackageError(f"{path} is of another checkpoint than {CHECKPOINT_FILE}.", hint=_remedy(path))


def _remedy(record: Path) -> str:
    option = "--parity" if record.name == PARITY_FILE else "--evaluate IMAGES"
    return f"Record it: python -m instanseg_export.model_zoo {record.parent} {option}"
