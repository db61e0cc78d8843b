"""What commands found, as tables and sentences on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .console import result_console, show_table

if TYPE_CHECKING:
    from ..benchmark.result import Benchmark
    from ..packaging import ZooCheck
    from ..parity.precision_records import PrecisionRecord
    from ..parity.records import RuntimeRecord
    from ..parity.report import Report

__all__ = ["show_benchmark", "show_precisions", "show_report", "show_zoo"]


def show_zoo(checks: Sequence[ZooCheck]) -> None:
    """Say what bioimageio.core's test found."""
    console = result_console()
    passed = [check.weights for check in checks if check.passed]
    if passed:
        console.print(f"The model zoo's own test (bioimageio.core) passes for {' and '.join(passed)}.")
    for check in checks:
        for failure in check.failures:
            console.print(f"The model zoo's own test fails for {check.weights}: {failure}")


def show_precisions(records: Sequence[PrecisionRecord]) -> None:
    """Show what files of reduced precision find beside fp32."""
    from ..parity.render import PRECISION_COLUMNS, precision_row

    rows = [precision_row(record) for record in records]
    kept = [place for place in range(len(PRECISION_COLUMNS)) if any(row[place] for row in rows)]
    result_console().print()
    headings = [PRECISION_COLUMNS[place] for place in kept]
    show_table("Reduced precision, compared with fp32", headings, [[row[place] for place in kept] for row in rows])


def show_report(report: Report) -> None:
    """Show a row for each runtime, and the outcome in words."""
    from ..parity.records import worst

    rows = []
    for runtime in report.runtimes:
        cells = report.results_of(runtime.name, runtime.device)
        worst_cell = worst(cells)
        compared = [cell.comparison for cell in cells if cell.comparison is not None]
        found = sum(cell.instances or 0 for cell in cells)
        matched = sum(comparison.matched_99 for comparison in compared)
        expected = sum(comparison.reference_instances for comparison in compared)
        rows.append(
            (
                runtime.label,
                _outcome(runtime),
                "" if runtime.status == "not run" or runtime.network_only else str(found),
                f"{matched} of {expected}" if compared else "",
                f"{worst_cell.ppm:.1f} ppm" if worst_cell else "",
                runtime.why or ("network only: its output was compared" if runtime.network_only else ""),
            )
        )
    headings = ("runtime", "outcome", "instances", "same to IoU 0.99", "worst image differs in", "")
    console = result_console()
    title = f"Compared on {len(report.images)} images"
    console.print()
    show_table(title, headings, rows)
    for note in dict.fromkeys(note for image in report.images for note in image.notes):
        console.print(f"Note: {note}")
    if report.baseline is not None and report.baseline.drifts:
        from ..parity.render import DRIFT_COLUMNS, drift_row

        console.print()
        show_table("Drifted from the baseline", DRIFT_COLUMNS, [drift_row(one) for one in report.baseline.drifts])
        console.print()
    for note in () if report.baseline is None else report.baseline.notes:
        console.print(f"Note: {note}")
    console.print(report.summary())


def _outcome(runtime: RuntimeRecord) -> str:
    if runtime.reference and runtime.status == "passed":
        return "reference"
    return "failed, allowed" if runtime.status == "failed" and not runtime.exact else runtime.status


def show_benchmark(result: Benchmark) -> None:
    """Show a table for each image, and beneath it what a reader of the figures must know."""
    console = result_console()
    console.print(
        f"{result.machine['processor']}, {result.machine['cores']} cores; {result.device}; threads: {result.threads}; "
        f"turns: {result.turns}, each after {result.warm_up} runs that are not counted"
    )
    several = len({row.model for row in result.rows}) > 1
    headings = ["runtime", "seconds (min to max)", "norm.", "network", "post-proc.", "peak memory", "Mpx/s", "objects"]
    headings = [*(["model"] if several else []), *headings, "objects/s"]
    headings += ["times faster", "memory ratio"] if several else []
    for image in result.images:
        rows = [row for row in result.rows if row.image == image["name"]]
        table = []
        for row in rows:
            start = [row.model] if several else []
            if row.seconds is None:
                table.append([*start, row.title, row.status, *[""] * (len(headings) - len(start) - 2)])
                continue
            parts = [f"{seconds:.3f}" for seconds in (row.split_s or {}).values()] or ["not split", "", ""]
            cells = [
                f"{row.title} {row.version}",
                f"{row.seconds:.3f} ({row.fastest_s:.3f} to {row.slowest_s:.3f})",
                *parts,
                "" if row.peak_mb is None else f"{row.peak_mb:.0f} MB",
                f"{row.megapixels_per_s:.3g}",
                str(row.objects),
                f"{row.objects_per_s:.0f}",
            ]
            ratios = [f"{ratio:.2f}" if ratio else "" for ratio in (row.times_faster, row.memory_ratio)]
            table.append([*start, *cells, *(ratios if several else [])])
        console.print()
        show_table(f"{image['name']}, {' x '.join(map(str, image['shape']))}: {image['note']}", headings, table)
        for floor in result.floors:
            if floor.image == image["name"] and floor.gflop is not None and floor.seconds is not None:
                model = f" of {floor.model}" if several else ""
                console.print(
                    f"Floor: the network{model} takes {floor.gflop:.1f} GFLOP, and at this machine's matrix peak, "
                    f"{result.matrix_peak_gflops:.0f} GFLOP/s, {floor.seconds:.3f} s."
                )
    console.print()
    for row in result.rows:
        if row.why:
            where = f" on {row.image}" if row.image else ""
            console.print(f"{row.title}, {row.model}{where}: {row.status}: {row.why}")
    unsplit = {row.title: row.not_split for row in result.rows if row.not_split}
    for title, why in unsplit.items():
        console.print(f"{title}: time not split: {why}")
    for peer in sorted({row.compared_to for row in result.rows if row.compared_to}):
        console.print(f"Ratios are to {peer}.")
    for note in result.notes:
        console.print(f"Note: {note}")
