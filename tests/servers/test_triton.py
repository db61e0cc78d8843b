"""Triton's configuration says what the file says, by the rules of its ONNX backend. Triton itself is not here."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from instanseg_export import PackageError, export_server
from instanseg_export.exported_model import open_model
from instanseg_export.servers import served_files, triton_config

TYPES = {
    "TYPE_FP32": "tensor(float)",
    "TYPE_FP16": "tensor(float16)",
    "TYPE_INT64": "tensor(int64)",
    "TYPE_INT32": "tensor(int32)",
    "TYPE_BOOL": "tensor(bool)",
}


def _schema() -> Any:
    """Triton's own description of a configuration, from its client's package, without the client: it needs gRPC."""
    found = importlib.util.find_spec("tritonclient")
    if found is None or found.origin is None:
        pytest.skip("needs tritonclient: pip install 'instanseg-export[test]'")
    path = Path(found.origin).parent / "grpc/model_config_pb2.py"
    spec = importlib.util.spec_from_file_location("model_config_pb2", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # made for protobuf 6, and fine with 7
        spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def schema() -> Any:
    return _schema()


def _check(text: str, file: Path, schema: Any) -> Any:
    """Parse a configuration strictly and hold it to the file, by the rules that the backend checks as it loads one."""
    config = text_format.Parse(text, schema.ModelConfig())
    session = ort.InferenceSession(file, providers=["CPUExecutionProvider"])
    required = {one.name: one for one in session.get_inputs()}
    settings = {one.name: one for one in session.get_overridable_initializers()}
    names = {kind: schema.DataType.Name(kind) for kind in {one.data_type for one in [*config.input, *config.output]}}
    assert config.backend == "onnxruntime"
    assert config.max_batch_size == 0  # as optional inputs need
    assert {one.name for one in config.input if not one.optional} == set(required)
    assert {one.name for one in config.input if one.optional} == set(settings)
    assert [one.name for one in config.output] == [one.name for one in session.get_outputs()]
    known = required | settings | {one.name: one for one in session.get_outputs()}
    for one in [*config.input, *config.output]:
        assert TYPES[names[one.data_type]] == known[one.name].type
        free = [size if isinstance(size, int) else -1 for size in known[one.name].shape]
        assert list(one.dims) == (free or [1])
    return config


def test_both_files_are_models_of_a_repository(server: Path, schema: Any) -> None:
    folders = sorted((server / "triton").iterdir())
    assert [folder.name for folder in folders] == ["nuclei_dsb2018", "nuclei_dsb2018_static"]
    for folder in folders:
        assert sorted(path.name for path in folder.iterdir()) == ["1", "config.pbtxt"]
        config = _check((folder / "config.pbtxt").read_text(), folder / "1/model.onnx", schema)
        assert config.name == folder.name
        assert (folder / "1" / config.default_model_filename).is_file()
        (accelerator,) = config.optimization.execution_accelerators.gpu_execution_accelerator
        assert (accelerator.name, dict(accelerator.parameters)) == ("cuda", {"use_tf32": "0"})
    dynamic, static = (text_format.Parse((one / "config.pbtxt").read_text(), schema.ModelConfig()) for one in folders)
    assert list(dynamic.input[0].dims) == [-1, 3, -1, -1]
    assert len(dynamic.input) == 9
    assert list(static.input[0].dims) == [1, 3, 96, 128]
    assert [one.name for one in static.output] == ["instance_segmentation", "seed_count", "incomplete"]


_NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12
)
_KINDS = st.sampled_from(
    [TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL, TensorProto.FLOAT16, TensorProto.INT32]
)


@settings(deadline=None, max_examples=40)
@given(
    names=st.lists(_NAMES, min_size=2, max_size=6, unique=True),
    kinds=st.lists(_KINDS, min_size=6, max_size=6),
    shape=st.lists(st.one_of(st.integers(1, 9), st.sampled_from(["batch", "height"])), min_size=1, max_size=5),
)
def test_any_signature_is_carried_over(
    names: list[str], kinds: list[int], shape: list[int | str], schema: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever tensors are called, of whatever type and size; all but the first are settings."""
    first, *others = names
    inputs = [helper.make_tensor_value_info(first, kinds[0], shape)]
    inputs += [helper.make_tensor_value_info(name, kind, []) for name, kind in zip(others, kinds[1:], strict=False)]
    defaults = []
    for name, kind in zip(others, kinds[1:], strict=False):
        defaults.append(numpy_helper.from_array(np.array(1, helper.tensor_dtype_to_np_dtype(kind)), name))
    output = helper.make_tensor_value_info(f"{first}'", kinds[0], shape)
    node = helper.make_node("Identity", [first], [f"{first}'"])
    kept = [helper.make_node("Identity", [name], [f"{name}''"]) for name in others]
    graph = helper.make_graph([node, *kept], "g", inputs, [output], defaults)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    file = tmp_path_factory.mktemp("signature") / "model.onnx"
    onnx.save(model, file)
    with open_model(file) as opened:
        (served,) = served_files(opened)
        _check(triton_config(served), file, schema)


def test_a_name_that_is_no_folder_is_made_one(both_files: Path, tmp_path: Path) -> None:
    for name in ("my model (2)", "..", "a/b"):
        place = tmp_path / name.replace("/", "_") if name != ".." else tmp_path / "dots"
        place.mkdir()
        file = place / f"{'..' if name == '..' else place.name}.onnx"
        file.write_bytes((both_files / "model.onnx").read_bytes())
        written = export_server(file, kinds=["triton"], output=tmp_path / "out" / place.name)
        (model,) = (written.folder / "triton").iterdir()
        assert model.name == written.models[0]
        assert set(model.name) <= set("abcdefghijklmnopqrstuvwxyz_.-0123456789")
        assert model.name.strip(".")


def test_a_package_without_onnx_is_refused(demo_package: Path, tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package/instanseg.pt").write_bytes((demo_package / "instanseg.pt").read_bytes())
    with pytest.raises(PackageError, match="has no ONNX file") as caught:
        export_server(tmp_path / "package", output=tmp_path / "server")
    assert "--targets onnx" in caught.value.hint
    assert not (tmp_path / "server").exists()
