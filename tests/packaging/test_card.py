"""Cards: what is accepted, what is refused and in which words, what stands in for a missing one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from instanseg_export.checkpoints import Checkpoint
from instanseg_export.errors import CardError
from instanseg_export.packaging import card_for, card_template, default_card, load_card, with_pixel_size
from instanseg_export.packaging.checkpoint_card import check_fit, model_name

MINIMAL = """\
name: my nuclei
description: Finds nuclei.
license: MIT
authors:
  - name: Ada Lovelace
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "card.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def with_spec(checkpoint: Checkpoint, **changes: object) -> Checkpoint:
    return replace(checkpoint, spec=checkpoint.spec.model_copy(update=changes))


def test_a_full_card_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    path = write(
        tmp_path,
        MINIMAL
        + """\
    orcid: https://orcid.org/0000-0002-1825-0097
    affiliation: Analytical Engine
    github_user: ada
    email: ada@example.com
cite:
  - {text: A paper, doi: "https://doi.org/10.48550/arXiv.2408.15954"}
  - {text: A page, url: "https://example.com"}
tags: [nucleus]
version: 1.2.3
pixel_size: 0.25
channel_names: [DAPI]
training_data: [{name: mine, license: CC0-1.0}]
maintainers: [{github_user: ada}]
git_repo: https://example.com/repo
samples: [a.png]
documentation: More.
""",
    )
    card = load_card(path)
    assert card.authors[0].orcid == "0000-0002-1825-0097"
    assert card.cite[0].doi == "10.48550/arXiv.2408.15954"
    assert card.samples == (tmp_path / "a.png",)
    assert card.pixel_size == 0.25
    assert card.channel_names == ("DAPI",)


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (("license: MIT", "licence: MIT"), "licence is not a known key, did you mean 'license'?"),
        (("license: MIT\n", ""), "license is missing"),
        (("MIT", "Apache2"), "did you mean 'Apache-2.0'?"),
        (("name: my nuclei", "name: nuc"), "name: must have 5 to 128 characters"),
        (("name: my nuclei", "name: my/nuclei"), "name: must have 5 to 128 characters"),
        (("name: my nuclei", f"name: {'n' * 129}"), "name: must have 5 to 128 characters"),
        (("description: Finds nuclei.", "description: 3"), "description must be text"),
        (("description: Finds nuclei.", f"description: {'x' * 513}"), "description: string should have at most 512"),
        (("authors:\n  - name: Ada Lovelace", "authors: Ada Lovelace"), "authors must be a list"),
        (("authors:\n  - name: Ada Lovelace", "authors: [Ada]"), "authors[1] must be a group of keys"),
        (("authors:\n  - name: Ada Lovelace", "authors: []"), "authors: tuple should have at least 1 item"),
        (("Ada Lovelace", "Ada/Lovelace"), "authors[1].name: must be a name without slashes"),
        (("Ada Lovelace", "Ada Lovelace\n    orcid: 0000-0002-1825-0098"), "'0000-0002-1825-0098' is no ORCID iD"),
        (
            ("Ada Lovelace", "Ada Lovelace\n    mail: a@b.de"),
            "authors[1].mail is not a known key, did you mean 'email'?",
        ),
        (
            ("Ada Lovelace", "Ada Lovelace\n    github_user: ada--l"),
            "authors[1].github_user: must be the name of a GitHub",
        ),
        (("Ada Lovelace", "Ada Lovelace\n    email: ada"), "authors[1].email: must be an e-mail address"),
        (("license: MIT", "license: MIT\ncite: [{text: x, doi: 11.1/2}]"), "'11.1/2' is no DOI"),
        (("license: MIT", "license: MIT\ncite: [{text: x}]"), "cite[1]: needs a doi or a url"),
        (("license: MIT", "license: MIT\ncite: [{text: x, url: www.x.de}]"), "cite[1].url: must be an address"),
        (("license: MIT", "license: MIT\nversion: 1.0"), "version must be text; put numbers in quotes"),
        (("license: MIT", "license: MIT\nversion: new"), "version: must be a version such as 0.1.0"),
        (("license: MIT", "license: MIT\npixel_size: small"), "pixel_size must be a number, not 'small'"),
        (("license: MIT", "license: MIT\npixel_size: 0"), "pixel_size: input should be greater than 0"),
        (("license: MIT", "license: MIT\npixel_size: .nan"), "pixel_size must be a finite number"),
        (("license: MIT", "license: MIT\nsamples: [missing.png]"), "missing.png"),
        (
            ("license: MIT", "license: MIT\nname: again"),
            "line 4, column 1: this is not valid YAML: the key 'name' is given",
        ),
        (("license: MIT", "license: [MIT"), "line 4, column 8: this is not valid YAML"),
        (
            ("license: MIT", "license: !!python/object/apply:os.getcwd []"),
            "this is not valid YAML: could not determine",
        ),
        ((MINIMAL, ""), "holds no keys"),
        ((MINIMAL, "- a\n- b\n"), "holds no keys"),
    ],
)
def test_a_bad_card_is_refused_in_words(tmp_path: Path, change: tuple[str, str], finding: str) -> None:
    text = MINIMAL.replace(*change)
    assert text != MINIMAL
    path = write(tmp_path, text)
    with pytest.raises(CardError) as caught:
        load_card(path)
    assert str(path) in caught.value.message
    assert finding in caught.value.message
    assert "pydantic" not in caught.value.message
    assert caught.value.hint


def test_all_findings_are_named_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, "name: x\nlicence: MIT\n")
    with pytest.raises(CardError) as caught:
        load_card(path)
    for finding in ("name: must have", "description is missing", "authors is missing", "licence is not a known key"):
        assert finding in caught.value.message


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "card.yaml"
    path.write_bytes(b"name: \xff\xfe")
    with pytest.raises(CardError, match="not text in UTF-8"):
        load_card(path)
    with pytest.raises(CardError, match=r"There is no file .*missing\.yaml"):
        load_card(tmp_path / "missing.yaml")


def test_the_default_card_claims_nothing(demo_checkpoint: Checkpoint) -> None:
    card = default_card(demo_checkpoint)
    assert card.name == "nuclei_dsb2018"
    assert [author.name for author in card.authors] == ["unknown author"]
    assert card.license == "CC-BY-NC-ND-4.0"
    assert [entry.doi for entry in card.cite] == ["10.48550/arXiv.2408.15954"]
    assert [dataset.name for dataset in card.training_data] == ["dsb_2018"]
    channelnet = default_card(with_spec(demo_checkpoint, channels=None))
    assert [entry.doi for entry in channelnet.cite][1:] == ["10.1101/2024.09.04.611150"]


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("nuclei", "nuclei"),
        ("../über uns/モデル", "ber uns"),
        ("a", "instanseg_a"),
        ("", "model"),
        ("x" * 200, "x" * 128),
        ("  spaced name  ", "spaced name"),
    ],
)
def test_any_name_becomes_a_valid_one(demo_checkpoint: Checkpoint, given: str, name: str) -> None:
    assert model_name(given, "instanseg") == name
    assert model_name(given, "iaunet") == name.replace("instanseg_", "iaunet_")
    assert default_card(with_spec(demo_checkpoint, name=given)).name == name


@pytest.mark.parametrize("channels", [None, 1, 3])
def test_the_template_is_a_valid_card(demo_checkpoint: Checkpoint, tmp_path: Path, channels: int | None) -> None:
    checkpoint = with_spec(demo_checkpoint, channels=channels, pixel_size=None)
    text = card_template(checkpoint)
    assert load_card(write(tmp_path, text)) == default_card(checkpoint).model_copy(update={"training_data": ()})
    # With every optional line switched on it still holds known keys alone.
    everything = "\n".join(
        line.replace("# ", "", 1)
        if line.lstrip().startswith("# ") and ":" in line.split("#")[1].split(" ", 2)[1]
        else line
        for line in text.splitlines()
    )
    known = set(yaml.safe_load(everything.split("# documentation")[0]))
    assert known >= {"pixel_size", "tags", "maintainers", "git_repo", "samples"}


def test_the_card_beside_a_checkpoint_is_found(demo_checkpoint: Checkpoint, tmp_path: Path) -> None:
    assert card_for(demo_checkpoint).license == "Apache-2.0"
    own = write(tmp_path, MINIMAL)
    assert card_for(demo_checkpoint, own).name == "my nuclei"
    elsewhere = replace(demo_checkpoint, source=tmp_path / "empty" / "checkpoint.pt")
    assert card_for(elsewhere) == default_card(demo_checkpoint)


def test_a_card_must_fit_its_checkpoint(demo_checkpoint: Checkpoint, tmp_path: Path) -> None:
    two = load_card(write(tmp_path, MINIMAL + "channel_names: [DAPI, actin]\n"))
    with pytest.raises(CardError, match=r"names 2 channels \(DAPI, actin\), but the model takes 3"):
        check_fit(two, demo_checkpoint)
    with pytest.raises(CardError, match="takes any number of channels"):
        check_fit(two, with_spec(demo_checkpoint, channels=None))
    fine = load_card(write(tmp_path, MINIMAL + "pixel_size: 0.25\n"))
    with pytest.raises(CardError, match=r"says 0\.25 µm per pixel, but the checkpoint says 0\.5"):
        check_fit(fine, demo_checkpoint)
    unknown = with_spec(demo_checkpoint, pixel_size=None)
    check_fit(fine, unknown)
    assert with_pixel_size(unknown, fine).spec.pixel_size == 0.25
    assert with_pixel_size(demo_checkpoint, fine) is demo_checkpoint


def test_samples_lie_in_the_folder_of_the_card(tmp_path: Path) -> None:
    folder = tmp_path / "card"
    (folder / "images").mkdir(parents=True)
    (tmp_path / "private.png").write_bytes(b"")
    (folder / "images" / "a.png").write_bytes(b"")
    (folder / "inside.png").symlink_to("images/a.png")
    (folder / "outside.png").symlink_to(tmp_path / "private.png")
    (tmp_path / "elsewhere").symlink_to(folder)
    for name in ("images/a.png", "inside.png", "images/../inside.png"):
        for place in (folder, tmp_path / "elsewhere"):
            assert load_card(write(place, f"{MINIMAL}samples: [{name}]\n")).samples == (place / name,)
    for name in ("../private.png", "outside.png", str(tmp_path / "private.png"), "/etc/hostname"):
        with pytest.raises(CardError, match="outside of the card's folder") as caught:
            load_card(write(folder, f"{MINIMAL}samples: [{name}]\n"))
        assert "--samples" in caught.value.hint


def test_text_of_several_lines_is_kept_and_control_characters_are_refused(tmp_path: Path) -> None:
    long = "documentation: |\n  One line.\n  \tTabbed, µm, 細胞.\n"
    assert load_card(write(tmp_path, MINIMAL + long)).documentation == "One line.\n\tTabbed, µm, 細胞.\n"
    for key in ("documentation", "git_repo", "version"):
        with pytest.raises(CardError, match=rf"{key}: has control characters \(.*x1b\)"):
            load_card(write(tmp_path, MINIMAL + f'{key}: "a\\e[31m"\n'))
