"""Make a data set for training of plant-seg's 1135_mini.h5: python prepare.py 1135_mini.h5 FOLDER. Needs h5py.

The volume is cut in two along y: rows 0 to 63 are for training, rows 64 to 99 for validation.
"""

from __future__ import annotations

import sys
from pathlib import Path

import h5py
import tifffile

_PARTS = {"front": ("train", slice(0, 64)), "back": ("val", slice(64, 100))}


def main(source: Path, folder: Path) -> None:
    """Write images/, labels/ and index.csv.

    Args:
        source: a file of HDF5 with "raw" and "label", (100, 100, 100) uint8: z, y and x. The attribute
            "element_size_um" of "raw" holds the distances of voxels along these axes.
        folder: is made.
    """
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    with h5py.File(source) as file:
        depth, height, width = (float(size) for size in file["raw"].attrs["element_size_um"])
        for name, (_, rows) in _PARTS.items():
            for kind, dataset in (("images", "raw"), ("labels", "label")):
                tifffile.imwrite(
                    folder / kind / f"{name}.tif",
                    file[dataset][:, rows],
                    imagej=True,
                    resolution=(1.0 / width, 1.0 / height),
                    metadata={"axes": "ZYX", "spacing": depth, "unit": "um"},
                    compression="zlib",
                )
    lines = [f"{name},{split}\n" for name, (split, _) in _PARTS.items()]
    (folder / "index.csv").write_text("".join(["id,split\n", *lines]), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
