"""Parts of a card as Markdown."""

from __future__ import annotations

from ..untrusted.markdown import escape, link
from .card import Card

__all__ = ["authors", "citations", "training_data"]


def authors(card: Card) -> str:
    """Return the names of all authors, with their affiliations, in one line."""
    return ", ".join(
        escape(author.name) + (f" ({escape(author.affiliation)})" if author.affiliation else "")
        for author in card.authors
    )


def citations(card: Card) -> str:
    """Return what is to be cited, as a list."""
    return "\n".join(
        f"- {escape(entry.text)} {_source(f'https://doi.org/{entry.doi}' if entry.doi else entry.url)}"
        for entry in card.cite
    )


def _source(address: str | None) -> str:
    return link(address, address) if address else ""


def training_data(card: Card) -> str:
    """Return what the model was trained on, as a list; empty where the card does not say it."""
    lines = []
    for dataset in card.training_data:
        name = link(dataset.name, dataset.url) if dataset.url else escape(dataset.name)
        license_ = f", {escape(dataset.license)}" if dataset.license else ""
        lines.append(f"- {name}{license_}{f': {escape(dataset.note)}' if dataset.note else ''}")
    return "\n".join(lines)
