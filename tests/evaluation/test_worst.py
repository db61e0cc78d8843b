"""The worst images, groups in turn, and pictures in few colours in which outlines keep theirs."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from instanseg_export.evaluation.pictures import COLOURS
from instanseg_export.evaluation.records import ImageScores
from instanseg_export.evaluation.worst import caption_of, worst_rows
from instanseg_export.images.writers.panels import png_text


def row(image: str, true: int, found: int, matched: int, why: str = "") -> ImageScores:
    f1 = 2 * matched / (true + found) if true + found else None
    scores = {} if why else {"f1": f1}
    return ImageScores(
        file="x", image=image, structure="nuclei", true=true, found=found, matched=matched, scores=scores, why=why
    )


def test_groups_take_turns_and_what_is_right_or_was_not_segmented_is_left_out() -> None:
    rows = [
        row("grey 1", 9, 0, 0),
        row("grey 2", 90, 0, 0),
        row("grey 3", 4, 4, 1),
        row("right", 5, 5, 5),
        row("pink 1", 10, 10, 9),
        row("pink 2", 10, 10, 6),
        row("empty", 0, 0, 0),
        row("failed", 5, 0, 0, why="it failed"),
        row("blue 1", 0, 3, 0),
    ]
    groups = {one.image: one.image.partition(" ")[0] for one in rows}
    worst = [one.image for one in worst_rows(rows, groups, 8)]
    assert worst == ["grey 2", "blue 1", "pink 2", "grey 1", "pink 1", "grey 3"]
    assert [one.image for one in worst_rows(rows, dict.fromkeys(groups, ""), 3)] == ["grey 2", "grey 1", "blue 1"]
    assert [one.image for one in worst_rows(rows, groups, 2)] == worst[:2]


def test_captions() -> None:
    one = row("a", 10, 8, 6)
    assert caption_of(one, structure=False) == "a: F1 0.67; 6 of 10 found, 4 missed, 2 false"
    assert caption_of(one, structure=True).startswith("a, nuclei: ")


def test_outlines_keep_their_colours_among_few() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    colours = tuple(COLOURS.values())
    for place, colour in enumerate(colours):
        pixels[place * 9, 5:60] = colour
    with Image.open(io.BytesIO(base64.b64decode(png_text(pixels, keep=colours)))) as picture:
        assert picture.mode == "P"
        drawn = np.asarray(picture.convert("RGB"))
    for colour in colours:
        kept = (drawn == np.array(colour)).all(axis=-1)
        np.testing.assert_array_equal(kept, (pixels == np.array(colour)).all(axis=-1))
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) <= 128
