"""An IAUNet from its checkpoint to the masks that a user gets."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from instanseg_export import build_forward, run
from instanseg_export.errors import OutputError
from instanseg_export.targets import write_artifact
from support.iaunet_models import random_checkpoint


def test_run_writes_whole_masks_beside_the_label_map(tmp_path: Path) -> None:
    checkpoint = random_checkpoint()
    write_artifact("torchscript", build_forward(checkpoint), checkpoint, tmp_path / "instanseg.pt")
    image = np.random.default_rng(0).integers(0, 255, (70, 90, 3), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "cells.tif", image, photometric="rgb")
    result = run(tmp_path / "instanseg.pt", tmp_path / "cells.tif", output=tmp_path)
    assert result.masks == tmp_path / "cells_masks.json"
    content = json.loads(result.masks.read_text())
    labels = tifffile.imread(result.labels)
    found = content["annotations"]
    assert [one["id"] for one in found] == list(range(1, len(found) + 1))
    assert 0 < labels.max() <= len(found)
    assert {one["category_id"] for one in found} <= {1, 2}
    assert [one["name"] for one in content["categories"]] == ["cell", "nucleus"]
    for one in found:
        assert one["area"] >= (labels == one["id"]).sum()
        assert 0.5 < one["score"] <= 1
    coco = pytest.importorskip("pycocotools.mask")
    for one in found:
        assert coco.decode(one["segmentation"])[labels.squeeze() == one["id"]].all()
    with pytest.raises(OutputError, match=r"exists already"):
        run(tmp_path / "instanseg.pt", tmp_path / "cells.tif", output=tmp_path)
