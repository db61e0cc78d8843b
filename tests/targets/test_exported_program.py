"""The .pt2 file: its passes, how it is called, that every size is alike to it, and which programs are not run."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from instanseg_export import build_forward, inspect, load_checkpoint, validate
from instanseg_export.errors import ExportError, PackageError, UntrustedFileError
from instanseg_export.images.synthetic import standard_images
from instanseg_export.images.synthetic_volumes import standard_volumes
from instanseg_export.runtimes.process import run_runtime
from instanseg_export.runtimes.registry import find_runtime
from instanseg_export.targets import write_artifact
from instanseg_export.targets.capture import capture, shared_captures
from instanseg_export.targets.exported_program.code import suspicious
from instanseg_export.targets.exported_program.passes import (
    AddSettings,
    AddSums,
    DropAssertions,
    HideStages,
    StripDescriptions,
)
from instanseg_export.targets.program import calls, changeable
from instanseg_export.targets.trust import check_trust
from instanseg_export.testing.small_forward import SmallForward, small_checkpoint, small_image
from support.embedseg_runs import write_volume_run
from support.paths import DEMO

Document = dict[str, Any]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small forward as a file. Copy it before you change it."""
    path = tmp_path_factory.mktemp("small") / "model.pt2"
    write_artifact("exported_program", SmallForward(), small_checkpoint(), path)
    return path


# The passes


class Halves(nn.Module):
    """Asks of a size what only some sizes are, and adds three of them."""

    def forward(self, image: Tensor) -> Tensor:
        torch._check(image.shape[0] % 2 == 1)
        height, width = image.shape[1], image.shape[2]
        padded = nn.functional.pad(image, [0, height, height, width])
        return padded.sum() + torch.sym_sum([image.shape[0], height, width])


@pytest.fixture(scope="module")
def odd() -> torch.export.ExportedProgram:
    """A program that refuses even batches, with a sum of three sizes."""
    shape = {axis: torch.export.Dim(name, min=1, max=64) for axis, name in enumerate(("batch", "height", "width"))}
    return torch.export.export(
        Halves(),
        (torch.rand(3, 5, 7),),
        dynamic_shapes=(shape,),
        prefer_deferred_runtime_asserts_over_guards=True,
    )


def test_sums_of_sizes_become_additions(odd: torch.export.ExportedProgram) -> None:
    program = changeable(odd)
    assert any(calls(program, torch.sym_sum))
    AddSums()(program)
    assert not any(calls(program, torch.sym_sum))
    assert any(calls(odd, torch.sym_sum)), "the program of others was changed"
    image = torch.rand(5, 9, 4)
    torch.testing.assert_close(program.module()(image), Halves()(image))


def test_assertions_about_sizes_go(odd: torch.export.ExportedProgram) -> None:
    program, even = changeable(odd), torch.rand(4, 9, 4)
    with pytest.raises((RuntimeError, AssertionError)):
        odd.module()(even)
    AddSums()(program)
    DropAssertions()(program)
    assert not any(calls(program, torch.ops.aten._assert_scalar.default))
    program.module()(even)


def test_settings_become_buffers_and_stages_internal() -> None:
    captured = capture(SmallForward(), ["normalize", "level"])
    program = changeable(captured.program)
    AddSettings(captured.settings)(program)
    HideStages(captured.stage_names, ["labels"])(program)
    StripDescriptions()(program)
    program.validate()
    module, image = program.module(), small_image(20, 33, 2)
    assert torch.equal(module(image), SmallForward()(image))
    dict(module.named_buffers())["level"].fill_(0.85)
    assert torch.equal(module(image), SmallForward()(image, {"level": torch.tensor(0.85)}))
    assert len(captured.program.module()(image, captured.settings)) == 3, "the shared capture was changed"


def test_a_pass_names_itself_where_the_program_is_not_what_it_requires() -> None:
    captured = capture(SmallForward(), ["level"])
    with pytest.raises(ValueError, match="AddSettings: there are 2 inputs for an image and 2 settings"):
        AddSettings(captured.settings | {"more": torch.tensor(1)})(changeable(captured.program))
    with pytest.raises(ValueError, match="HideStages: there are 3 outputs for 1 stages"):
        HideStages(["labels"], ["labels"])(changeable(captured.program))


def test_it_shares_the_capture_with_onnx(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    captures = []
    export = torch.export.export

    def counted(*arguments: Any, **options: Any) -> torch.export.ExportedProgram:
        captures.append(arguments)
        return export(*arguments, **options)

    monkeypatch.setattr(torch.export, "export", counted)
    forward = SmallForward()
    with shared_captures():
        write_artifact("exported_program", forward, small_checkpoint(), tmp_path / "model.pt2")
        write_artifact("onnx", forward, small_checkpoint(), tmp_path / "model.onnx")
    write_artifact("onnx", SmallForward(), small_checkpoint(), tmp_path / "alone.onnx")
    assert len(captures) == 2
    assert (tmp_path / "model.onnx").read_bytes() == (tmp_path / "alone.onnx").read_bytes()


class Unusual(nn.Module):
    """Uses an operator of which nobody has said that it only computes."""

    def forward(self, image: Tensor) -> Tensor:
        values: Tensor = torch.special.i0(image[:, :1])
        return values


def test_an_operator_that_would_not_be_trusted_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="special_i0") as caught:
        write_artifact("exported_program", SmallForward(Unusual()), small_checkpoint(), tmp_path / "model.pt2")
    assert caught.value.step == "check"
    assert list(tmp_path.iterdir()) == []


# The file


def test_it_is_called_in_three_lines(small: Path) -> None:
    module = torch.export.load(small).module()
    image = small_image(21, 34)
    assert torch.equal(module(image), SmallForward()(image))
    module.get_buffer("level").fill_(0.85)
    assert torch.equal(module(image), SmallForward()(image, {"level": torch.tensor(0.85)}))


def test_the_demo_finds_the_same_cells_in_every_size(demo_program: Path, tmp_path: Path) -> None:
    """Sizes that need no padding too, odd ones, a single pixel, batches; and nothing."""
    check_trust(demo_program)
    forward = build_forward(load_checkpoint(DEMO))
    images = [image.batch() for image in standard_images(3) if image.name != "thousands of seeds"]
    shapes = [image.shape for image in images]
    assert any(shape[2] % 16 == shape[3] % 16 == 0 for shape in shapes)
    assert any(shape[0] > 1 for shape in shapes)
    assert any(shape[2] % 2 and shape[3] % 2 for shape in shapes)
    inputs = [tmp_path / f"{number}.npy" for number in range(len(images))]
    for path, image in zip(inputs, images, strict=True):
        np.save(path, image.astype(np.float32))
    runtime = find_runtime("exported_program")
    outputs = [path.with_suffix(".npz") for path in inputs]
    for outcome, image in zip(run_runtime(runtime, demo_program, inputs, outputs), images, strict=True):
        assert outcome.error == ""
        with torch.inference_mode():
            expected = forward(torch.from_numpy(image.astype(np.float32)))
        np.testing.assert_array_equal(outcome.labels(), expected.numpy())


@pytest.mark.slow
def test_volumes_are_found_alike(tmp_path: Path) -> None:
    checkpoint = load_checkpoint(write_volume_run(tmp_path / "run"))
    forward = build_forward(checkpoint)
    write_artifact("exported_program", forward, checkpoint, tmp_path / "model.pt2")
    module = torch.export.load(tmp_path / "model.pt2").module()
    for volume in standard_volumes(1):
        if volume.name in ("nuclei", "odd sizes"):
            image = torch.from_numpy(volume.batch().astype(np.float32))
            with torch.inference_mode():
                expected = forward(image)
                assert expected.any()
                assert torch.equal(module(image), expected)


# Programs of others


def change(source: Path, path: Path, edit: Callable[[Document], None]) -> Path:
    """Copy a file and change its program."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith("models/model.json"):
                document = json.loads(data)
                edit(document)
                data = json.dumps(document).encode()
            new.writestr(name, data)
    return path


def nodes(document: Document) -> list[Document]:
    found: list[Document] = document["graph_module"]["graph"]["nodes"]
    return found


EDITS: dict[str, tuple[Callable[[Document], None], str]] = {
    "a function": (lambda model: nodes(model)[0].update(target="torch.hub.load"), "the function torch.hub.load"),
    "a file": (
        lambda model: nodes(model)[0].update(target="torch.ops.aten.from_file.default"),
        "the function torch.ops.aten.from_file.default",
    ),
    "a member": (lambda model: nodes(model)[0].update(target="_operator.attrgetter"), "_operator.attrgetter"),
    "guards": (lambda model: model["guards_code"].append("open('x', 'w')"), "guards, which are compiled"),
    "an expression": (
        lambda model: nodes(model)[0]["inputs"].append({"arg": {"as_expr": {"expr_str": "print(1)"}}}),
        "the size print(1)",
    ),
    "a hidden expression": (
        lambda model: nodes(model)[0]["inputs"].append({"arg": {"as_expr": {"expr_str": "Add(Integer(1), x())"}}}),
        "the size Add",
    ),
    "a symbol": (lambda model: model["range_constraints"].update({"exit()": {}}), "a size with an odd name"),
    "an object": (
        lambda model: nodes(model)[0]["inputs"].append({"arg": {"as_custom_obj": {"name": "x"}}}),
        "an argument that is no value",
    ),
    "remarks": (lambda model: nodes(model)[0].update(metadata={"source_fn_stack": "x"}), "remarks of the exporter"),
    "a class": (
        lambda model: model["graph_module"]["module_call_graph"][0]["signature"].update(
            in_spec='[1, {"type": "os.system", "context": "null", "children_spec": []}]'
        ),
        "a structure of a class of its own",
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_program_that_does_more_than_compute_is_not_run_whatever_it_says(
    small: Path, tmp_path: Path, edit: str
) -> None:
    check_trust(small)
    function, found = EDITS[edit]
    path = change(small, tmp_path / "model.pt2", function)
    with pytest.raises(UntrustedFileError) as caught:
        check_trust(path)
    assert found in caught.value.message
    assert "--trust" in caught.value.hint
    check_trust(path, trusted=True)


@pytest.mark.parametrize(
    ("member", "found"),
    [
        ("archive/data/aotinductor/model/x.so", "machine code"),
        ("archive/data/constants/custom_obj_0", "custom_obj_0, which no file of ours has"),
    ],
)
def test_a_file_with_more_than_a_program_is_not_run(small: Path, tmp_path: Path, member: str, found: str) -> None:
    path = change(small, tmp_path / "model.pt2", lambda model: None)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(member, "code")
    assert any(found in one for one in suspicious(path))


def test_a_tensor_that_is_unpickled_and_example_inputs_are_not_read(small: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.pt2"
    with zipfile.ZipFile(small) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            data = old.read(name).replace(b'"use_pickle": false', b'"use_pickle": true')
            new.writestr(name, b"pickle" if name.endswith("sample_inputs/model.pt") else data)
    found = suspicious(path)
    assert "a tensor that is unpickled" in found
    assert any("sample_inputs" in one for one in found)


def test_a_program_of_others_is_run_only_once_it_is_trusted(tmp_path: Path) -> None:
    program = torch.export.export(SmallForward(), (small_image(20, 30),))
    torch.export.save(program, tmp_path / "model.pt2")
    with pytest.raises(UntrustedFileError, match="was not written by instanseg-export"):
        validate(tmp_path / "model.pt2", runtimes=["exported_program"])


def test_no_program_at_all_is_an_error_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "model.pt2"
    for data in (b"PK\3\4", b"PK\3\4" + b"\0" * 100):
        path.write_bytes(data)
        with pytest.raises(PackageError, match=r"model\.pt2"):
            suspicious(path)
        with pytest.raises(PackageError, match=r"model\.pt2"):
            inspect(path)
