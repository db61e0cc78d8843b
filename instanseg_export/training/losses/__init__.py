"""Losses that several families' objectives share, one per file; none knows what it is used for."""

from __future__ import annotations
