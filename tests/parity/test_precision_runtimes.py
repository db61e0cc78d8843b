"""Files of reduced precision are judged in ONNX Runtime, and in the runtimes that say they judge them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from instanseg_export import targets
from instanseg_export.errors import ParityError
from instanseg_export.parity import quantization
from instanseg_export.parity.precision_records import PrecisionRecord, require_kept
from instanseg_export.parity.quantization import PrecisionFiles, compare_precisions
from instanseg_export.parity.render import precision_row
from instanseg_export.runtimes.registry import read_runtime
from support.programs import program

Write = Callable[..., Path]

JUDGES = "judges_precisions = true"
LOSES = "labels = labels * ('int8' not in arguments.model)"
REFUSES = "print(json.dumps({'input': None, 'error': 'too new', 'unavailable': True}), flush=True); sys.exit(1)"


def test_each_runtime_that_judges_has_a_row(
    tmp_path: Path, write_runtime: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [
        write_runtime("first", source=program()),
        write_runtime("silent", source=program()),
        write_runtime("agreeing", source=program(), more=JUDGES),
        write_runtime("losing", source=program(during=LOSES), more=JUDGES),
        write_runtime("refusing", source=program(before=REFUSES), more=JUDGES),
        write_runtime("lacking", source=program(), modules=("no_such_module",), more=JUDGES),
    ]
    runtimes = [read_runtime(folder) for folder in folders]
    monkeypatch.setattr(quantization, "preferred_runtimes", lambda device: runtimes)
    monkeypatch.setattr(targets, "require_metadata", lambda path: SimpleNamespace(calibration=None))
    for name in ("instanseg.pt", "int8.pt"):
        (tmp_path / name).write_bytes(b"weights")
    image = np.zeros((1, 16, 16), dtype=np.float32)
    image[:, 4:8, 4:8] = 200
    files = PrecisionFiles(tmp_path / "instanseg.pt", {"int8": tmp_path / "int8.pt"}, [image], "a square")
    records = compare_precisions(files)
    titles = {runtime.name: runtime.title for runtime in runtimes}
    assert [record.runtime for record in records] == [titles["first"], titles["agreeing"], titles["losing"]]
    assert {record.reference_runtime for record in records} == {titles["first"]}
    assert [record.decides for record in records] == [True, False, False]
    assert [record.status for record in records] == ["passed", "passed", "passed"]
    assert [record.instances for record in records] == [1, 1, 0]
    assert precision_row(records[0])[0] == f"int8.pt in {titles['first']}"
    assert precision_row(records[1])[0] == f"int8.pt in {titles['agreeing']}"
    failed = records[2].model_copy(update={"status": "failed", "why": "it lost all"})
    require_kept([records[0], failed])
    with pytest.raises(ParityError, match="it lost all"):
        require_kept([failed.model_copy(update={"runtime": titles["first"]})])


def test_where_no_runtime_takes_the_files_a_record_says_so(
    tmp_path: Path, write_runtime: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking = read_runtime(write_runtime("lacking", source=program(), modules=("no_such_module",)))
    monkeypatch.setattr(quantization, "preferred_runtimes", lambda device: [lacking])
    monkeypatch.setattr(targets, "require_metadata", lambda path: SimpleNamespace(calibration=None))
    (tmp_path / "int8.pt").write_bytes(b"weights")
    image = np.zeros((1, 16, 16), dtype=np.float32)
    files = PrecisionFiles(tmp_path / "instanseg.pt", {"int8": tmp_path / "int8.pt"}, [image], "nothing")
    (record,) = compare_precisions(files)
    assert (record.status, record.images) == ("not run", 0)
    assert "no_such_module" in record.why
    with pytest.raises(ParityError, match=r"int8\.pt was not compared with fp32: .*no_such_module"):
        require_kept([record])
    require_kept([record.model_copy(update={"allowed": True})])


def test_records_of_earlier_versions_decide_where_they_name_no_runtime() -> None:
    old = {"precision": "int8", "file": "model.int8.onnx", "sha256": "", "size": 1, "status": "passed"}
    assert PrecisionRecord.model_validate(old).decides
    assert not PrecisionRecord.model_validate({**old, "runtime": "OpenVINO"}).decides
