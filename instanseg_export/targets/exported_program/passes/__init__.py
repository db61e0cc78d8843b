"""What is done to a captured program before it is written: one pass per file, with what it requires and ensures."""

from .add_settings import AddSettings
from .add_sums import AddSums
from .drop_assertions import DropAssertions
from .hide_stages import HideStages
from .strip_descriptions import StripDescriptions

__all__ = ["AddSettings", "AddSums", "DropAssertions", "HideStages", "StripDescriptions"]
