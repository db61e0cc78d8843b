"""The loop of a training: Lightning runs it, and what is here tells it what to do at a step and what to keep."""

from __future__ import annotations
