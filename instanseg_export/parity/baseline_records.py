"""What changed since a baseline was recorded."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

__all__ = ["DRIFT_RULE", "BaselineRecord", "Drift", "Kind"]

Kind = Literal["file", "image", "outcome", "instances", "pixels"]

DRIFT_RULE = (
    "A runtime drifts from the baseline when an image that passed there fails or is missing now, when it finds another "
    "number of instances in one, or when more of its pixels differ from the reference than did: by over 10 in a "
    "million of all images together, or by over 3, where that is more. Model files and images with another SHA-256 are "
    "drift as well; versions, times and memory are not. Runtimes and devices that are not asked for are not compared, "
    "and a runtime that rounds on purpose drifts only when it no longer passes."
)


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Drift(_Record):
    """One thing that is not as the baseline has it.

    Attributes:
        kind: "file" and "image" when their SHA-256 is another; "outcome" when what passed fails or is missing;
            "instances" and "pixels" when counts are others.
        runtime: in which, as people call it; the file's name for "file"; empty for "image".
        image: on which; empty where it concerns all.
        before, now: what the baseline says, and what is found.
        why: the reason, where one is known.
    """

    kind: Kind
    runtime: str = ""
    image: str = ""
    before: str
    now: str
    why: str = ""

    @property
    def sentence(self) -> str:
        """What drifted, in words, without a full stop."""
        where = " on ".join(filter(None, [self.runtime, self.image]))
        why = f" ({self.why})" if self.why else ""
        return f"{where}: {self.before} in the baseline, {self.now} now{why}"


class BaselineRecord(_Record):
    """How a report compares with a baseline.

    Attributes:
        sha256: of the baseline's file.
        created: when the baseline was recorded, UTC, ISO 8601.
        exporter: the version of this package that recorded it.
        compared: results of the baseline that were compared.
        drifts: what is not as it was.
        notes: what differs and is no drift, as sentences.
    """

    sha256: str
    created: str
    exporter: str
    compared: int
    drifts: tuple[Drift, ...] = ()
    notes: tuple[str, ...] = ()
