"""What a user may set in EmbedSeg's forward."""

from __future__ import annotations

from ..settings import Setting, normalize_setting

__all__ = ["EMBEDSEG_SETTINGS", "PERCENTILES"]

PERCENTILES = 1.0, 99.8
"""By which the authors normalise."""

EMBEDSEG_SETTINGS: tuple[Setting, ...] = (
    normalize_setting(*PERCENTILES),
    Setting("seed_threshold", "float", 0.9, help="a pixel's seed score must reach this to start an object."),
    Setting("fg_threshold", "float", 0.5, help="pixels whose seed score exceeds this are foreground."),
    Setting("min_object_size", "int", 36, maximum=100_000_000, help="an object has more pixels (or voxels) than this."),
    Setting(
        "tta",
        "bool",
        False,
        decides="graph",
        help="run the network on 8 turned and mirrored views (16 of a volume) and take the mean.",
    ),
)
