"""Parity reports held against each other, field by field."""

from __future__ import annotations

from typing import Any

from instanseg_export.parity.report import Report
from instanseg_export.parity.stages import TOLERANCES

__all__ = ["comparable", "ran_in_both"]


def ran_in_both(one: Report, other: Report) -> set[tuple[str, str]]:
    """Names and devices of the runtimes that both reports have results of."""
    ran = ({(row.name, row.device) for row in report.runtimes if row.status != "not run"} for report in (one, other))
    return set.intersection(*ran)


def comparable(report: Report, runtimes: set[tuple[str, str]]) -> dict[str, Any]:
    """All fields of a report on some runtimes, but for times, versions, machines and pictures.

    Files have the bytes of the libraries that wrote them, so that their hashes go with versions. Of floats that
    processors round differently, it is kept whether they are within the tolerance.
    """
    content = report.model_dump(mode="json", exclude={"created", "machine", "pictures"})
    content["runtimes"] = {
        (row["name"], row["device"]): _without(row, "load_s", "peak_mb", "version", "hardware", "model_sha256")
        for row in content["runtimes"]
        if (row["name"], row["device"]) in runtimes
    }
    content["cells"] = {
        (row["runtime"], row["device"], row["image"]): {**_without(row, "run_s"), "stages": _stages(row["stages"])}
        for row in content["cells"]
        if (row["runtime"], row["device"]) in runtimes
    }
    return content


def _stages(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [_without(row, "maximum", "detail") if row["stage"] in TOLERANCES else row for row in rows]


def _without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}
