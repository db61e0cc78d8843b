"""From images and label maps on disk to batches: what is drawn at a step depends on the recipe and the step alone."""

from __future__ import annotations
