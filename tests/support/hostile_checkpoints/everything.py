"""All hostile inputs for what reads checkpoints, each under a name.

``tests/checkpoints/test_hostile_files.py`` gives them to the product, and longer campaigns may. A member is built in a
folder of its own, next to nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from support.hostile_checkpoints.archives import archives
from support.hostile_checkpoints.beside import logs, properties
from support.hostile_checkpoints.cards import cards
from support.hostile_checkpoints.descriptions import descriptions
from support.hostile_checkpoints.member import Member
from support.hostile_checkpoints.overrides import overrides
from support.hostile_checkpoints.pickles import pickles
from support.hostile_checkpoints.recipes import recipes
from support.hostile_checkpoints.safetensors import safetensors
from support.hostile_checkpoints.special_files import special_files
from support.hostile_checkpoints.tensors import tensors
from support.hostile_checkpoints.weights import weights

__all__ = ["members"]


def members(canary: Path) -> Iterator[Member]:
    """Yield all members.

    Args:
        canary: a file that members would create if their code were executed.
    """
    yield from pickles(canary)
    yield from tensors()
    yield from archives()
    yield from safetensors()
    yield from weights()
    yield from descriptions()
    yield from logs()
    yield from properties()
    yield from recipes()
    yield from cards(canary)
    yield from special_files()
    yield from overrides()
