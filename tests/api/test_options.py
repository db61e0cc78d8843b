"""An option is defined once, and is a field, a keyword and a flag."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from instanseg_export import (
    BenchOptions,
    EvaluateOptions,
    ExportOptions,
    ExportWebOptions,
    PublishOptions,
    RunOptions,
    ServeOptions,
    ServerOptions,
    SettingError,
    ValidateOptions,
    bench,
    evaluate,
    export,
    export_server,
    publish,
    run,
    validate,
)
from instanseg_export.api import options

Done = subprocess.CompletedProcess
VERBS = {
    "export": ExportOptions,
    "validate": ValidateOptions,
    "run": RunOptions,
    "bench": BenchOptions,
    "evaluate": EvaluateOptions,
    "export-server": ServerOptions,
    "publish": PublishOptions,
    "serve": ServeOptions,
    "export-web": ExportWebOptions,
}
RENAMED = {"settings": "--set"}


@pytest.mark.parametrize("kind", VERBS.values())
def test_keywords_are_the_fields(kind: type[Any]) -> None:
    keywords = getattr(options, kind.__name__.replace("Options", "Keywords"))
    hints = get_type_hints(kind)
    assert get_type_hints(keywords) == {field.name: hints[field.name] for field in fields(kind)}
    assert not keywords.__required_keys__


@pytest.mark.parametrize("verb", VERBS)
def test_every_field_is_a_flag_with_help(verb: str) -> None:
    """Each is listed with a text beside it, which a docstring that cannot be parsed would lose."""
    from instanseg_export.cli.app import app

    parser = app if verb == "export" else app[verb]
    found = {
        name: argument.parameter.help
        for argument in parser.assemble_argument_collection(parse_docstring=True)
        for name in argument.names
    }
    for field in fields(VERBS[verb]):
        flag = RENAMED.get(field.name, "--" + field.name.replace("_", "-"))
        assert len(found[flag] or "") > 10, flag
        assert "\n" not in (found[flag] or ""), flag


@pytest.mark.parametrize("kind", VERBS.values())
def test_they_are_frozen(kind: type[Any]) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(kind(), fields(kind)[0].name, True)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ExportOptions(tta=True, settings={"tta": False}), "asked for twice"),
        (lambda: RunOptions(time_limit=0), "time limit"),
        (lambda: ValidateOptions(time_limit=float("nan")), "time limit"),
        (lambda: BenchOptions(turns=0), "number of turns"),
        (lambda: EvaluateOptions(iou=0), "no IoU"),
        (lambda: EvaluateOptions(iou=float("nan")), "no IoU"),
        (lambda: EvaluateOptions(stability=-1), "stability"),
        (lambda: EvaluateOptions(time_limit=0), "time limit"),
        (lambda: ServerOptions(kinds=()), "no list of servers"),
        (lambda: PublishOptions(abort=True, draft=True), "both left in place and removed"),
    ],
)
def test_what_contradicts_itself_is_never_made(make: Callable[[], object], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        make()


@pytest.mark.parametrize(
    ("verb", "inputs"),
    [(export, 1), (validate, 1), (run, 2), (bench, 1), (evaluate, 3), (export_server, 1), (publish, 1)],
)
def test_an_unknown_keyword_is_refused(verb: Callable[..., object], inputs: int, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="outptu"):
        verb(*[tmp_path] * inputs, outptu=tmp_path)


def test_keywords_win_over_the_options(demo_package: Path, tmp_path: Path) -> None:
    """The rest of the options stays in force."""
    image = next((Path(__file__).resolve().parents[2] / "model_zoo/nuclei_dsb2018/images").glob("histology.*"))
    chosen = RunOptions(output=tmp_path / "a", table="csv", region=(0, 0, 64, 48))
    result = run(demo_package, image, chosen, output=tmp_path / "b")
    assert result.labels.parent == tmp_path / "b"
    assert result.region == (0, 0, 64, 48)
    assert result.objects == tmp_path / "b/histology_objects.csv"
    assert not (tmp_path / "a").exists()


def test_images_may_be_files(demo_package: Path, tmp_path: Path) -> None:
    """As on the command line; the report is written where it is asked for, and never over the image."""
    image = next((Path(__file__).resolve().parents[2] / "model_zoo/nuclei_dsb2018/images").glob("histology.*"))
    report = validate(demo_package, images=[image], runtimes=["torchscript", "onnxruntime"], output=tmp_path / "report")
    assert [record.name for record in report.images] == [image.name]
    assert (tmp_path / "report/report.json").is_file()
    with pytest.raises(SettingError, match="none are given"):
        validate(demo_package, channels=[1])
