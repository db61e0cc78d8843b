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
from instanseg_export.parity.quantization import PrecisionFiles, compare_precisions, require_kept
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
    assert [record.runtime for record in records] == ["", titles["agreeing"], titles["losing"]]
    assert [record.status for record in records] == ["passed", "passed", "passed"]
    assert [record.instances for record in records] == [1, 1, 0]
    assert precision_row(records[0])[0] == "int8.pt"
    assert precision_row(records[1])[0] == f"int8.pt in {titles['agreeing']}"
    failed = records[2].model_copy(update={"status": "failed", "why": "it lost all"})
    require_kept([records[0], failed])
    with pytest.raises(ParityError, match="it lost all"):
        require_kept([failed.model_copy(update={"runtime": ""})])
