"""A model of volumes, from its checkpoint to its package, and a volume through the exported file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import yaml

from instanseg_export import export, run
from instanseg_export.api.export import ExportResult
from instanseg_export.errors import ImageError
from instanseg_export.images import read_image
from instanseg_export.images.synthetic_volumes import draw_spheres
from support.embedseg_runs import write_volume_run


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> ExportResult:
    folder = tmp_path_factory.mktemp("volumes")
    return export(write_volume_run(folder / "nuclei_3d"), output=folder / "package")


@pytest.mark.slow
def test_the_runtimes_agree_on_volumes_and_the_zoo_s_test_passes(exported: ExportResult) -> None:
    assert exported.report is not None
    assert exported.report.passed, exported.report.summary()
    assert max(cell.instances or 0 for cell in exported.report.results) > 10
    assert {check.weights: check.failures for check in exported.zoo} == {"torchscript": (), "onnx": ()}


@pytest.mark.slow
def test_the_description_has_three_axes_with_their_own_distances(exported: ExportResult) -> None:
    rdf = yaml.safe_load((exported.folder / "model.yml").read_text())
    for tensor in (rdf["inputs"][0], rdf["outputs"][0]):
        space = {axis["id"]: axis["scale"] for axis in tensor["axes"] if axis["type"] == "space"}
        assert space == pytest.approx({"z": 0.5, "y": 0.2, "x": 0.2})
    assert rdf["inputs"][0]["preprocessing"][0]["kwargs"]["axes"] == ["z", "y", "x"]
    assert "3d" in rdf["tags"]
    macros = [Path(entry["source"]).name for entry in rdf["attachments"] if entry["source"].endswith(".ijm")]
    assert macros == ["colour_labels.ijm"]


@pytest.mark.slow
def test_run_reads_a_volume_and_writes_one(exported: ExportResult, tmp_path: Path) -> None:
    volume = draw_spheres(5, 1, (20, 40, 44))[0].astype(np.uint8)
    tifffile.imwrite(
        tmp_path / "stack.tif",
        volume,
        imagej=True,
        resolution=(5, 5),
        metadata={"axes": "ZYX", "unit": "um", "spacing": 0.5},
    )
    result = run(exported.folder, tmp_path / "stack.tif", output=tmp_path)
    assert not result.resampled
    assert (result.pixel_size, result.found[0].instances > 1) == ((0.2, 0.2), True)
    again = read_image(result.labels, 3)
    assert again.array.shape == (1, 20, 40, 44)
    assert again.pixel_size == pytest.approx((0.2, 0.2))
    assert again.slice_distance == 0.5
    assert len(np.unique(again.array)) - 1 == result.found[0].instances
    assert result.overlay.is_file()


@pytest.mark.slow
def test_a_volume_of_other_voxels_is_resampled_along_each_axis(exported: ExportResult, tmp_path: Path) -> None:
    volume = draw_spheres(6, 1, (10, 40, 44))[0].astype(np.uint8)
    metadata = {"axes": "ZYX", "unit": "um", "spacing": 1.0}
    tifffile.imwrite(tmp_path / "thick.tif", volume, imagej=True, resolution=(5, 5), metadata=metadata)
    result = run(exported.folder, tmp_path / "thick.tif", output=tmp_path)
    assert result.resampled
    assert read_image(result.labels, 3).array.shape == (1, 10, 40, 44)


@pytest.mark.slow
def test_a_real_volume(exported: ExportResult, shared: Path, tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(shared / "data" / "volume" / "1135_mini.h5") as file:
        raw = file["raw"][:40, :64, :64]
    tifffile.imwrite(tmp_path / "nuclei.tif", raw, metadata={"axes": "ZYX"})
    result = run(exported.folder, tmp_path / "nuclei.tif", output=tmp_path)
    assert result.found[0].instances > 2
    assert read_image(result.labels, 3).array.shape == (1, *raw.shape)


@pytest.mark.slow
def test_an_image_into_a_model_of_volumes_is_refused(exported: ExportResult, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "flat.tif", np.zeros((40, 40), np.uint8))
    with pytest.raises(ImageError, match="flat image, and the model takes volumes"):
        run(exported.folder, tmp_path / "flat.tif", output=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["flat.tif"]


def test_volumes_are_read_with_channels_and_refused_as_time_series(tmp_path: Path) -> None:
    stack = np.arange(7 * 2 * 5 * 6, dtype=np.uint16).reshape(7, 2, 5, 6)
    tifffile.imwrite(tmp_path / "zc.tif", stack, imagej=True, metadata={"axes": "ZCYX"})
    np.testing.assert_array_equal(read_image(tmp_path / "zc.tif", 3).array, stack.swapaxes(0, 1))
    tifffile.imwrite(tmp_path / "pages.tif", stack[:, 0])
    assert read_image(tmp_path / "pages.tif", 3).array.shape == (1, 7, 5, 6)
    tifffile.imwrite(tmp_path / "time.tif", stack, imagej=True, metadata={"axes": "TZYX"})
    with pytest.raises(ImageError, match="a volume has slices"):
        read_image(tmp_path / "time.tif", 3)
