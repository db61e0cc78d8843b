"""What is done to a translated graph before it is written: one pass per file, with what it requires and ensures."""

from .add_settings import AddSettings
from .compute_constants import ComputeConstants
from .hide_stages import HideStages
from .loops_for_scans import LoopsForScans
from .name_axes import NameAxes
from .set_header import SetHeader
from .strip_descriptions import StripDescriptions

__all__ = [
    "AddSettings",
    "ComputeConstants",
    "HideStages",
    "LoopsForScans",
    "NameAxes",
    "SetHeader",
    "StripDescriptions",
]
