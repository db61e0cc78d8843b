"""From exported files and a card to a BioImage.IO model: rdf.yaml, documentation, cover, samples, zip."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .archive import zip_package
    from .card import Card
    from .card_file import load_card
    from .checkpoint_card import card_for, card_template, default_card, with_pixel_size
    from .package import write_package
    from .samples import Sample, choose_samples
    from .zoo import ZooCheck, zoo_test

__all__ = [
    "Card",
    "Sample",
    "ZooCheck",
    "card_for",
    "card_template",
    "choose_samples",
    "default_card",
    "load_card",
    "with_pixel_size",
    "write_package",
    "zip_package",
    "zoo_test",
]

_WHERE = {
    "Card": "card",
    "Sample": "samples",
    "ZooCheck": "zoo",
    "card_for": "checkpoint_card",
    "card_template": "checkpoint_card",
    "choose_samples": "samples",
    "default_card": "checkpoint_card",
    "load_card": "card_file",
    "with_pixel_size": "checkpoint_card",
    "write_package": "package",
    "zip_package": "archive",
    "zoo_test": "zoo",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_WHERE[name]}", __name__), name)
