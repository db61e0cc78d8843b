"""One network in every form in which torch saves it is read the same, number by number."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from instanseg_export import load_checkpoint
from instanseg_export.archives.torch_file import load_tensors
from support.training_runs import log_of, random_network, small_spec, upstream_state, write_log, write_run

State = dict[str, torch.Tensor]


def _flat(state: State) -> State:
    """All weights as views of one storage."""
    whole = torch.cat([tensor.flatten() for tensor in state.values() if tensor.is_floating_point()])
    views, start = {}, 0
    for name, tensor in state.items():
        if tensor.is_floating_point():
            views[name] = whole[start : start + tensor.numel()].view(tensor.shape)
            start += tensor.numel()
        else:
            views[name] = tensor
    return views


def _as(dtype: torch.dtype) -> Callable[[State], State]:
    return lambda state: {name: one.to(dtype) if one.is_floating_point() else one for name, one in state.items()}


CHANGES: dict[str, Callable[[State], Any]] = {
    "as it is": lambda state: state,
    "ordered": OrderedDict,
    "float64": _as(torch.float64),
    "float16": _as(torch.float16),
    "bfloat16": _as(torch.bfloat16),
    "views of one storage": _flat,
    "transposed": lambda state: {
        n: t.transpose(0, 1).contiguous().transpose(0, 1) if t.ndim > 1 else t for n, t in state.items()
    },
    "channels last": lambda state: {
        n: t.to(memory_format=torch.channels_last) if t.ndim == 4 else t for n, t in state.items()
    },
    "parameters": lambda state: {n: torch.nn.Parameter(t, t.is_floating_point()) for n, t in state.items()},
}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("new_form", [True, False])
@pytest.mark.parametrize("change", CHANGES)
def test_weights_are_those_that_were_saved(tmp_path: Path, change: str, new_form: bool, protocol: int) -> None:
    run = write_run(tmp_path / "run")
    state = CHANGES[change](upstream_state(random_network(small_spec())))
    optimiser = {
        "state": {0: {"step": torch.tensor(3.0), "exp_avg": torch.ones(2)}},
        "param_groups": [{"betas": (0.9, 0.99)}],
    }
    content = {"model_state_dict": state, "optimizer_state_dict": optimiser, "f1_score": np.float64(0.5)}
    options: dict[str, Any] = {"pickle_protocol": protocol, "_use_new_zipfile_serialization": new_form}
    torch.save(content, run / "model_weights.pth", **options)
    found = load_checkpoint(run).network.state_dict()
    expected = {name if name.startswith("pixel") else f"backbone.{name}": one for name, one in state.items()}
    for name, one in found.items():
        if not name.endswith("num_batches_tracked"):
            assert torch.equal(one, expected[name].detach().to(torch.float32)), name


@pytest.mark.parametrize("new_form", [True, False])
def test_what_else_training_saves_is_read(tmp_path: Path, new_form: bool) -> None:
    values = {
        "numbers": [1, -(2**70), 0.5, float("inf"), True, None, 1j],
        "texts": ["a", "µm", b"bytes", bytearray(b"more")],
        "containers": [(1, 2), {3, 4}, frozenset({5}), {"a": {0.5: [()]}}],
        "numpy": [np.float32(0.25), np.int64(-3), np.bool_(True), np.uint8(7)],
        "counter": Counter("aab"),
        "size": torch.Size([2, 3]),
    }
    expected = {**values, "numpy": [0.25, -3, True, 7], "counter": {"a": 2, "b": 1}, "size": (2, 3)}
    ignored = {
        "array": np.zeros(3),
        "date": np.datetime64("2001-01-01"),
        "sparse": torch.eye(2).to_sparse(),
        "device": torch.device("cpu"),
        "type": torch.float16,
        "default": defaultdict(list),
    }
    path = tmp_path / "x.pt"
    torch.save({**values, **ignored}, path, _use_new_zipfile_serialization=new_form)
    found = load_tensors(path)
    assert {name: found[name] for name in expected} == expected
    assert found.keys() == expected.keys() | ignored.keys()


@pytest.mark.parametrize("new_form", [True, False])
def test_shared_tensors_stay_shared(tmp_path: Path, new_form: bool) -> None:
    one = torch.arange(6.0)
    content = {"a": one, "b": one, "rows": one.view(2, 3), "column": one.view(2, 3)[:, 1], "empty": torch.zeros(0, 4)}
    torch.save(content, tmp_path / "x.pt", _use_new_zipfile_serialization=new_form)
    found = load_tensors(tmp_path / "x.pt")
    assert found["a"] is found["b"]
    assert all(torch.equal(found[name], tensor) for name, tensor in content.items())
    assert found["rows"].data_ptr() == found["a"].data_ptr()


def test_genuine_checkpoints_are_read_as_torch_reads_them(shared: Path) -> None:
    folders = [path for path in (shared / "checkpoints").iterdir() if path.is_dir()]
    assert len(folders) >= 4
    for folder in folders:
        (file,) = folder.glob("*.pth")
        ours, theirs = load_tensors(file), torch.load(file, map_location="cpu", weights_only=False)
        assert ours.keys() == theirs.keys()
        state = theirs["model_state_dict"]
        assert all(torch.equal(ours["model_state_dict"][name], tensor) for name, tensor in state.items())


def test_names_of_files_and_logs_are_cleaned(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a\x1b[31mb\nc")
    write_log(run, {**log_of(small_spec()), "source_dataset": "['one\x1b[31m', 'two\u202e']"})
    spec = load_checkpoint(run).spec
    assert spec.name == "a [31mb c"
    assert spec.source_datasets == ("one [31m", "two")
