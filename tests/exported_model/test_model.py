"""What an exported model is on disk: a package's folder, its zip, one file, or one folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from instanseg_export.exported_model import open_model


def test_a_package_brings_its_own_samples_folder_and_zip_alike(demo_package: Path) -> None:
    (packed,) = demo_package.glob("*.zip")
    with open_model(demo_package) as folder, open_model(packed) as unpacked:
        assert folder.channels == unpacked.channels == 3
        assert len(folder.samples) >= 2
        assert all(sample.sample for sample in folder.samples)
        for one, other in zip(folder.samples, unpacked.samples, strict=True):
            assert one.name == other.name
            assert np.array_equal(one.batch(), other.batch())
        assert len({sample.batch().tobytes() for sample in folder.samples}) == len(folder.samples)
