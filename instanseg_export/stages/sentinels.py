"""Finite stand-ins for "nothing": a product of infinity and zero would spread."""

__all__ = ["huge", "no_owner"]


def huge() -> float:
    """Larger than any number that means something; its negative is the logit of a pixel that is in no mask."""
    return 1e30


def no_owner() -> float:
    """Owner of a background pixel. Places of seeds stay below it, so that float32 holds them exactly."""
    return 16777216.0
