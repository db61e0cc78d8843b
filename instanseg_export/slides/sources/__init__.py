"""Where pixels of slides come from: files, folders, other machines and arrays."""

from __future__ import annotations

from .address import SlideAddress
from .array import GivenArray
from .open import open_slide
from .source import Level, SlideInfo, SlideSource

__all__ = ["GivenArray", "Level", "SlideAddress", "SlideInfo", "SlideSource", "open_slide"]
