"""Small files that claim much, wait for ever, climb out, or run code; and real files with damaged bytes.

All are read in a process of their own with 1.5 GB of memory, so that what a file takes beyond that is a failure.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable

import pytest

from support.figures import tell
from support.hostile_images.outcomes import HOSTILE, ROOM
from support.processes import run_module

READ_AND_SAID = ("imagej images",)
"""ImageJ's own count of images is known to be wrong: what its axes say counts."""

DAMAGED = (
    "tiff uint16 zlib predictor", "tiff tiles of colour", "tiff jpeg ycbcr", "tiff jpeg 2000", "tiff palette",
    "bigtiff", "ome", "ome set of files", "pyramid in sub-images", "imagej channels", "png rgb 16", "png palette",
    "jpeg exif 6", "jpeg 2000", "webp lossless", "gif palette", "bmp", "ppm", "ome-zarr 0.4", "ome-zarr shards",
)  # fmt: skip


@pytest.fixture(scope="module")
def outcomes() -> dict[str, tuple[str, str]]:
    done = run_module("support.hostile_images.outcomes", timeout=1500)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, tuple[str, str]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(("name", "says"), [pytest.param(name, says, id=name[:60]) for name, _, says in HOSTILE])
def test_refused_in_words_and_in_little_memory(name: str, says: str, outcomes: dict[str, tuple[str, str]]) -> None:
    outcome, message = outcomes[name]
    assert outcome == ("read" if name in READ_AND_SAID else "refused"), message
    assert re.search(says, message)
    assert message.isprintable() or name == "a name with a zero"  # which is the user's own


@pytest.mark.campaign
def test_all_are_refused(outcomes: dict[str, tuple[str, str]], record_property: Callable[[str, object], None]) -> None:
    for name, _, says in HOSTILE:
        test_refused_in_words_and_in_little_memory(name, says, outcomes)
    ends = Counter(outcome for outcome, _ in outcomes.values())
    figures = {
        "refused": ends["refused"],
        "read with a note on what is false": ends["read"],
        "defects": ends.total() - ends["refused"] - ends["read"] - ends["executed"],
        "executed": ends["executed"],
        "memory allowed at most": round(ROOM / 1e6),
    }
    tell(record_property, "Hostile images", len(outcomes), figures)


def test_damaged_bytes_give_an_image_or_an_error() -> None:
    done = run_module("support.damaged_images", "60", "7", *DAMAGED, timeout=1500)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    assert len(done.stdout.splitlines()) == len(DAMAGED)
    assert all(int(count) > 0 for count in re.findall(r"(\d+) refused", done.stdout))
