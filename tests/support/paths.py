"""Where the repository's files and the shared reference data lie, and which of them tests go through."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["DATA", "DEMO", "DEMO_IMAGES", "ROOT", "SHARED", "TESTS", "VARIANTS"]

TESTS = Path(__file__).resolve().parents[1]
ROOT = TESTS.parent
DATA = TESTS / "data"

DEMO = ROOT / "model_zoo" / "nuclei_dsb2018" / "checkpoint.pt"
DEMO_IMAGES = DEMO.parent / "images"

SHARED = Path(os.environ.get("INSTANSEG_EXPORT_SHARED", ROOT.parent / "shared"))
"""The folder with genuine checkpoints, real images and reference outputs; it need not be there."""

VARIANTS = ("nuclei_batchnorm", "nuclei_cells_channelnet", "multihead_seeds2_coords4")
"""The genuine checkpoints below ``SHARED / "checkpoints"``."""
