"""The card of a checkpoint: the one beside it, or one made of what it says."""

from __future__ import annotations

import re
from dataclasses import replace
from math import isclose
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from ..errors import CardError
from ..limits import MAX_CARD_ENTRIES
from ..untrusted.boundary import present
from .card import UNKNOWN_AUTHOR, UNSTATED_LICENSE, Author, Card, Citation, Dataset
from .card_file import load_card

if TYPE_CHECKING:
    from ..families.checkpoint import Checkpoint

__all__ = ["CARD_FILE", "card_for", "card_template", "check_fit", "default_card", "model_name", "with_pixel_size"]

CARD_FILE = "card.yaml"


def model_name(text: str, family: str) -> str:
    """Return ``text`` as a valid name of a model: other characters become _, short names begin with the family's."""
    name = re.sub(r"[^A-Za-z0-9_+\-() ]+", "_", text).strip(" _") or "model"
    return (name if len(name) >= 5 else f"{family}_{name}")[:128].strip()


def _about(checkpoint: Checkpoint) -> str:
    spec = checkpoint.spec
    what = " and ".join(spec.structures)
    channels = "any number of channels" if spec.channels is None else f"{spec.channels} channels"
    if spec.channels == 1:
        channels = "one channel"
    return f"{spec.title} model that segments {what} as instances in images with {channels}."


def _citations(checkpoint: Checkpoint) -> tuple[Citation, ...]:
    return tuple(Citation(text=text, doi=doi) for text, doi in checkpoint.spec.citations)


def default_card(checkpoint: Checkpoint) -> Card:
    """Return a card made of what the checkpoint says, which claims nothing that nobody said.

    The author is "unknown author", and the licence the one of the common ones that grants least, since clients refuse
    a model without.
    """
    spec = checkpoint.spec
    return Card(
        name=model_name(spec.name, spec.family),
        description=_about(checkpoint)[:512],
        authors=(Author(name=UNKNOWN_AUTHOR),),
        license=UNSTATED_LICENSE,
        cite=_citations(checkpoint),
        training_data=tuple(Dataset(name=name) for name in spec.source_datasets[:MAX_CARD_ENTRIES] if name),
    )


def check_fit(card: Card, checkpoint: Checkpoint) -> None:
    """Check that a card can be that of a checkpoint.

    Raises:
        CardError: it names another number of channels than the network takes, or another pixel size than it was trained
            on.
    """
    spec, names = checkpoint.spec, card.channel_names
    if names is not None and spec.channels is None:
        raise CardError(
            f"The card names {len(names)} channels, but the model takes any number of channels.",
            hint="Leave channel_names out of the card.",
        )
    if names is not None and len(names) != spec.channels:
        raise CardError(
            f"The card names {len(names)} channels ({', '.join(names)}), but the model takes {spec.channels}.",
            hint=f"Give {spec.channels} channel_names in the card, or leave them out.",
        )
    if card.pixel_size and spec.pixel_size and not isclose(card.pixel_size, spec.pixel_size, rel_tol=1e-3):
        raise CardError(
            f"The card says {card.pixel_size:g} µm per pixel, but the checkpoint says {spec.pixel_size:g} µm.",
            hint="Leave pixel_size out of the card, or override the checkpoint's with --spec pixel_size=...",
        )


def with_pixel_size(checkpoint: Checkpoint, card: Card) -> Checkpoint:
    """Return the checkpoint with the card's pixel size where it has none of its own, so that every file states it."""
    if checkpoint.spec.pixel_size or not card.pixel_size:
        return checkpoint
    spec = checkpoint.spec.model_copy(update={"pixel_size": card.pixel_size})
    return replace(checkpoint, spec=spec)


def card_for(checkpoint: Checkpoint, path: str | Path | None = None) -> Card:
    """Return the card at ``path``, else the ``card.yaml`` beside the checkpoint, else a default one.

    Raises:
        CardError: the card is malformed or does not fit the checkpoint.
    """
    folder = checkpoint.source if checkpoint.source.is_dir() else checkpoint.source.parent
    beside = folder / CARD_FILE
    if path is None and not present(beside, CardError):
        return default_card(checkpoint)
    card = load_card(path or beside)
    check_fit(card, checkpoint)
    return card if card.cite else card.model_copy(update={"cite": _citations(checkpoint)})


def _yaml_text(text: str) -> str:
    return str(yaml.safe_dump(text, width=1000, allow_unicode=True)).removesuffix("\n...\n").strip()


def card_template(checkpoint: Checkpoint) -> str:
    """Return a commented card.yaml for a checkpoint, to fill in; it is valid as it stands."""
    card, spec = default_card(checkpoint), checkpoint.spec
    citations = "".join(f"  - text: {_yaml_text(entry.text)}\n    doi: {entry.doi}\n" for entry in card.cite)
    names = ", ".join(f"channel_{number + 1}" for number in range(spec.channels or 0))
    channels = f"# channel_names: [{names}]   # one per channel\n" if names else ""
    pixel_size = f"{spec.pixel_size:g}" if spec.pixel_size else "0.5"
    return f"""\
# The card of a model: what people read before they use it. Lines that start with # are optional.

name: {_yaml_text(card.name)}   # 5 to 128 letters, digits, spaces or _ + - ( )
description: {_yaml_text(card.description)}   # at most 512 characters
version: 0.1.0

# Who made the model.
authors:
  - name: {UNKNOWN_AUTHOR}   # write your name here
    # affiliation: My University
    # orcid: 0000-0002-1825-0097
    # github_user: my-name

# Under which licence others may use the weights (https://spdx.org/licenses), as in CC-BY-4.0 or Apache-2.0.
# Nobody has stated one yet: this one allows the least.
license: {UNSTATED_LICENSE}

# What to cite when the model is used; each entry needs a doi or a url.
cite:
{citations}
# Of images as the model wants them, in micrometres per pixel; QuPath rescales to it.
{"" if spec.pixel_size else "# "}pixel_size: {pixel_size}
{channels}
# Beside those that follow from the model. Modalities: fluorescence-light-microscopy, transmission-light-microscopy,
# whole-slide-imaging, electron-microscopy, other.
# tags: [fluorescence-light-microscopy]

# training_data:
#   - name: my images
#     url: https://example.com/images
#     license: CC0-1.0
#     note: 100 fields of view, annotated by hand

# The zoo asks for someone who answers questions.
# maintainers:
#   - github_user: my-name
# git_repo: https://github.com/my-name/my-model

# Images that show what the model is for, relative to this file.
# samples: [images/example.tif]

# documentation: |
#   More about the model, in Markdown.
"""
