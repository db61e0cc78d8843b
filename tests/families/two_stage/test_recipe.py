"""Recipes: two checkpoints become one, in every form in which a classifier's weights are saved, or one clear error."""

from __future__ import annotations

import builtins
import json
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from instanseg_export.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from instanseg_export.errors import CheckpointError, SpecError, UnsafeFileError
from instanseg_export.families.two_stage.spec import ClassifiedSpec, MarkerPositivitySpec
from support.two_stage_models import (
    CLASSES,
    SEGMENTATION,
    classified_recipe,
    crop_classifier,
    positivity_classifier,
    positivity_recipe,
    save,
    write_recipe,
)

pytest.importorskip("torchvision")
pytest.importorskip("timm")


def same_weights(first: Checkpoint, second: Checkpoint) -> bool:
    a, b = first.network.state_dict(), second.network.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a if "num_batches" not in name)


def refused(path: Path, fact: str, kind: type[CheckpointError] = SpecError, **overrides: str) -> str:
    """The hint of loading ``path``, which fails for the stated reason."""
    with pytest.raises(kind, match=fact) as caught:
        load_checkpoint(path, spec=overrides)
    assert caught.value.hint.endswith(".")
    return caught.value.hint


def test_a_recipe_joins_two_checkpoints(tmp_path: Path) -> None:
    path = classified_recipe(tmp_path, name="immune cells", pixel_size=0.25)
    checkpoint = load_checkpoint(path)
    spec = checkpoint.spec
    assert isinstance(spec, ClassifiedSpec)
    assert (spec.name, spec.classes, spec.pixel_size, spec.channels) == ("immune cells", tuple(CLASSES), 0.25, 3)
    assert spec.structures == ("nuclei",)
    assert spec.segmentation.pixel_size == 0.5
    assert spec.resampling == 0.5
    assert spec.classifier == crop_classifier_spec(embedding=16, logits=6, stem_padding=0)
    assert (spec.first_logit, spec.divisor) == (0, 255)
    assert checkpoint.reader == "recipe"
    trained = load_checkpoint(SEGMENTATION).network.state_dict()
    found = checkpoint.network.get_submodule("segmentation").state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in trained.items())


def crop_classifier_spec(**fields: Any) -> Any:
    from instanseg_export.families.two_stage.classifier_spec import CropClassifierSpec

    return CropClassifierSpec(architecture="mobilenetv4_conv_small", channels=3, **fields)


def test_defaults_are_those_of_the_thesis(tmp_path: Path) -> None:
    spec = load_checkpoint(classified_recipe(tmp_path, crop_size=None)).spec
    assert isinstance(spec, ClassifiedSpec)
    assert (spec.crop_size, spec.pixel_size, spec.name) == (128, 0.5, "recipe")


@pytest.mark.parametrize("wrapper", ["model_state_dict", "state_dict", None, "torchscript", "safetensors", "training"])
def test_weights_are_read_in_every_form(tmp_path: Path, wrapper: str | None) -> None:
    expected = load_checkpoint(classified_recipe(tmp_path))
    network, file = crop_classifier(), tmp_path / "classifier.pth"
    if wrapper == "torchscript":
        torch.jit.save(torch.jit.script(network), file)
    elif wrapper == "safetensors":
        from safetensors.torch import save_file

        save_file(network.state_dict(), file)
    elif wrapper == "training":
        state = {f"path_classifier.{name}": tensor for name, tensor in network.state_dict().items()}
        torch.save({"state_dict": state, "epoch": 3}, file)
    else:
        torch.save(network.state_dict() if wrapper is None else {wrapper: network.state_dict()}, file)
    assert same_weights(load_checkpoint(tmp_path / "recipe.yaml"), expected)


@pytest.mark.parametrize("architecture", ["efficientnet_v2_s", "mobilenetv4_conv_medium"])
def test_networks_of_torchvision_and_timm_are_read_under_their_own_names(tmp_path: Path, architecture: str) -> None:
    ours = crop_classifier(architecture=architecture, embedding=None, logits=3, stem_padding=1)
    layer = "classifier.1" if architecture.startswith("efficient") else "classifier"
    theirs = {
        name.removeprefix("model.").replace("classifier.0", layer): tensor for name, tensor in ours.state_dict().items()
    }
    torch.save(theirs, tmp_path / "classifier.pth")
    checkpoint = load_checkpoint(write_recipe(tmp_path, classes=CLASSES))
    assert isinstance(checkpoint.spec, ClassifiedSpec)
    seen = checkpoint.spec.classifier
    assert (seen.architecture, seen.embedding, seen.logits, seen.stem_padding) == (architecture, None, 3, 1)
    found = checkpoint.network.get_submodule("classifier").state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in ours.state_dict().items() if "batches" not in name)


def test_marker_positivity(tmp_path: Path) -> None:
    save(positivity_classifier(norms=True, inducing_points=5), tmp_path / "classifier.pth")
    checkpoint = load_checkpoint(write_recipe(tmp_path, family="positivity", heads=8))
    assert isinstance(checkpoint.spec, MarkerPositivitySpec)
    seen = checkpoint.spec.classifier
    assert (seen.architecture, seen.embedding, seen.heads) == ("mobilenetv4_conv_small", 64, 8)
    assert (seen.inducing_points, seen.norms, checkpoint.spec.crop_size) == (5, True, 64)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("family", ["classified", "positivity"])
def test_both_stages_are_saved_in_one_file(tmp_path: Path, family: str, suffix: str) -> None:
    make = classified_recipe(tmp_path) if family == "classified" else positivity_recipe(tmp_path, SEGMENTATION)
    checkpoint = load_checkpoint(make)
    path = tmp_path / f"both{suffix}"
    save_checkpoint(checkpoint, path)
    again = load_checkpoint(path)
    assert again.spec == checkpoint.spec
    assert same_weights(again, checkpoint)
    assert load_checkpoint(path, spec={"name": "other", "pixel_size": "0.25"}).spec.pixel_size == 0.25
    if family == "classified":
        changed = load_checkpoint(path, spec={"classes": "a, b, c", "first_logit": "3"}).spec
        assert isinstance(changed, ClassifiedSpec)
        assert (changed.classes, changed.first_logit) == (("a", "b", "c"), 3)


def test_a_recipe_can_be_json(tmp_path: Path) -> None:
    save(crop_classifier(), tmp_path / "classifier.pth")
    fields = {"family": "classified", "segmentation": str(SEGMENTATION), "classifier": "classifier.pth"}
    (tmp_path / "both.json").write_text(json.dumps({**fields, "classes": CLASSES}))
    assert load_checkpoint(tmp_path / "both.json").spec.name == "both"


@pytest.mark.parametrize(
    ("fields", "fact"),
    [
        ({"classes": ["a", "b", "c", "d"]}, "classes has 4 names, but the classifier gives 6 logits"),
        ({"classes": ["a", "a", "b"]}, "names of their own"),
        ({"classes": ["alone"]}, "classes"),
        ({"classes": []}, "names no classes"),
        ({"first_logit": 2}, "starts at 0, 3"),
        ({"first_logit": 6}, "starts at 0, 3"),
        ({"pixel_size": -1}, "pixel_size"),
        ({"pixel_size": 50.0}, "factor of 32"),
        ({"crop_size": 3}, "crop_size"),
        ({"clases": CLASSES}, "'clases', which no recipe has"),
        ({"family": "clasified"}, "family"),
        ({"family": "positivity"}, "names classes"),
        ({"family": None}, "family"),
        ({"segmentation": None}, "segmentation"),
    ],
    ids=str,
)
def test_recipes_that_do_not_fit_are_refused(tmp_path: Path, fields: dict[str, Any], fact: str) -> None:
    refused(classified_recipe(tmp_path, **fields), fact)


def test_overrides_are_checked_like_the_recipe(tmp_path: Path) -> None:
    path = classified_recipe(tmp_path)
    refused(path, "classes has 5 names", classes="a,b,c,d,e")
    assert "Did you mean 'classes'" in refused(path, "no field 'clases'", clases="a,b,c")
    refused(path, "cannot be read", first_logit="third")


def test_files_that_are_missing_or_wrong(tmp_path: Path) -> None:
    path = classified_recipe(tmp_path)
    file = tmp_path / "classifier.pth"
    weights = crop_classifier().state_dict()

    refused(write_recipe(tmp_path, segmentation="gone.pt", classes=CLASSES), r"gone\.pt", CheckpointError)
    refused(write_recipe(tmp_path, segmentation="recipe.yaml", classes=CLASSES), "another recipe", CheckpointError)
    write_recipe(tmp_path, classes=CLASSES)

    torch.save({"model.conv_stem.weight": weights["model.conv_stem.weight"]}, file)
    refused(path, "look like a trunk of timm, but fit none")
    torch.save({"weight": torch.ones(3)}, file)
    assert "efficientnet_v2_l" in refused(path, "of no known trunk")
    torch.save({**weights, "classifier.3.weight": torch.full((6, 16), torch.nan)}, file)
    refused(path, "NaN", CheckpointError)
    torch.save({name: tensor for name, tensor in weights.items() if name != "classifier.3.bias"}, file)
    refused(path, r"lacks classifier\.3\.bias", CheckpointError)
    save(crop_classifier(channels=5), file)
    refused(path, "takes 5 channels, but what segments takes 3")
    file.write_bytes(file.read_bytes()[:1000])
    refused(path, "damaged", CheckpointError)
    file.write_bytes(b"")
    refused(path, "is empty", CheckpointError)
    file.unlink()
    refused(path, "does not exist", CheckpointError)
    save(crop_classifier(), file)
    path.write_text("classes: [a, b\nfamily: {")
    refused(path, "cannot be read")
    path.write_text("just words")
    refused(path, "holds no fields")


@pytest.mark.parametrize("network", [crop_classifier, positivity_classifier])
def test_a_classifier_alone_is_told_that_it_needs_a_recipe(tmp_path: Path, network: Any) -> None:
    hint = refused(save(network(), tmp_path / "alone.pth"), "a recipe joins with a segmentation", CheckpointError)
    assert "recipe that names a segmentation and a classifier" in hint


def test_nothing_in_a_classifier_or_a_recipe_is_executed(tmp_path: Path) -> None:
    witness = tmp_path / "witness"

    class Attack:
        def __reduce__(self) -> Any:
            return builtins.open, (str(witness), "w")

    path = classified_recipe(tmp_path)
    (tmp_path / "classifier.pth").write_bytes(pickle.dumps({"model_state_dict": Attack()}))
    refused(path, "open", UnsafeFileError)
    path.write_text(f"family: !!python/object/apply:builtins.open ['{witness}', 'w']\n")
    refused(path, "cannot be read")
    assert not witness.exists()


@pytest.mark.parametrize(("library", "architecture"), [("timm", "mobilenetv4"), ("torchvision", "efficientnet_v2")])
def test_a_missing_package_is_named_with_the_way_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str, architecture: str
) -> None:
    suffix = "_conv_small" if library == "timm" else "_s"
    save(crop_classifier(architecture=architecture + suffix), tmp_path / "classifier.pth")
    path = write_recipe(tmp_path, classes=CLASSES)
    monkeypatch.setitem(sys.modules, library, None)
    hint = refused(path, f"comes from {library}, which is not installed", CheckpointError)
    assert hint == "Run: pip install 'instanseg-export[classify]'."
