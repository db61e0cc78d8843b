"""What a user may set in InstanSeg's forward."""

from __future__ import annotations

from ..settings import Setting, normalize_setting

__all__ = ["INSTANSEG_SETTINGS"]

INSTANSEG_SETTINGS: tuple[Setting, ...] = (
    normalize_setting(0.1, 99.9),
    Setting("seed_threshold", "float", 0.7, help="a seed's value in the seed map must exceed this."),
    Setting(
        "mask_threshold",
        "float",
        0.53,
        minimum=0.01,
        maximum=0.99,
        help="a pixel belongs to an instance from this probability on.",
    ),
    Setting(
        "peak_distance",
        "int",
        5,
        minimum=1,
        maximum=64,
        help="two seeds are more than this many pixels apart, along rows or columns.",
    ),
    Setting("overlap_threshold", "float", 0.3, help="two instances whose IoU exceeds this are merged."),
    Setting("min_size", "int", 10, maximum=1_000_000, help="instances of fewer pixels are removed."),
    Setting(
        "fg_threshold",
        "float",
        0.5,
        help="foreground probability that a seed must exceed, for networks with a second seed channel.",
    ),
    Setting(
        "window_size",
        "int",
        32,
        minimum=4,
        maximum=512,
        decides="graph",
        help="half the width, in pixels, of the window around a seed in which its instance is sought.",
    ),
    Setting(
        "cleanup_fragments", "bool", True, help="keep only the part of an instance around its seed, and fill its holes."
    ),
    Setting(
        "connected",
        "bool",
        True,
        help="keep only the largest connected part of each instance, once overlaps are resolved.",
    ),
    Setting(
        "resolve_cell_and_nucleus",
        "bool",
        True,
        help="give each nucleus and its cell one id, for networks that segment both.",
    ),
    Setting(
        "target_segmentation",
        "flags",
        (1, 1),
        decides="graph",
        help="which structures to return, for networks that segment nuclei and cells.",
    ),
    Setting(
        "tta",
        "bool",
        False,
        decides="forward",
        help="test-time augmentation: judge each pixel from eight sides of the image and take the median, in eight "
        "times the time.",
    ),
)
