"""What each command does: calls the API, and shows what comes back."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .consent import with_trust
from .console import progress, result_console, show_json, show_table, size_of
from .tables import show_benchmark, show_precisions, show_report, show_zoo
from .usage import check_command, check_targets, pairs

if TYPE_CHECKING:
    from ..benchmark.result import Benchmark
    from ..images.named import NamedImage
    from ..parity.report import Report

__all__ = [
    "bench_command",
    "doctor_command",
    "export_command",
    "inspect_command",
    "validate_command",
]


def export_command(
    checkpoint: Path,
    *,
    targets: Sequence[str],
    output: Path | None,
    settings: Sequence[str],
    tta: bool,
    spec: Sequence[str],
    card: Path | None,
    samples: Sequence[Path],
    precision: Sequence[str],
    calibrate: Path | None,
    labelled: Path | None,
    allow_loss: bool,
    overwrite: bool,
    validate: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Return 0 when the package was written, and 1 when its files disagree or fail the model zoo's test."""
    check_command(str(checkpoint))
    names = check_targets(targets)
    baked, facts = pairs("--set", settings), pairs("--spec", spec)
    with progress(quiet=quiet) as callback:
        from ..api.export import export

        result = export(
            checkpoint,
            targets=names,
            output=output,
            settings=baked,
            tta=tta,
            spec=facts,
            card=card,
            samples=list(samples) or None,
            precision=precision,
            calibrate=calibrate,
            labelled=labelled,
            allow_loss=allow_loss,
            overwrite=overwrite,
            validate=validate,
            progress=callback,
        )
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


def inspect_command(path: Path, *, spec: Sequence[str], as_json: bool) -> int:
    """Return 0."""
    with progress(quiet=True):
        from ..api.inspect import inspect

        found = inspect(path, spec=pairs("--spec", spec))
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
    path: Path,
    *,
    images: Sequence[Path],
    channels: Sequence[str],
    runtimes: Sequence[str],
    output: Path | None,
    device: str,
    settings: Sequence[str],
    time_limit: float,
    trust: bool,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Return 0 when all runtimes agree, else 1."""
    changed = pairs("--set", settings)

    def work(trusted: bool) -> Report:
        with progress(quiet=quiet) as callback:
            from ..api.validate import validate

            with _folder(output, "report", overwrite, [path, *images]) as folder:
                report = validate(
                    path,
                    images=_given(images, path, channels),
                    runtimes=list(runtimes) or None,
                    device=device,
                    time_limit=time_limit,
                    settings=changed,
                    trust=trusted,
                    progress=callback,
                )
                if folder is not None:
                    report.write(folder)
                return report

    report = with_trust(work, trust)
    if as_json:
        show_json(json.loads(report.model_dump_json(exclude={"pictures"})) | {"agreed": report.passed})
    elif not quiet:
        show_report(report)
        if output is not None:
            result_console().print(f"\nWritten: {output / 'report.html'}, report.md and report.json beside it.")
        else:
            result_console().print(
                f"\nNext: instanseg-export validate {path} --output report  (pictures of the differences)"
            )
    return 0 if report.passed else 1


def bench_command(
    models: Sequence[Path],
    *,
    images: Sequence[Path],
    channels: Sequence[str],
    size: int | None,
    objects: int | None,
    runtimes: Sequence[str],
    threads: int | None,
    turns: int,
    device: str,
    settings: Sequence[str],
    time_limit: float,
    output: Path | None,
    trust: bool,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Return 0: a runtime that is missing or fails is a row, as long as one was measured."""
    changed = pairs("--set", settings)

    def work(trusted: bool) -> Benchmark:
        with progress(quiet=quiet) as callback:
            from ..api.bench import bench

            with _folder(output, "benchmark", overwrite, [*models, *images]) as folder:
                result = bench(
                    models,
                    images=_given(images, models[0], channels),
                    size=size,
                    objects=objects,
                    runtimes=list(runtimes) or None,
                    threads=threads,
                    turns=turns,
                    device=device,
                    settings=changed,
                    time_limit=time_limit,
                    trust=trusted,
                    progress=callback,
                )
                if folder is not None:
                    result.write(folder)
                return result

    result = with_trust(work, trust)
    if as_json:
        show_json(result.document())
    elif not quiet:
        show_benchmark(result)
        if output is not None:
            result_console().print(f"\nWritten: {output / 'bench.json'}, and bench.png beside it.")
    return 0


def doctor_command(*, build_runtimes: bool, as_json: bool) -> int:
    """Return 0: what is missing is a fact, not a failure."""
    with progress(quiet=as_json or not build_runtimes) as callback:
        from ..api.doctor import doctor

        findings = doctor(build_runtimes=build_runtimes, progress=callback)
    if as_json:
        show_json({"findings": [dataclasses.asdict(finding) for finding in findings]})
        return 0
    rows = [
        (one.group, one.name, one.state, f"{one.detail}\n-> {one.remedy}" if one.remedy else one.detail)
        for one in findings
    ]
    show_table("This machine", ("", "", "", ""), rows)
    return 0


@contextlib.contextmanager
def _folder(output: Path | None, kind: str, overwrite: bool, inputs: Sequence[Path]) -> Iterator[Path | None]:
    """Yield the folder to write to, refused before the work begins if it cannot be; None if none is asked for."""
    if output is None:
        yield None
        return
    from ..files import staged_folder

    with staged_folder(output, kind=kind, overwrite=overwrite, inputs=inputs) as folder:
        yield folder


def _given(paths: Sequence[Path], model: Path, channels: Sequence[str]) -> list[NamedImage] | None:
    """Return the images of ``--images``; None where there are none."""
    from ..errors import SettingError
    from ..parity.given import read_given

    if channels and not paths:
        raise SettingError("--channels chooses channels of --images, and none are given.", hint="Add --images.")
    return read_given(paths, model, list(channels) or None) if paths else None


def _runtimes_json(report: Report) -> list[dict[str, Any]]:
    return [runtime.model_dump(mode="json") for runtime in report.runtimes]
