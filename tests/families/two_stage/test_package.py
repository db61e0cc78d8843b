"""Packages of models with a row per label, by the zoo's own test."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from instanseg_export import build_forward, load_checkpoint
from support.exported_models import write_both
from support.packaged import exported_from
from support.two_stage_models import CLASSES, SEGMENTATION, classified_recipe, positivity_recipe

pytest.importorskip("torchvision")
pytest.importorskip("timm")


@pytest.mark.slow
@pytest.mark.parametrize("family", ["classified", "positivity"])
def test_the_zoo_takes_both_formats(family: str, tmp_path: Path) -> None:
    from bioimageio.core import test_model as run_the_zoos_test

    recipe = classified_recipe(tmp_path) if family == "classified" else positivity_recipe(tmp_path, SEGMENTATION)
    checkpoint = load_checkpoint(recipe)
    write_both(checkpoint, build_forward(checkpoint), tmp_path)
    folder = exported_from(recipe, tmp_path).package(tmp_path / "package")
    outputs = yaml.safe_load((folder / "rdf.yaml").read_text())["outputs"]
    names = ["instance_segmentation", "detection_logits", "detection_classes"]
    assert [output["id"] for output in outputs] == names[: len(outputs)]
    assert len(outputs) == (3 if family == "classified" else 2)
    if family == "classified":
        assert outputs[2]["data"]["values"] == CLASSES
    for weights in ("torchscript", "onnx"):
        summary = run_the_zoos_test(folder / "rdf.yaml", weight_format=weights, stop_early=False)
        assert summary.status == "passed", summary
