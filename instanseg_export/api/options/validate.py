"""How runtimes are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from ...errors import SettingError
from ...untrusted.numbers import check_time_limit
from .shared import SHOWN, AnyPath, InEveryRuntime, InEveryRuntimeKeywords

__all__ = ["ValidateKeywords", "ValidateOptions"]


@dataclass(frozen=True, kw_only=True)
class ValidateOptions(InEveryRuntime):
    """How the runtimes are compared.

    Attributes:
        devices: Devices to use, as in --devices cpu cuda mps; also cuda:1. All are compared with a run on the CPU.
        baseline: An earlier report.json, or its folder; what drifted since then fails.
        output: Folder for report.json, report.md and report.html, and for CI junit.xml and a short summary.md.
        time_limit: Seconds that a runtime may take for one image.

    Raises:
        SettingError: there is no device, or the time limit is none.
    """

    devices: Annotated[Sequence[str], SHOWN] = ("cpu",)
    baseline: AnyPath | None = None
    output: AnyPath | None = None
    time_limit: Annotated[float, SHOWN] = 120.0

    def __post_init__(self) -> None:
        check_time_limit(self.time_limit)
        if isinstance(self.devices, str) or not all(self.devices) or not self.devices:
            raise SettingError(f"{self.devices!r} is no list of devices.", hint='Give a list, as in ["cpu", "cuda"].')


class ValidateKeywords(InEveryRuntimeKeywords, total=False):
    """The fields of :class:`ValidateOptions` as keywords."""

    devices: Sequence[str]
    baseline: AnyPath | None
    output: AnyPath | None
    time_limit: float
