"""What a user may set in IAUNet's forward."""

from __future__ import annotations

from ..settings import NORMALIZE_MODES, Setting, normalize_setting

__all__ = ["IAUNET_SETTINGS", "STANDARDIZED_SETTINGS"]

IAUNET_SETTINGS: tuple[Setting, ...] = (
    normalize_setting(0.1, 99.9),
    Setting(
        "score_threshold",
        "float",
        0.5,
        help="an instance's score, class probability times mean mask probability, must exceed this.",
    ),
    Setting(
        "mask_threshold",
        "float",
        0.5,
        minimum=0.01,
        maximum=0.99,
        help="a pixel belongs to an instance when its probability exceeds this.",
    ),
    Setting(
        "overlap_threshold",
        "float",
        0.8,
        help="an instance whose mask overlaps a better one of its class by more than this IoU is a duplicate and is "
        "dropped; 1 keeps all.",
    ),
    Setting("min_size", "int", 10, maximum=1_000_000, help="instances whose masks have fewer pixels are removed."),
)

STANDARDIZED_SETTINGS: tuple[Setting, ...] = (
    Setting(
        "normalize",
        "choice",
        "auto",
        choices=NORMALIZE_MODES,
        help="bring the image to mean 0 and standard deviation 1: auto and always do, never leaves it as it is.",
    ),
    *IAUNET_SETTINGS[1:],
)
"""Of networks that take images of mean 0 and standard deviation 1."""
