"""What each command does: calls the API, and shows what comes back."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..api.options import BenchOptions, ExportOptions, ServerOptions, ValidateOptions
from .consent import with_trust
from .console import progress, result_console, show_json, show_table, size_of
from .tables import show_benchmark, show_precisions, show_report, show_zoo
from .usage import check_command

if TYPE_CHECKING:
    from ..benchmark.result import Benchmark
    from ..parity.report import Report

__all__ = [
    "bench_command",
    "doctor_command",
    "export_command",
    "export_server_command",
    "inspect_command",
    "validate_command",
]


def export_command(checkpoint: Path, options: ExportOptions | None, *, as_json: bool, quiet: bool) -> int:
    """Return 0 when the package was written, and 1 when its files disagree or fail the model zoo's test."""
    check_command(str(checkpoint))
    with progress(quiet=quiet) as shown:
        from ..api.export import export

        result = export(checkpoint, options, progress=shown)
    if as_json:
        show_json(
            {
                "folder": result.folder,
                "zip": result.zip,
                "artifacts": [dataclasses.asdict(artifact) for artifact in result.artifacts],
                "inferred": result.checkpoint.inferred,
                "agreed": None if result.report is None else result.report.passed,
                "precisions": [record.model_dump(mode="json") for record in result.precisions],
                "zoo": {check.weights: check.passed for check in result.zoo},
                "runtimes": [] if result.report is None else _runtimes_json(result.report),
                "seconds": round(result.seconds, 1),
            }
        )
    elif not quiet:
        console = result_console()
        for sentence in result.checkpoint.inferred:
            console.print(f"Inferred: {sentence}")
        rows = [(artifact.target, str(artifact.path), size_of(artifact.size)) for artifact in result.artifacts]
        rows.append(("package", str(result.zip), size_of(result.zip.stat().st_size)))
        show_table(f"Written in {result.seconds:.0f} s", ("what", "where", "size"), rows)
        if result.precisions:
            show_precisions(result.precisions)
        if result.report is not None:
            show_report(result.report)
            show_zoo(result.zoo)
        console.print(f"\nNext: instanseg-export run {result.folder} IMAGE")
        if any(artifact.target == "torchscript" for artifact in result.artifacts):
            console.print(f"      QuPath: close it, and copy {result.folder} into <model directory>/local/")
            console.print(f"      Fiji: Plugins > DeepImageJ > Install model manually, {result.zip}")
        if result.report is None:
            console.print(f"      Compare the runtimes: instanseg-export validate {result.folder}")
    return 1 if result.passed is False else 0


def inspect_command(path: Path, *, spec: Mapping[str, str] | None, as_json: bool) -> int:
    """Return 0."""
    with progress(quiet=True):
        from ..api.inspect import inspect

        found = inspect(path, spec=spec)
    if as_json:
        show_json(dataclasses.asdict(found))
        return 0
    console = result_console()
    show_table(str(path), ("", ""), found.rows())
    for sentence in found.inferred:
        console.print(f"Inferred: {sentence}")
    console.print(f"\nNext: {found.next_step}")
    return 0


def validate_command(
    path: Path, images: Sequence[Path] | None, options: ValidateOptions | None, *, as_json: bool, quiet: bool
) -> int:
    """Return 0 when all runtimes agree, else 1."""
    options = options or ValidateOptions()

    def work(trusted: bool) -> Report:
        with progress(quiet=quiet) as shown:
            from ..api.validate import validate

            return validate(path, options, images=images, trust=trusted, progress=shown)

    report = with_trust(work, options.trust)
    if as_json:
        show_json(json.loads(report.model_dump_json(exclude={"pictures"})) | {"agreed": report.passed})
    elif not quiet:
        show_report(report)
        if options.output is not None:
            result_console().print(
                f"\nWritten: {Path(options.output, 'report.html')}, report.md and report.json beside it."
            )
            if options.baseline is None:
                recorded = Path(options.output, "report.json")
                result_console().print(f"Next: validate with --baseline {recorded} to see later what has drifted")
        else:
            result_console().print(
                f"\nNext: instanseg-export validate {path} --output report  (pictures of the differences)"
            )
    return 0 if report.passed else 1


def bench_command(
    models: Sequence[Path],
    images: Sequence[Path] | None,
    options: BenchOptions | None,
    *,
    as_json: bool,
    quiet: bool,
) -> int:
    """Return 0: a runtime that is missing or fails is a row, as long as one was measured."""
    options = options or BenchOptions()

    def work(trusted: bool) -> Benchmark:
        with progress(quiet=quiet) as shown:
            from ..api.bench import bench

            return bench(models, options, images=images, trust=trusted, progress=shown)

    result = with_trust(work, options.trust)
    if as_json:
        show_json(result.document())
    elif not quiet:
        show_benchmark(result)
        if options.output is not None:
            result_console().print(f"\nWritten: {Path(options.output, 'bench.json')}, and bench.png beside it.")
    return 0


def export_server_command(path: Path, options: ServerOptions | None, *, as_json: bool, quiet: bool) -> int:
    """Return 0."""
    with progress(quiet=quiet):
        from ..api.export_server import export_server

        written = export_server(path, options)
    if as_json:
        show_json(dataclasses.asdict(written))
    elif not quiet:
        console = result_console()
        console.print(f"Written: {written.folder} for {', '.join(written.kinds)}; models: {', '.join(written.models)}")
        if "triton" in written.kinds:
            console.print(f"\nNext: tritonserver --model-repository {(written.folder / 'triton').absolute()}")
        if "http" in written.kinds:
            folder = written.folder / "http"
            console.print(f"\nNext: pip install -r {folder / 'requirements.txt'} && python {folder / 'server.py'}")
    return 0


def doctor_command(*, build_runtimes: bool, as_json: bool) -> int:
    """Return 0: what is missing is a fact, not a failure."""
    with progress(quiet=as_json or not build_runtimes) as shown:
        from ..api.doctor import doctor

        findings = doctor(build_runtimes=build_runtimes, progress=shown)
    if as_json:
        show_json({"findings": [dataclasses.asdict(finding) for finding in findings]})
        return 0
    rows = [
        (one.group, one.name, one.state, f"{one.detail}\n-> {one.remedy}" if one.remedy else one.detail)
        for one in findings
    ]
    show_table("This machine", ("", "", "", ""), rows)
    return 0


def _runtimes_json(report: Report) -> list[dict[str, Any]]:
    return [runtime.model_dump(mode="json") for runtime in report.runtimes]
