"""What a program prints: its lines, taken from it as they come, and its complaints, of which the last are kept."""

from __future__ import annotations

import json
import queue
import threading
import time
from typing import IO, Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..untrusted.boundary import first_problem

__all__ = ["TOO_LATE", "Line", "next_line", "parse_line", "read_lines", "read_tail"]

TOO_LATE = b"too late"
_LONGEST_LINE = 1 << 18


class Line(BaseModel):
    """What a program says of one image, or that it is ready. Unknown keys are its own business."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    input: str | None = None
    ready: bool = False
    error: str | None = None
    unavailable: bool = False
    version: str = ""
    device: str = ""
    load_s: float = Field(default=0.0, ge=0)
    run_s: tuple[Annotated[float, Field(ge=0)], ...] = Field(default=(), max_length=10_000)
    peak_mb: float | None = Field(default=None, ge=0)
    split_s: dict[str, Annotated[float, Field(ge=0)]] | None = None
    not_split: str = ""


def parse_line(raw: bytes) -> Line | str:
    """Return a line of the protocol, or what is wrong with it: empty text for what is no JSON object at all."""
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(content, dict):
        return ""
    try:
        return Line.model_validate(content)
    except ValidationError as error:
        return first_problem(error)


def next_line(lines: queue.Queue[bytes], deadline: float) -> bytes:
    """Return the next line, nothing at the end of the output, or :data:`TOO_LATE`, also when lines never stop."""
    left = deadline - time.monotonic()
    if left <= 0:
        return TOO_LATE
    try:
        return lines.get(timeout=left)
    except queue.Empty:
        return TOO_LATE


def read_lines(stream: IO[bytes], lines: queue.Queue[bytes], ended: threading.Event) -> None:
    """Hand over lines, and nothing at the end; a program that writes faster than we read has to wait."""
    with stream:
        while not ended.is_set():
            raw = stream.readline(_LONGEST_LINE)
            while not ended.is_set():
                try:
                    lines.put(raw, timeout=0.2)
                    break
                except queue.Full:
                    continue
            if not raw:
                return


def read_tail(stream: IO[bytes], tail: bytearray) -> None:
    with stream:
        while raw := stream.readline(_LONGEST_LINE):
            tail += raw
            del tail[: -4 * _LONGEST_LINE]
