"""What a file of reduced precision finds beside fp32, and when that is too little."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from ..errors import ParityError

__all__ = ["FEWEST_MATCHED", "MOST_LOST", "RULE", "PrecisionRecord", "Score", "keeps", "require_kept"]

MOST_LOST = 0.005
"""Against true labels, F1µ may be lower than that of fp32 by this much."""

FEWEST_MATCHED = 0.97
"""Without true labels, at least this share of the instances of both files must be pairs with an IoU of 0.5."""

RULE = (
    f"A file of reduced precision passes when its F1µ against true labels is at most {MOST_LOST} below that of fp32; "
    f"without true labels, when at least {FEWEST_MATCHED:.0%} of the instances that it and fp32 find are matched pairs "
    f"(IoU 0.5), or all but one."
)


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Score(_Record):
    """How well label maps agree with others, over all images together.

    Attributes:
        f1_mu: the mean of F1 over IoU thresholds from 0.5 to 0.9.
        f1_50: F1 at an IoU of 0.5.
    """

    f1_mu: float
    f1_50: float


class PrecisionRecord(_Record):
    """What a file of reduced precision finds.

    Attributes:
        precision: "fp16" or "int8".
        file, sha256, size: of the file; its size in bytes.
        calibration_images, calibration_sha256: of the images that int8 was calibrated on; 0 and empty for others.
        runtime: in which it was run, by its title; empty for ONNX Runtime.
        version: of that.
        reference: the name of the fp32 file.
        reference_runtime: in which that was run, by its title; empty for ONNX Runtime.
        images: on which it was compared with fp32.
        source: what these are, in plain words.
        fp32_instances, instances: found in them.
        matched: pairs of an instance of each with an IoU of at least 0.5.
        agreement: with fp32's label maps in the place of true ones; None where neither finds anything.
        labelled_images: with true labels; 0 where none were given.
        fp32_score, score: of fp32 and of this file against true labels.
        status: by :data:`RULE`; "not run" where no runtime here takes such files.
        why: why it failed, with figures, or was not run.
        allowed: whether it was packaged all the same, since the user said so.
    """

    precision: str
    file: str
    sha256: str
    size: int
    calibration_images: int = 0
    calibration_sha256: str = ""
    runtime: str = ""
    version: str = ""
    reference: str = "model.onnx"
    reference_runtime: str = ""
    images: int = 0
    source: str = ""
    fp32_instances: int = 0
    instances: int = 0
    matched: int = 0
    agreement: Score | None = None
    labelled_images: int = 0
    fp32_score: Score | None = None
    score: Score | None = None
    status: Literal["passed", "failed", "not run"]
    why: str = ""
    allowed: bool = False

    @property
    def decides(self) -> bool:
        """Whether it was run where the fp32 file was, so that only the precision differs; other runtimes' records show
        what is found elsewhere, and refuse no file."""
        return self.runtime == self.reference_runtime

    @property
    def outcome(self) -> str:
        """What became of a file that did not pass, in words; ``why`` says the reasons."""
        return f"{self.file} {'was not compared with fp32' if self.status == 'not run' else 'loses too much'}"

    @property
    def matched_share(self) -> float | None:
        """Instances in matched pairs, of all that the two files find; None where they find nothing."""
        total = self.fp32_instances + self.instances
        return 2 * self.matched / total if total else None

    @property
    def delta_f1_mu(self) -> float | None:
        """F1µ against true labels less that of fp32; None without true labels."""
        return None if self.score is None or self.fp32_score is None else self.score.f1_mu - self.fp32_score.f1_mu

    @property
    def delta_f1_50(self) -> float | None:
        """F1 at an IoU of 0.5 against true labels less that of fp32; None without true labels."""
        return None if self.score is None or self.fp32_score is None else self.score.f1_50 - self.fp32_score.f1_50


def keeps(expected: int, found: int, matched: int) -> bool:
    """Tell whether enough of two sets of instances are matched pairs: nearly all, or all but one."""
    return expected + found - 2 * matched <= 1 or 2 * matched >= FEWEST_MATCHED * (expected + found)


def require_kept(records: Sequence[PrecisionRecord]) -> None:
    """Refuse files that lose more than the tolerance in the runtime that decides, or were not run at all.

    Raises:
        ParityError: with the figures of each that fails and is not allowed to.
    """
    judged = [record for record in records if record.decides and not record.allowed]
    failed = [record for record in judged if record.status != "passed"]
    if not failed:
        return
    remedies = ["leave that precision out", "--allow-loss packages it all the same"]
    if any(record.calibration_images for record in failed):
        remedies.insert(0, "calibrate on more images of the kind that the model is made for (--calibrate FOLDER)")
    if any(record.score is None for record in failed):
        remedies.insert(0, "judge it on images with true labels (--labelled FOLDER)")
    hint = "; ".join(remedies)
    raise ParityError(
        " ".join(f"{record.outcome}: {record.why}." for record in failed),
        hint=f"{hint[0].upper()}{hint[1:]}.",
    )
