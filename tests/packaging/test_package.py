"""Packages of genuine checkpoints, as the zoo, QuPath, Fiji and people see them."""

from __future__ import annotations

import filecmp
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from instanseg_export.errors import CardError, PackageError
from instanseg_export.families.outputs import label_map
from instanseg_export.families.registry import build_forward
from instanseg_export.images import read_image
from instanseg_export.packaging import choose_samples, default_card, zoo_test
from instanseg_export.packaging.fiji import MACROS
from instanseg_export.targets import write_artifact
from instanseg_export.targets.base import Artifact
from support.packaged import Exported, axes_of, rdf_of


@pytest.mark.parametrize("name", ["demo_folder", "channelnet_folder"])
def test_qupath_finds_what_it_reads(name: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(name)
    assert (folder / "instanseg.pt").is_file()
    assert (folder / "rdf.yaml").is_file(), "it lists no folder without"
    # It reads the first of these that is there.
    file = next(name for name in ("model.yaml", "model.yml", "rdf.yaml") if (folder / name).is_file())
    rdf = rdf_of(folder, file)
    # Its reader takes texts for these; without one of them it refuses the model.
    for key in ("format_version", "name", "description", "documentation", "license", "version"):
        assert isinstance(rdf[key], str), key
    assert all(isinstance(cover, str) for cover in rdf["covers"])
    assert rdf["authors"]
    assert tuple(map(int, rdf["format_version"].split("."))) > (0, 5, 0)
    assert rdf["documentation"] == f"{rdf['name']}_README.md"
    assert (folder / rdf["documentation"]).is_file()
    text = (folder / file).read_text(encoding="utf-8")
    assert not re.search(r"(?i)[^a-z]\.?(inf|nan)\b", text)
    assert "&id" not in text
    (tensor,) = rdf["inputs"]
    for axis in "yx":
        assert axes_of(tensor)[axis]["size"]["step"] == 1
    assert [output["id"] for output in rdf["outputs"]] == ["instance_segmentation"]


def test_qupath_reads_channels_and_pixel_size(demo_folder: Path, channelnet_folder: Path) -> None:
    rdf = rdf_of(demo_folder, "model.yml")
    assert axes_of(rdf["inputs"][0])["channel"]["channel_names"] == ["red", "green", "blue"]
    for tensor in (rdf["inputs"][0], rdf["outputs"][0]):
        for axis in "yx":
            assert axes_of(tensor)[axis]["scale"] == 0.5
            assert axes_of(tensor)[axis]["unit"] == "micrometer"
    assert axes_of(rdf["outputs"][0])["channel"]["channel_names"] == ["nuclei"]

    rdf = rdf_of(channelnet_folder)
    assert axes_of(rdf["inputs"][0])["c"] == {"type": "index", "id": "c", "size": {"min": 1, "step": 1}}
    assert axes_of(rdf["outputs"][0])["channel"]["channel_names"] == ["nuclei", "cells"]
    assert axes_of(rdf["outputs"][0])["x"]["scale"] == 1.0
    assert not (channelnet_folder / "model.yml").exists(), "its pixel size is not known"


def test_both_descriptions_differ_by_the_pixel_size_alone(demo_folder: Path) -> None:
    plain, qupath = rdf_of(demo_folder), rdf_of(demo_folder, "model.yml")
    assert [entry["source"] for entry in plain["attachments"][len(qupath["attachments"]) :]] == ["model.yml"]
    plain["attachments"].pop()
    assert plain["config"]["instanseg_export"]["pixel_size"] == {"y": 0.5, "x": 0.5}
    for tensor in (*plain["inputs"], *plain["outputs"]):
        for axis in tensor["axes"]:
            if axis["type"] == "space":
                assert axis.get("scale", 1.0) == 1.0
                axis |= {"unit": "micrometer", "scale": 0.5}
    assert plain == qupath


def test_the_description_says_what_the_files_are(demo: Exported, demo_folder: Path) -> None:
    rdf = rdf_of(demo_folder)
    assert rdf["weights"]["torchscript"]["pytorch_version"] == "2.0.0"
    assert rdf["weights"]["onnx"]["parent"] == "torchscript"
    assert rdf["weights"]["onnx"]["opset_version"] == 18
    ours = rdf["config"]["instanseg_export"]
    assert ours["source_sha256"] == demo.checkpoint.sha256
    assert ours["settings"]["seed_threshold"] == 0.7
    assert {row["name"] for row in ours["tunables"]} == set(ours["settings"])
    named = {entry["source"] for entry in rdf["attachments"]}
    named |= {rdf["documentation"], *rdf["covers"], "rdf.yaml", *(entry["source"] for entry in rdf["weights"].values())}
    for tensor in (*rdf["inputs"], *rdf["outputs"]):
        named |= {tensor["test_tensor"]["source"], tensor["sample_tensor"]["source"]}
    assert named == {path.name for path in demo_folder.iterdir()}, "every file is named, and every named file is there"


def test_test_tensors_are_raw_and_show_objects(demo: Exported, demo_folder: Path) -> None:
    image = np.load(demo_folder / "test-input.npy")
    labels = np.load(demo_folder / "test-output-instance_segmentation.npy")
    assert image.dtype == labels.dtype == np.float32
    assert image.shape == (1, 3, 256, 256)
    assert labels.shape == (1, 1, 256, 256)
    np.testing.assert_array_equal(image[0], demo.samples[0].image)
    assert set(np.unique(labels)) == set(range(demo.samples[0].objects + 1))
    # Clients that do not apply the declared preprocessing get the same instances.
    import torch

    raw = label_map(demo.forward(torch.from_numpy(image))).numpy()
    assert (raw != labels).mean() < 1e-4


def test_samples_are_there_to_open(demo: Exported, demo_folder: Path) -> None:
    for sample in demo.samples:
        stored = tifffile.imread(demo_folder / f"sample-{sample.name}.tif")
        assert stored.dtype == np.uint8
        np.testing.assert_array_equal(stored, sample.image)
        labels = tifffile.imread(demo_folder / f"sample-{sample.name}-labels.tif")
        assert len(np.unique(labels)) - 1 == sample.objects
        shown = read_image(demo_folder / f"sample-{sample.name}.tif")
        assert (shown.pixel_size, shown.channel_names) == ((0.5, 0.5), ("red", "green", "blue"))
        assert read_image(demo_folder / f"sample-{sample.name}-labels.tif").pixel_size == (0.5, 0.5)


@pytest.mark.parametrize("name", ["demo_folder", "channelnet_folder"])
def test_the_cover_is_small_and_shows_outlines(name: str, request: pytest.FixtureRequest) -> None:
    path: Path = request.getfixturevalue(name) / "cover.png"
    assert path.stat().st_size < 500_000
    with Image.open(path) as opened:
        picture = np.asarray(opened)
    height, width, colours = picture.shape
    assert (width, colours) == (2 * height, 3)
    left, right = picture[:, :height].astype(int), picture[:, height:].astype(int)
    changed = (left != right).any(axis=2).mean()
    assert 0.01 < changed < 0.5


def test_a_noisy_image_gives_a_cover_within_the_limit(demo: Exported, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 65536, (3, 512, 512)).astype(np.float32)
    sample = replace(demo.samples[0], image=noise)
    folder = demo.package(tmp_path / "package", samples=[sample])
    assert (folder / "cover.png").stat().st_size < 500_000
    assert tifffile.imread(folder / "sample-histology.tif").dtype == np.uint16


@pytest.mark.parametrize("pixel_size", [0.2, 0.497, 0.25, 1 / 3])
def test_sizes_survive_the_zoo_s_arithmetic_at_any_pixel_size(
    demo: Exported, tmp_path: Path, pixel_size: float
) -> None:
    checkpoint = replace(demo.checkpoint, spec=demo.checkpoint.spec.model_copy(update={"pixel_size": pixel_size}))
    card = demo.card.model_copy(update={"pixel_size": None})
    sample = replace(demo.samples[0], image=demo.samples[0].image[:, :96, :97])
    folder = demo.package(tmp_path / "package", checkpoint=checkpoint, card=card, samples=[sample])
    scale = rdf_of(folder, "model.yml")["inputs"][0]["axes"][2]["scale"]
    assert scale == pytest.approx(pixel_size, rel=1e-7)
    assert all(size * scale / scale == size for size in range(1, 5000))


def test_a_model_that_finds_nothing_says_so(demo: Exported, tmp_path: Path) -> None:
    forward = build_forward(demo.checkpoint, {"min_size": 1_000_000})
    samples = choose_samples(demo.checkpoint, forward)
    assert [sample.objects for sample in samples] == [0, 0]
    written = write_artifact("torchscript", forward, demo.checkpoint, tmp_path / "instanseg.pt")
    model = replace(demo, forward=forward, samples=samples, artifacts=[written])
    folder = model.package(tmp_path / "package")
    # The zoo takes no test output of zeros, and says so where there is none.
    assert "test_tensor" not in rdf_of(folder)["outputs"][0]
    (check,) = zoo_test(folder)
    assert not check.passed
    assert "instance_segmentation is zero all over the samples" in check.failures[0]
    text = (folder / "nuclei_dsb2018_README.md").read_text(encoding="utf-8")
    assert "finds nothing in any of the samples" in text
    assert "- **`min_size` = 1000000:** " in text


def test_a_sample_with_something_in_every_output_becomes_the_test(demo: Exported, tmp_path: Path) -> None:
    blank = replace(demo.samples[0], name="blank", image=np.zeros_like(demo.samples[0].image))
    folder = replace(demo, samples=[blank, *demo.samples]).package(tmp_path / "package")
    np.testing.assert_array_equal(np.load(folder / "test-input.npy")[0], demo.samples[0].image)
    assert np.load(folder / "test-output-instance_segmentation.npy").any()


def test_the_same_input_gives_the_same_bytes(demo: Exported, tmp_path: Path) -> None:
    one = demo.package(tmp_path / "here" / "one")
    two = demo.package(tmp_path / "there" / "else" / "two")
    names = sorted(path.name for path in one.iterdir())
    assert names == sorted(path.name for path in two.iterdir())
    matching, differing, failed = filecmp.cmpfiles(one, two, names, shallow=False)
    assert (sorted(matching), differing, failed) == (names, [], [])
    for path in one.iterdir():
        assert str(tmp_path).encode() not in path.read_bytes(), f"{path.name} names a folder of this machine"


def test_onnx_alone_and_torchscript_alone(demo: Exported, tmp_path: Path) -> None:
    for artifact in demo.artifacts:
        folder = demo.only(artifact.target).package(tmp_path / artifact.target)
        weights = rdf_of(folder)["weights"]
        assert list(weights) == [artifact.target]
        assert "parent" not in weights[artifact.target]
        text = (folder / "nuclei_dsb2018_README.md").read_text(encoding="utf-8")
        assert ("### QuPath" in text) == (artifact.target == "torchscript")
        assert ("ONNX Runtime" in text) == (artifact.target == "onnx")


def test_without_weights_that_the_zoo_knows_there_is_no_package(demo: Exported, tmp_path: Path) -> None:
    other = tmp_path / "model.mlpackage"
    other.write_bytes(b"x")
    alone = replace(demo, artifacts=[Artifact("coreml", other, "0" * 64, 1)])
    with pytest.raises(PackageError, match="needs TorchScript or ONNX weights, but there are coreml"):
        alone.package(tmp_path / "package")


def test_other_targets_are_attached(demo: Exported, tmp_path: Path) -> None:
    other = tmp_path / "model.other"
    other.write_bytes(b"x")
    more = replace(demo, artifacts=[*demo.artifacts, Artifact("other", other, "0" * 64, 1)])
    rdf = rdf_of(more.package(tmp_path / "package"))
    assert "model.other" in [entry["source"] for entry in rdf["attachments"]]


def test_a_card_that_does_not_fit_is_refused(demo: Exported, tmp_path: Path) -> None:
    card = demo.card.model_copy(update={"channel_names": ("DAPI",)})
    with pytest.raises(CardError, match="names 1 channels"):
        demo.package(tmp_path / "package", card=card)
    assert list((tmp_path / "package").glob("*.yaml")) == []


@pytest.mark.parametrize(
    ("name", "identifier"),
    [("Nuclei (DSB) + more", "nuclei-dsb-more"), ("12e45", "12e45"), ("+++++", "model"), ("2001-02-03", "2001-02-03")],
)
def test_any_name_makes_a_model(demo: Exported, tmp_path: Path, name: str, identifier: str) -> None:
    card = default_card(demo.checkpoint).model_copy(
        update={"name": name, "channel_names": ("1: DAPI", "β-actin", "GFP")}
    )
    folder = demo.only("torchscript").package(tmp_path / "package", card=card)
    assert (folder / f"{name}_README.md").is_file()
    assert all(check.passed for check in zoo_test(folder))
    sample = read_image(folder / f"sample-{demo.samples[0].name}.tif")
    assert (sample.channel_names, sample.pixel_size) == (("1: DAPI", "β-actin", "GFP"), (0.5, 0.5))
    for file in ("rdf.yaml", "model.yml"):
        rdf = rdf_of(folder, file)
        assert (rdf["name"], rdf["id"]) == (name, identifier)
        text = (folder / file).read_text(encoding="utf-8")
        # Readers in Java take more words for numbers than Python's does.
        assert re.search(rf"^name: '?{re.escape(name)}'?$", text, flags=re.MULTILINE)
        assert not re.search(r"^[^#']*: [-+.\d][-+.\d]*e[-+]?\d+$", text, flags=re.MULTILINE)


@pytest.mark.parametrize("name", ["demo_folder", "channelnet_folder", "multihead_folder"])
def test_jdll_finds_what_it_reads(name: str, request: pytest.FixtureRequest) -> None:
    """JDLL 0.5.10, 0.6.1 and 0.6.3; java_smoke has the whole list of what they ask for."""
    rdf = rdf_of(request.getfixturevalue(name))
    for key in ("format_version", "id", "name", "description", "license", "documentation"):
        assert isinstance(rdf[key], str), key
    assert isinstance(rdf["authors"], list)
    assert isinstance(rdf["cite"], list)
    assert "timestamp" not in rdf
    for tensor in (*rdf["inputs"], *rdf["outputs"]):
        for axis in tensor["axes"]:
            assert axis["type"] == "channel" or len(axis.get("id", "b")) == 1
            assert (axis["type"] == "batch") == ("id" not in axis)
            assert (axis["type"] == "channel") == ("channel_names" in axis)
            if isinstance(size := axis.get("size"), dict) and "tensor_id" in size:
                # It multiplies sizes by scales.
                assert (size["tensor_id"], size["axis_id"], axis["scale"]) == (rdf["inputs"][0]["id"], axis["id"], 1.0)


def test_one_structure_of_two_is_named_alone(channelnet: Exported, tmp_path: Path) -> None:
    forward = build_forward(channelnet.checkpoint, {"target_segmentation": "0,1"})
    folder = replace(channelnet, forward=forward).package(tmp_path / "package")
    assert axes_of(rdf_of(folder)["outputs"][0])["channel"]["channel_names"] == ["cells"]
    assert np.load(folder / "test-output-instance_segmentation.npy").shape[1] == 1
    assert 'newArray("cells")' in (folder / "labels_to_rois.ijm").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", MACROS)
def test_macros_are_well_formed(demo_folder: Path, name: str) -> None:
    text = (demo_folder / name).read_text(encoding="ascii")
    code = "\n".join(re.sub(r"//.*", "", line) for line in text.splitlines())
    assert code.count('"') % 2 == 0
    bare = re.sub(r'"[^"\n]*"', '""', code)
    stack = []
    for character in bare:
        if character in "([{":
            stack.append(character)
        elif character in ")]}":
            assert stack.pop() + character in ("()", "[]", "{}")
    assert stack == []
    for line in bare.splitlines():
        assert not line.strip() or line.rstrip()[-1] in ";{}", line
    if name == "labels_to_rois.ijm":
        assert 'newArray("nuclei")' in text
