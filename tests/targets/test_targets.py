"""What each exported file is: self-contained, described, reproducible, and refused in words when it is damaged."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from instanseg_export import __version__, build_forward, load_checkpoint
from instanseg_export.errors import OutputError, PackageError, UnknownNameError
from instanseg_export.families.instanseg.forward import Intermediates
from instanseg_export.files import sha256_of
from instanseg_export.metadata import FORMAT
from instanseg_export.targets import TARGETS, read_metadata, require_metadata, target_of, write_artifact
from support.exported_models import MODELS, OnnxModel
from support.paths import ROOT, VARIANTS

FILES = {"torchscript": "instanseg.pt", "onnx": "model.onnx"}
Exported = Callable[[str], Path]

each_variant = pytest.mark.parametrize("variant", VARIANTS)
each_target = pytest.mark.parametrize("target", FILES)


@each_target
@each_variant
def test_file_describes_itself(exported: Exported, shared: Path, variant: str, target: str) -> None:
    metadata = require_metadata(exported(variant) / FILES[target])
    checkpoint = load_checkpoint(shared / "checkpoints" / variant)
    forward = build_forward(checkpoint)
    assert metadata.format == FORMAT
    assert metadata.version == __version__
    assert metadata.target == target
    assert metadata.spec.whole() == checkpoint.spec.model_dump(mode="json")
    assert type(checkpoint.spec).model_validate(metadata.spec.whole()) == checkpoint.spec
    assert metadata.source_sha256 == sha256_of(shared / "checkpoints" / variant / "model_weights.pth")
    assert metadata.baked == forward.baked
    assert list(metadata.stages) == (list(forward.stage_names) if target == "onnx" else [])
    rows = {row.name: row for row in metadata.setting_rows}
    assert list(rows) == [setting.name for setting in forward.settings]
    assert (rows["mask_threshold"].minimum, rows["mask_threshold"].maximum) == (0.01, 0.99)
    assert rows["normalize"].choices == ("auto", "always", "never")
    fixed = {name for name, row in rows.items() if row.fixed}
    in_graph = {"window_size", "target_segmentation"} & set(rows) if target == "onnx" else set()
    assert fixed == {"tta"} | in_graph


@each_variant
def test_onnx_file_is_what_it_promises(exported: Exported, variant: str) -> None:
    path = exported(variant) / "model.onnx"
    model = onnx.load(path, load_external_data=False)
    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version == 10
    assert {entry.domain: entry.version for entry in model.opset_import}[""] == 18
    assert {entry.domain for entry in model.opset_import} <= {"", "pkg.onnxscript.torch_lib.common"}
    assert not any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in model.graph.initializer)
    assert [path.name for path in sorted(path.parent.iterdir())] == ["instanseg.pt", "model.onnx"]

    structures = len(require_metadata(path).contract.structures)
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    (image,), (labels,) = session.get_inputs(), session.get_outputs()
    channels = "channels" if variant == "nuclei_cells_channelnet" else 3
    assert (image.name, image.type, image.shape) == ("image", "tensor(float)", ["batch", channels, "height", "width"])
    assert (labels.name, labels.type) == ("instance_segmentation", "tensor(float)")
    assert labels.shape == ["batch", structures, "height", "width"]


@each_variant
def test_settings_are_overridable_initializers(exported: Exported, variant: str) -> None:
    path = exported(variant) / "model.onnx"
    metadata = require_metadata(path)
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    types = {node.name: node.type for node in session.get_overridable_initializers()}
    kinds = {"float": "tensor(float)", "int": "tensor(int64)", "choice": "tensor(int64)", "bool": "tensor(bool)"}
    assert types == {row.name: kinds[row.kind] for row in metadata.setting_rows if not row.fixed}
    defaults = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer}
    for name in types:
        assert defaults[name].shape == ()
        baked = metadata.baked[name]
        expected = ("auto", "always", "never").index(baked) if name == "normalize" else baked
        assert defaults[name] == np.array(expected, dtype=defaults[name].dtype)


@each_target
@each_variant
def test_stages_are_as_documented(exported: Exported, variant: str, target: str) -> None:
    channels = 4 if variant == "nuclei_cells_channelnet" else 3
    image = np.random.default_rng(0).random((2, channels, 40, 52), dtype=np.float32)
    spec = require_metadata(exported(variant) / FILES[target]).spec.whole()
    stages = MODELS[target](exported(variant)).stages(image, seed_threshold=0.4)
    assert set(stages) == set(Intermediates._fields)
    count, structures = len(stages["seeds"]), len(spec["structures"])
    expected = {
        "normalize": (np.float32, (2, channels, 40, 52)),
        "network": (np.float32, (2, sum(map(sum, spec["backbone"]["heads"])), 40, 52)),
        "seeds": (np.int64, (count, 3)),
        "cluster": (np.float32, (count,)),
        "paint": (np.float32, (2, structures, 40, 52)),
        "labels": (np.float32, (2, structures, 40, 52)),
    }
    assert {name: (value.dtype, value.shape) for name, value in stages.items()} == expected


@each_variant
def test_disabled_optimisation_gives_the_same_labels(exported: Exported, shared: Path, variant: str) -> None:
    reference = np.load(shared / "golden" / variant / "dsb_5ddbfba25194.npz")
    image = reference["input"][None, :, :160, :160]
    image = np.ascontiguousarray(image)
    default = OnnxModel(exported(variant))(image)
    assert default.any()
    np.testing.assert_array_equal(OnnxModel(exported(variant), optimised=False)(image), default)


@each_target
@each_variant
def test_nothing_of_this_machine_is_in_the_file(exported: Exported, variant: str, target: str) -> None:
    content = (exported(variant) / FILES[target]).read_bytes()
    if target == "torchscript":
        with zipfile.ZipFile(exported(variant) / FILES[target]) as archive:
            content = b"".join(archive.read(name) + name.encode() for name in archive.namelist())
    machine = {str(ROOT), str(Path.home()), sys.prefix, str(Path(onnx.__file__).parents[1]), "site-packages", "/tmp/"}
    for text in machine - {"/", "/usr"}:
        assert text.encode() not in content, f"{text} is in the file"
    assert not re.search(rb'File \\?"|line \d+, in |Traceback', content)


@pytest.mark.slow
@each_target
def test_file_is_the_same_in_another_process(exported: Exported, shared: Path, tmp_path: Path, target: str) -> None:
    """The processes differ in the hashes of their strings and in the folder that they run in.

    PyTorch numbers the classes that it compiles, so what TorchScript was compiled earlier in a process shows.
    """
    program = (
        "import sys; from pathlib import Path; from instanseg_export import build_forward, load_checkpoint;"
        "from instanseg_export.targets import write_artifact; source, target, path = sys.argv[1:];"
        "checkpoint = load_checkpoint(source);"
        "print(write_artifact(target, build_forward(checkpoint), checkpoint, Path(path)).sha256)"
    )
    hashes = set() if target == "torchscript" else {sha256_of(exported("nuclei_batchnorm") / FILES[target])}
    for seed in ("1", "2") if target == "torchscript" else ("1",):
        folder = tmp_path / f"folder {seed}"
        folder.mkdir()
        command = [sys.executable, "-W", "ignore", "-c", program, shared / "checkpoints" / "nuclei_batchnorm", target]
        done = subprocess.run(
            [*map(str, command), str(folder / FILES[target])],
            env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed, "PATH": ""},
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
        hashes.add(done.stdout.strip())
    assert len(hashes) == 1


def test_torchscript_file_stands_alone(exported: Exported, shared: Path, tmp_path: Path) -> None:
    """A process that cannot import this package loads it and finds the same cells."""
    image = np.load(shared / "golden" / "nuclei_batchnorm" / "dsb_5ddbfba25194.npz")["input"][None]
    np.save(tmp_path / "image.npy", image)
    program = (
        "import sys, numpy, torch; sys.modules['instanseg_export'] = None;"
        "module = torch.jit.load(sys.argv[1]);"
        "numpy.save('labels.npy', module(torch.from_numpy(numpy.load('image.npy'))).numpy())"
    )
    path = str(exported("nuclei_batchnorm") / "instanseg.pt")
    subprocess.run([sys.executable, "-W", "ignore", "-c", program, path], cwd=tmp_path, check=True)
    labels = np.load(tmp_path / "labels.npy")
    assert labels.max() > 10
    np.testing.assert_array_equal(labels, MODELS["torchscript"](exported("nuclei_batchnorm"))(image))


@each_target
@pytest.mark.parametrize("damage", ["empty", "cut", "noise", "flipped"])
def test_damaged_file_is_refused(exported: Exported, tmp_path: Path, target: str, damage: str) -> None:
    whole = (exported("nuclei_batchnorm") / FILES[target]).read_bytes()
    path = tmp_path / FILES[target]
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]  # one bit, among the weights
    path.write_bytes({"empty": b"", "cut": whole[:middle], "noise": b"\x07\xff" * 500, "flipped": flipped}[damage])
    with pytest.raises(PackageError) as caught:
        read_metadata(path)
    assert str(path) in caught.value.message
    assert "xport" in caught.value.hint


@each_target
def test_files_of_others_do_not_describe_themselves(tmp_path: Path, target: str) -> None:
    path = tmp_path / FILES[target]
    if target == "onnx":
        onnx.save(onnx.helper.make_model(onnx.helper.make_graph([], "empty", [], [])), path)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", b"nothing of ours")
    assert read_metadata(path) is None
    with pytest.raises(PackageError, match="carries no description of its own"):
        require_metadata(path)


def test_metadata_of_a_newer_format_is_refused(exported: Exported, tmp_path: Path) -> None:
    model = onnx.load(exported("nuclei_batchnorm") / "model.onnx")
    newer = {"format": FORMAT + 1, "version": "9.9"}
    onnx.helper.set_model_props(model, {"instanseg_export": json.dumps(newer)})
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(PackageError, match=r"newer version \(9\.9\)"):
        read_metadata(tmp_path / "model.onnx")


def test_missing_file_and_unknown_format_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="There is no file"):
        read_metadata(tmp_path / "model.onnx")
    (tmp_path / "model.tflite").touch()
    with pytest.raises(PackageError) as caught:
        read_metadata(tmp_path / "model.tflite")
    assert "onnx (.onnx)" in caught.value.hint


def test_unknown_target_suggests_the_right_one() -> None:
    with pytest.raises(UnknownNameError) as caught:
        TARGETS.get("onx")
    assert "Did you mean 'onnx'?" in caught.value.hint
    assert "torchscript" in caught.value.hint


@each_target
def test_flags_of_a_target(target: str) -> None:
    """Both formats can do all that a target may promise; the tests above show that it is so.

    ``test_folders.py`` has a format that cannot.
    """
    member = TARGETS.get(target)
    assert (member.name, member.filename) == (target, FILES[target])
    assert member.artefact == "file"
    assert member.traces == (target == "onnx")
    assert member.overridable
    assert member.dynamic_shapes
    assert member.exposes_stages
    assert member.unavailable() is None
    assert target_of(Path(member.filename)) is member


def test_torchscript_is_refused_on_python_3_14(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 14, 0))
    assert "3.14" in str(TARGETS.get("torchscript").unavailable())


def test_unwritable_place_leaves_nothing_behind(shared: Path, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(shared / "checkpoints" / "nuclei_batchnorm")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="Cannot write"):
        write_artifact("torchscript", build_forward(checkpoint), checkpoint, tmp_path / "file" / "instanseg.pt")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
