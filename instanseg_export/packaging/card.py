"""The card of a model: who made it, from what, under which licence, and how it is to be cited."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from dataclasses import replace
from math import isclose
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from ..errors import CardError
from ..registry import closest

if TYPE_CHECKING:
    from ..checkpoints.base import Checkpoint

__all__ = [
    "Author",
    "Card",
    "Citation",
    "Dataset",
    "Maintainer",
    "card_for",
    "card_template",
    "check_fit",
    "default_card",
    "load_card",
    "model_name",
    "with_pixel_size",
]

CARD_FILE = "card.yaml"
UNKNOWN_AUTHOR = "unknown author"
UNSTATED_LICENSE = "CC-BY-NC-ND-4.0"
"""Clients require a licence. Where nobody stated one, this grants the least of the common ones."""

_EXAMPLE = "An example is model_zoo/nuclei_dsb2018/card.yaml; card_template() writes one for a checkpoint."
_MAX_BYTES = 1_000_000
_NAME = re.compile(r"[A-Za-z0-9_+\-() ]{5,128}")
_DOI = re.compile(r"10\.[0-9]{4,9}/\S+")
_VERSION = re.compile(r"\d+\.\d+\.\d+([-.+][0-9A-Za-z.+-]+)?")
_GITHUB_USER = re.compile(r"[A-Za-z0-9](-?[A-Za-z0-9]){0,38}")
_ORCID = re.compile(r"\d{4}-\d{4}-\d{4}-\d{3}[\dX]")


def _name(value: str) -> str:
    if not _NAME.fullmatch(value) or value != value.strip():
        raise ValueError("must have 5 to 128 characters out of letters, digits, spaces and _ + - ( )")
    return value


def _person(value: str) -> str:
    if not value.strip() or "/" in value or "\\" in value:
        raise ValueError("must be a name without slashes")
    return value


def _license(value: str) -> str:
    from bioimageio.spec.generic.v0_3 import LicenseId

    known = get_args(LicenseId.root_model.model_fields["root"].annotation)
    if value not in known:
        guess = closest(value, known)
        raise ValueError(
            f"{value!r} is no SPDX licence identifier{f', did you mean {guess!r}?' if guess else ''} "
            "(as in Apache-2.0, CC-BY-4.0, CC0-1.0; the list is at https://spdx.org/licenses)"
        )
    return value


def _doi(value: str) -> str:
    bare = re.sub(r"^(https?://(dx\.)?doi\.org/|doi:\s*)", "", value.strip(), flags=re.IGNORECASE)
    if not _DOI.fullmatch(bare):
        raise ValueError(f"{value!r} is no DOI, which looks like 10.48550/arXiv.2408.15954")
    return bare


def _orcid(value: str) -> str:
    """Check the form and the check digit (ISO 7064, MOD 11-2)."""
    bare = re.sub(r"^https?://orcid\.org/", "", value.strip())
    remainder = 0
    if _ORCID.fullmatch(bare):
        for digit in bare.replace("-", ""):
            remainder = (2 * remainder + (10 if digit == "X" else int(digit))) % 11
    if remainder != 1:
        raise ValueError(f"{value!r} is no ORCID iD (four groups of four digits, the last one is a check digit)")
    return bare


def _matching(pattern: re.Pattern[str], expected: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(f"must be {expected}, not {value!r}")
        return value

    return check


_GithubUser = Annotated[str, AfterValidator(_matching(_GITHUB_USER, "the name of a GitHub user"))]
_Url = Annotated[str, AfterValidator(_matching(re.compile(r"https?://\S+"), "an address that starts with https://"))]
_Email = Annotated[str, AfterValidator(_matching(re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+"), "an e-mail address"))]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Author(_Part):
    """Someone who made the model."""

    name: Annotated[str, AfterValidator(_person)]
    affiliation: str | None = None
    orcid: Annotated[str, AfterValidator(_orcid)] | None = None
    github_user: _GithubUser | None = None
    email: _Email | None = None


class Maintainer(_Part):
    """Someone who answers questions about the model, on GitHub."""

    github_user: _GithubUser
    name: Annotated[str, AfterValidator(_person)] | None = None


class Citation(_Part):
    """What to cite when the model is used; needs a DOI or an address."""

    text: str = Field(min_length=1)
    doi: Annotated[str, AfterValidator(_doi)] | None = None
    url: _Url | None = None

    @model_validator(mode="after")
    def _can_be_found(self) -> Citation:
        if self.doi is None and self.url is None:
            raise ValueError("needs a doi or a url")
        return self


class Dataset(_Part):
    """Images that the model was trained on."""

    name: str = Field(min_length=1)
    url: _Url | None = None
    license: str | None = None
    note: str = ""


class Card(_Part):
    """What people need to know of a model before they use it.

    Attributes:
        name: of the model; 5 to 128 letters, digits, spaces or _ + - ( ).
        description: one or two sentences, at most 512 characters.
        authors: who made it, at least one.
        license: of the weights, an SPDX identifier.
        cite: what to cite.
        tags: search terms beside those that follow from the model itself; imaging modalities of the zoo are
            fluorescence-light-microscopy, transmission-light-microscopy, whole-slide-imaging, other.
        version: of this model, major.minor.patch.
        pixel_size: of images as the model wants them, in micrometres; None takes the checkpoint's.
        channel_names: of the input, one per channel; None where a model takes any number.
        training_data: what it was trained on.
        git_repo: address of the repository in which the model is developed.
        maintainers: who answers questions; the zoo asks for one with a GitHub name.
        samples: images that show what the model is for; relative to the card's folder.
        documentation: more text for the model's README, in Markdown.
    """

    name: Annotated[str, AfterValidator(_name)]
    description: str = Field(min_length=1, max_length=512)
    authors: tuple[Author, ...] = Field(min_length=1)
    license: Annotated[str, AfterValidator(_license)]
    cite: tuple[Citation, ...] = ()
    tags: tuple[str, ...] = ()
    version: Annotated[str, AfterValidator(_matching(_VERSION, "a version such as 0.1.0"))] = "0.1.0"
    pixel_size: float | None = Field(default=None, gt=0, le=1000)
    channel_names: tuple[str, ...] | None = Field(default=None, min_length=1)
    training_data: tuple[Dataset, ...] = ()
    git_repo: _Url | None = None
    maintainers: tuple[Maintainer, ...] = ()
    samples: tuple[Path, ...] = ()
    documentation: str = ""


class _Loader(yaml.SafeLoader):
    """YAML's safe loader, which also refuses a key that is given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                raise yaml.MarkedYAMLError(problem=f"the key {key!r} is given twice", problem_mark=key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def _read_yaml(path: Path) -> Any:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CardError(
            f"Cannot read the card {path}: {error.strerror or error}.",
            hint=f"Give the path of a card.yaml. {_EXAMPLE}",
        ) from error
    if len(content) > _MAX_BYTES:
        raise CardError(f"{path} has {len(content)} bytes, too many for a card.", hint="Give the path of a card.yaml.")
    try:
        return yaml.load(content.decode("utf-8"), Loader=_Loader)
    except UnicodeDecodeError as error:
        raise CardError(f"{path} is not text in UTF-8.", hint="Save the card as a text file in UTF-8.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        where = f"{path}, line {mark.line + 1}, column {mark.column + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise CardError(
            f"{where}: this is not valid YAML: {problem}.",
            hint="Indent with spaces, and put text that contains ': ' or '#' in quotes.",
        ) from error


_EXPECTED = {
    "string_type": "text; put numbers in quotes, as in '1.0.0'",
    "tuple_type": "a list, one entry per line after a dash",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "model_type": "a group of keys, indented below this one",
    "model_attributes_type": "a group of keys, indented below this one",
    "dict_type": "a group of keys, indented below this one",
    "path_type": "the path of a file",
}
_PARTS: dict[str, type[BaseModel]] = {
    "authors": Author,
    "cite": Citation,
    "training_data": Dataset,
    "maintainers": Maintainer,
}


def _place(location: tuple[int | str, ...]) -> str:
    text = ""
    for step in location:
        text += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _explain(problem: ErrorDetails) -> str:
    """Put one of pydantic's findings in our words."""
    location, kind = problem["loc"], problem["type"]
    place = _place(location)
    if kind == "extra_forbidden":
        model = _PARTS.get(str(location[0]), Card) if len(location) > 1 else Card
        guess = closest(str(location[-1]), model.model_fields)
        known = ", ".join(model.model_fields)
        return f"{place} is not a known key{f', did you mean {guess!r}?' if guess else ''} (known are {known})"
    if kind == "missing":
        return f"{place} is missing"
    if kind == "value_error":
        return f"{place}: {problem['ctx']['error']}"
    if kind in _EXPECTED:
        return f"{place} must be {_EXPECTED[kind]}, not {problem['input']!r:.60}"
    return f"{place}: {problem['msg'][0].lower()}{problem['msg'][1:]}, but it is {problem['input']!r:.60}"


def load_card(path: str | Path) -> Card:
    """Read and check a card.

    Args:
        path: of a YAML file; its samples are looked up relative to its folder.

    Raises:
        CardError: the file cannot be read, is not YAML, or a key is unknown, missing or wrong; all findings are named.
    """
    path = Path(path)
    content = _read_yaml(path)
    if not isinstance(content, dict):
        raise CardError(
            f"{path} holds no keys with values.", hint=f"A card has lines such as 'name: my model'. {_EXAMPLE}"
        )
    try:
        card = Card.model_validate(content)
    except ValidationError as error:
        findings = list(dict.fromkeys(_explain(problem) for problem in error.errors()))
        raise CardError(f"{path}: {'; '.join(findings)}.", hint=f"Correct the card. {_EXAMPLE}") from None
    samples = tuple(path.parent / sample for sample in card.samples)
    missing = [str(sample) for sample in samples if not sample.is_file()]
    if missing:
        raise CardError(
            f"{path}: samples that do not exist: {', '.join(missing)}.",
            hint="Give paths relative to the card's folder, or leave samples out.",
        )
    return card.model_copy(update={"samples": samples})


def model_name(text: str) -> str:
    """Return ``text`` as a valid name of a model: other characters become _, short names get a prefix."""
    name = re.sub(r"[^A-Za-z0-9_+\-() ]+", "_", text).strip(" _") or "model"
    return (name if len(name) >= 5 else f"instanseg_{name}")[:128].strip()


def _about(checkpoint: Checkpoint) -> str:
    spec = checkpoint.spec
    what = " and ".join(spec.targets)
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
        name=model_name(spec.name),
        description=_about(checkpoint),
        authors=(Author(name=UNKNOWN_AUTHOR),),
        license=UNSTATED_LICENSE,
        cite=_citations(checkpoint),
        training_data=tuple(Dataset(name=name) for name in spec.source_datasets if name),
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
    if path is None and not beside.is_file():
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
