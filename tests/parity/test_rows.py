"""Runtimes that crash, hang, babble or are not there are rows of the report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from programs import program

from instanseg_export.api.validate import validate
from instanseg_export.images.named import NamedImage

Write = Callable[..., Path]


def test_bad_runtimes_are_rows_of_the_report(package: Path, write_runtime: Write, squares: NamedImage) -> None:
    crash = write_runtime("crashing", source=program(during="os.abort()"))
    hang = write_runtime("hanging", source=program(during="time.sleep(600)"), start_limit=1)
    garbage = write_runtime("babbling", source="print('hello')")
    absent = write_runtime("absent", source="", modules=("no_such_module",), hint="pip install no-such-module")
    no_command = write_runtime("no_command", source="", command=("no-such-program", "--version"))
    wrong_shape = write_runtime("cropping", source=program(during="labels = labels[..., 1:]"))
    no_file = write_runtime("no_file", source="", filename="model.bin")
    bad = [crash, hang, garbage, absent, no_command, wrong_shape, no_file]
    # The limit counts from the moment that the model is loaded, so that the start of PyTorch is not in it.
    report = validate(package, runtimes=["torchscript", *map(str, bad)], images=[squares], time_limit=5, trust=True)
    found = {runtime.name: (runtime.status, runtime.why) for runtime in report.runtimes}
    assert found["torchscript"][0] == "passed"
    assert report.status == "failed"
    for name, status, words in [
        ("crashing", "failed", "SIGABRT"),
        ("hanging", "failed", "the time limit"),
        ("babbling", "failed", "'hello'"),
        ("cropping", "failed", "its label map has shape (2, 1, 64, 79)"),
        ("absent", "not run", "Python does not find no_such_module"),
        ("no_command", "not run", "there is no program no-such-program"),
        ("no_file", "not run", "there is no model.bin here"),
    ]:
        assert found[name][0] == status
        assert words in found[name][1]
    row = next(runtime for runtime in report.runtimes if runtime.name == "absent")
    assert row.install == "pip install no-such-module"


def test_with_nothing_to_compare_the_report_does_not_pass(package: Path, squares: NamedImage) -> None:
    report = validate(package / "instanseg.pt", images=[squares], trust=True)
    assert report.status == "not run"
    assert not report.passed
    eager = next(runtime for runtime in report.runtimes if runtime.name == "torch_eager")
    assert (eager.status, "does not describe its network" in eager.why) == ("not run", True)
    assert "it takes two runtimes" in report.summary()


def test_the_reference_is_the_one_of_the_lowest_rank(package: Path, write_runtime: Write, squares: NamedImage) -> None:
    """Also where it was not asked for; TorchScript has rank 20."""
    for rank, reference in ((19, "mine"), (21, "torchscript")):
        mine = str(write_runtime("mine", more=f"rank = {rank}"))
        report = validate(package, runtimes=[mine], images=[squares], trust=True)
        assert report.reference is not None
        assert report.reference.name == reference


def test_what_nobody_asked_for_or_trusts_is_no_reference(
    package: Path, write_runtime: Write, squares: NamedImage, tmp_path: Path
) -> None:
    (tmp_path / "mine.bin").write_bytes(b"a format of its own")
    (tmp_path / "instanseg.pt").write_bytes((package / "instanseg.pt").read_bytes())
    mine = str(write_runtime("mine", source=program(), filename="mine.bin"))
    for trust, reference in ((True, "torchscript"), (False, "mine")):
        report = validate(tmp_path, runtimes=[mine], images=[squares], trust=trust)
        assert report.reference is not None
        assert report.reference.name == reference
