"""The README of a package, with cards that mean no good."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from instanseg_export.checkpoints import Checkpoint
from instanseg_export.families.registry import build_forward
from instanseg_export.packaging import Card, Sample, card_for
from instanseg_export.packaging.contents import Contents
from instanseg_export.packaging.documents import readme
from instanseg_export.targets.base import Artifact

READER = MarkdownIt("commonmark").enable(["table"])
TEXTS = st.text(alphabet="|<>`*_[](){}#\\&!~- scriptAB1.:/é", min_size=1, max_size=40).filter(str.strip)


@pytest.fixture(scope="module")
def model(demo_checkpoint: Checkpoint) -> Contents:
    artifacts = [
        Artifact(target, Path(file), "0" * 64, 1)
        for target, file in (("torchscript", "instanseg.pt"), ("onnx", "model.onnx"))
    ]
    samples = [Sample("one", np.zeros((3, 8, 8), np.float32), "drawn", 1)]
    return Contents(card_for(demo_checkpoint), demo_checkpoint, build_forward(demo_checkpoint), artifacts, samples)


def _kinds(markdown: str) -> list[str]:
    return [inner.type for token in READER.parse(markdown) for inner in (token, *(token.children or ()))]


def _structure(markdown: str) -> list[str]:
    """What the README is made of, whatever its texts are."""
    return [kind for kind in _kinds(markdown) if not kind.startswith(("text", "softbreak", "inline"))]


def _card(card: Card, text: str) -> Card:
    return card.model_validate(
        card.model_dump()
        | {
            "description": text,
            "authors": [{"name": text.replace("/", "-").replace("\\", "-"), "affiliation": text}],
            "cite": [{"text": text, "url": "https://example.com/x)y](z<script>"}],
            "channel_names": [text, "b", "c"],
            "training_data": [
                {"name": text, "url": "https://example.com/a_(b)|c", "license": text, "note": text},
                {"name": text},
            ],
            "documentation": "",
        }
    )


@settings(max_examples=100, deadline=None)
@given(text=TEXTS)
def test_no_text_of_a_card_changes_what_the_readme_is_made_of(model: Contents, text: str) -> None:
    plain = readme(_replace(model, "a"), None)
    nasty = readme(_replace(model, text), None)
    assert _structure(nasty) == _structure(plain)
    assert not any(kind.startswith(("html", "table", "image")) for kind in _kinds(nasty))


def _replace(model: Contents, text: str) -> Contents:
    samples = [replace(sample, note=text) for sample in model.samples]
    return replace(model, card=_card(model.card, text), samples=samples)


def test_documentation_may_be_markdown_but_no_html(model: Contents) -> None:
    card = model.card.model_copy(update={"documentation": "## Mine\n\n<script>alert(1)</script> *yes* | no"})
    text = readme(replace(model, card=card), None)
    assert "\n## Mine\n" in text
    assert "*yes*" in text
    assert not any(kind.startswith("html") for kind in _kinds(text))


def test_what_deepimagej_cannot_run_is_said(model: Contents) -> None:
    assert "Install model manually" in readme(model, None)
    assert "bring yours to 0.5 µm per pixel" in readme(model, None)
