"""Pages and the index of the zoo are what their records say; nothing that people wrote is replaced."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from instanseg_export import load_checkpoint
from instanseg_export.model_zoo.__main__ import main
from instanseg_export.model_zoo.folder import CHECKPOINT_FILE, read_evaluation, read_model, read_records
from instanseg_export.model_zoo.index import listed, render_index
from instanseg_export.model_zoo.page import render_page
from instanseg_export.packaging import load_card
from support.paths import DEMO, ROOT

ZOO = ROOT / "model_zoo"
MODELS = sorted(path.parent.name for path in ZOO.glob(f"*/{CHECKPOINT_FILE}"))
LARGEST_CHECKPOINT = 8_000_000
LARGEST_PICTURES = 700_000


@pytest.mark.parametrize("name", MODELS)
def test_a_page_is_what_its_records_say(name: str) -> None:
    model = read_model(ZOO / name)
    page = (ZOO / name / "README.md").read_text(encoding="utf-8")
    again = f"python -m instanseg_export.model_zoo model_zoo/{name}"
    assert page == render_page(model, read_records(model)), f"make it again: {again}"
    assert (ZOO / name / CHECKPOINT_FILE).stat().st_size < LARGEST_CHECKPOINT


@pytest.mark.parametrize("name", MODELS)
def test_the_pictures_of_a_page_are_there_and_small(name: str) -> None:
    folder = ZOO / name
    shown = re.findall(r"!\[[^]]*\]\(([^)]+)\)", (folder / "README.md").read_text(encoding="utf-8"))
    assert sorted(shown) == sorted(path.relative_to(folder).as_posix() for path in folder.glob("pictures/*.png"))
    assert sum((folder / path).stat().st_size for path in shown) < LARGEST_PICTURES
    for path in shown:
        with Image.open(folder / path) as picture:
            assert max(picture.size) <= 256


@pytest.mark.parametrize("name", MODELS)
def test_the_links_of_a_page_lead_somewhere(name: str) -> None:
    page = ZOO / name / "README.md"
    targets = [t for t in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")) if not t.startswith("http")]
    assert len(targets) > 8
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_index_is_what_cards_and_records_say() -> None:
    text = (ZOO / "index.json").read_text(encoding="utf-8")
    assert text == render_index((model, read_records(model)) for model in map(read_model, listed(ZOO))), (
        "make it again: python -m instanseg_export.model_zoo model_zoo/nuclei_dsb2018"
    )
    index = json.loads(text)
    assert [Path(entry["checkpoint"]).parent.name for entry in index["models"]] == MODELS
    for entry in index["models"]:
        card = load_card(ZOO / entry["card"])
        assert (card.name, card.version, card.license) == (entry["name"], entry["version"], entry["license"])
        checkpoint = load_checkpoint(ZOO / entry["checkpoint"])
        assert (checkpoint.spec.name, checkpoint.sha256) == (card.name, entry["sha256"])


def test_the_demo_s_card_has_the_recorded_figures() -> None:
    """People read the card in the package's README too."""
    data = read_evaluation(read_model(DEMO.parent))
    words = load_card(DEMO.parent / "card.yaml").documentation
    for group, count, stated in (
        ("fluorescence", 52, r"(0\.\d\d) on fluorescence \(mean over 52 images\)"),
        ("histology_rgb", 17, r"(0\.\d\d) on purple-stained histology \(17 images\)"),
    ):
        row = data.scores_of(data.first.key, "nuclei", group, "mean")
        found = re.search(stated.replace(" ", r"\s+"), words)
        assert found is not None
        assert (row.images, found[1]) == (count, f"{row.scores['f1'].value:.2f}")


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The demo's folder, alone in a zoo, beside a model that has a recipe and no checkpoint."""
    shutil.copytree(ZOO / "nuclei", tmp_path / "zoo" / "nuclei", ignore=shutil.ignore_patterns(CHECKPOINT_FILE))
    return shutil.copytree(DEMO.parent, tmp_path / "zoo" / "nuclei_dsb2018")


def test_the_command_makes_page_and_index_again(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (copied / "README.md").unlink()
    assert main([str(copied)]) == 0
    page = (copied / "README.md").read_bytes()
    assert page == (DEMO.parent / "README.md").read_bytes()
    (entry,) = json.loads((copied.parent / "index.json").read_text(encoding="utf-8"))["models"]
    assert entry["name"] == "nuclei_dsb2018"
    card = (copied / "card.yaml").read_text(encoding="utf-8")
    (copied / "card.yaml").write_text(card.replace("version: 0.1.0", "version: 0.2.0"), encoding="utf-8")
    assert main([str(copied)]) == 0
    assert (copied / "README.md").read_bytes() == page.replace(b"0.1.0", b"0.2.0"), "what it made, it replaces"
    assert str(copied / "README.md") in capsys.readouterr().out


def test_nothing_that_people_wrote_is_replaced(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("README.md", "../index.json"):
        before = (copied / name).read_bytes() if (copied / name).exists() else None
        (copied / name).write_text("[1]", encoding="utf-8")
        assert main([str(copied)]) == 2
        assert (copied / name).read_text(encoding="utf-8") == "[1]"
        assert Path(name).name in capsys.readouterr().err
        (copied / name).unlink() if before is None else (copied / name).write_bytes(before)


def _other_checkpoint(folder: Path) -> None:
    record = (folder / "parity.json").read_text(encoding="utf-8")
    digest = json.loads(record)["source_sha256"]
    (folder / "parity.json").write_text(record.replace(digest, "0" * 64), encoding="utf-8")


def _damaged(folder: Path) -> None:
    (folder / "evaluation.json").write_text('{"model": 1}', encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "words", "error", "hint"),
    [
        (lambda folder: (folder / "card.yaml").unlink(), [], "There is no card.yaml", "docs/model-zoo.md"),
        (lambda folder: (folder / "checkpoint.pt").unlink(), [], "checkpoint.pt", ""),
        (lambda folder: (folder / "evaluation.json").unlink(), [], "There is no evaluation.json", "--evaluate IMAGES"),
        (lambda folder: (folder / "parity.json").unlink(), [], "There is no parity.json", "--parity"),
        (_other_checkpoint, [], "parity.json is of another checkpoint", "--parity"),
        (_damaged, [], "evaluation.json is no evaluation", "--evaluate IMAGES"),
        (lambda _: None, ["--only", "split=val"], "choose and group images", "--evaluate"),
        (lambda _: None, ["--evaluate", "x.zip", "--only", "split"], "cannot read 'split'", "key=value"),
    ],
)
def test_what_is_missing_is_said_before_anything_runs(
    copied: Path, capsys: pytest.CaptureFixture[str], change: object, words: list[str], error: str, hint: str
) -> None:
    assert callable(change)
    change(copied)
    page = (copied / "README.md").read_bytes()
    assert main([str(copied), *words]) == 2
    shown = capsys.readouterr().err.splitlines()
    assert len(shown) == 2, "no step was begun"
    assert error in shown[0]
    assert hint in shown[1]
    assert (copied / "README.md").read_bytes() == page
