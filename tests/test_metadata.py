"""What an exported file says of itself: typed, of every family, of every format so far, and refused in words."""

from __future__ import annotations

import copy
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instanseg_export import __version__, build_forward, load_checkpoint
from instanseg_export.checkpoints import Checkpoint
from instanseg_export.errors import ExportError, PackageError
from instanseg_export.families.settings import settings_of
from instanseg_export.metadata import FOREIGN, FORMAT, ModelMetadata, parse_metadata
from instanseg_export.targets.metadata import describe
from support.embedseg_runs import write_embedseg_run
from support.iaunet_models import random_checkpoint
from support.paths import DATA, DEMO
from support.two_stage_models import classified_recipe, positivity_recipe

FORMAT_1 = DATA / "metadata_format_1"
FILE = Path("model.onnx")


def _two_stage(folder: Path, shared: Path, write: Callable[[Path, Path], Path]) -> Checkpoint:
    pytest.importorskip("torchvision")
    pytest.importorskip("timm")
    return load_checkpoint(write(folder, shared / "checkpoints" / "nuclei_cells_channelnet"))


def _volume(folder: Path, shared: Path) -> Checkpoint:
    return load_checkpoint(write_embedseg_run(folder / "run", 3))


CHECKPOINTS: dict[str, Callable[[Path, Path], Checkpoint]] = {
    "demo": lambda folder, shared: load_checkpoint(DEMO),
    "channelnet": lambda folder, shared: load_checkpoint(shared / "checkpoints" / "nuclei_cells_channelnet"),
    "multihead": lambda folder, shared: load_checkpoint(shared / "checkpoints" / "multihead_seeds2_coords4"),
    "embedseg": lambda folder, shared: load_checkpoint(shared / "checkpoints" / "embedseg_2d"),
    "embedseg_3d": _volume,
    "iaunet": lambda folder, shared: random_checkpoint(),
    "classified": lambda folder, shared: _two_stage(folder, shared, lambda place, _: classified_recipe(place)),
    "positivity": lambda folder, shared: _two_stage(folder, shared, positivity_recipe),
}
"""Of every family, as the descriptions of the first format were made from them."""


SINCE_FORMAT_1 = {"connected"}
"""Settings that files of the first format do not have."""


@pytest.mark.parametrize("path", sorted(FORMAT_1.glob("*.json")), ids=lambda path: path.stem)
def test_files_of_the_first_format_stay_readable(path: Path, shared: Path, tmp_path: Path) -> None:
    """A description that a former version wrote is read as if it were written today."""
    name, target = path.stem.split("-")
    old = parse_metadata(path.read_bytes(), path)
    checkpoint = CHECKPOINTS[name](tmp_path, shared)
    new = describe(target, build_forward(checkpoint), checkpoint)
    assert json.loads(path.read_bytes())["format"] == 1
    # What was read or downloaded, and what the exporter adds, is not the forward's to say. Settings came since, and
    # their help is in other words.
    helps = {row.name: row.help for row in old.setting_rows}
    of_a_file = {
        "version": old.version,
        "source_sha256": old.source_sha256,
        "stages": old.stages,
        "baked": {name: value for name, value in new.baked.items() if name not in SINCE_FORMAT_1},
        "setting_rows": tuple(
            row.model_copy(update={"help": helps[row.name]})
            for row in new.setting_rows
            if row.name not in SINCE_FORMAT_1
        ),
    }
    of_the_run = {"settings": old.spec.whole()["settings"]}
    assert type(checkpoint.spec).model_validate(old.spec.whole()) == checkpoint.spec.model_copy(update=of_the_run)
    assert old == new.model_copy(update={**of_a_file, "spec": old.spec})


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_family_describes_itself_once(name: str, shared: Path, tmp_path: Path) -> None:
    checkpoint = CHECKPOINTS[name](tmp_path, shared)
    forward = build_forward(checkpoint)
    written = describe("onnx", forward, checkpoint)
    read = parse_metadata(written.text(), FILE)
    assert read == written
    assert (read.format, read.version, read.target) == (FORMAT, __version__, "onnx")
    assert type(checkpoint.spec).model_validate(read.spec.whole()) == checkpoint.spec
    assert read.baked == forward.baked
    assert [row.name for row in settings_of(read)] == [setting.name for setting in forward.settings]
    assert {row.name: row.default for row in settings_of(read)} == forward.baked
    contract = read.contract
    assert contract.channels == checkpoint.spec.channels
    assert contract.structures == tuple(checkpoint.spec.structures)
    assert contract.dimensions == checkpoint.spec.dimensions
    assert [output.name for output in contract.outputs[1:]] == [output.name for output in forward.further]


def _with_former_names(value: Any) -> Any:
    if isinstance(value, dict):
        return {"targets" if key == "structures" else key: _with_former_names(part) for key, part in value.items()}
    return [_with_former_names(part) for part in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", ["demo", "embedseg", "iaunet", "classified"])
def test_structures_were_called_targets(name: str, shared: Path, tmp_path: Path) -> None:
    """Files of both formats say so, in the description of the network and of each part of it."""
    checkpoint = CHECKPOINTS[name](tmp_path, shared)
    written = describe("onnx", build_forward(checkpoint), checkpoint)
    former = _with_former_names(json.loads(written.text()))
    assert "targets" in former["spec"]
    assert "structures" not in former["spec"]
    read = parse_metadata(json.dumps(former), FILE)
    assert read.contract == written.contract
    assert type(checkpoint.spec).model_validate(read.spec.whole()) == checkpoint.spec


def test_roles_tell_what_outputs_are_for(shared: Path, tmp_path: Path) -> None:
    def roles(name: str) -> dict[str, str]:
        folder = tmp_path / name
        folder.mkdir()
        checkpoint = CHECKPOINTS[name](folder, shared)
        found = describe("onnx", build_forward(checkpoint), checkpoint).contract
        return {output.role: output.name for output in found.outputs}

    assert roles("demo") == {"labels": "instance_segmentation"}
    assert roles("iaunet") == {
        "labels": "instance_segmentation",
        "masks": "instance_masks",
        "images": "instance_images",
        "scores": "instance_scores",
        "classes": "detection_classes",
    }
    assert roles("classified") == {
        "labels": "instance_segmentation",
        "rows": "detection_logits",
        "classes": "detection_classes",
    }
    assert FOREIGN.output("labels") is not None
    assert FOREIGN.output("masks") is None


def test_a_newer_format_is_refused_in_words() -> None:
    with pytest.raises(PackageError, match=r"model.onnx was written by a newer version \(9.9 x\)") as caught:
        parse_metadata(json.dumps({"format": FORMAT + 1, "version": "9.9\x1b\nx"}), FILE)
    assert "Update" in caught.value.hint


def test_a_checkpoint_that_no_file_could_describe_is_refused_before_it_is_exported() -> None:
    checkpoint = random_checkpoint()
    odd = Checkpoint(
        checkpoint.spec.model_copy(update={"pixel_size": 1e308}), checkpoint.network, Path("odd.pt"), "0" * 64, "test"
    )
    with pytest.raises(ExportError, match=r"odd.pt cannot be described.*pixel_size"):
        describe("onnx", build_forward(odd), odd)


GOOD: dict[str, Any] = json.loads((FORMAT_1 / "demo-onnx.json").read_bytes())
CURRENT: dict[str, Any] = json.loads(parse_metadata(json.dumps(GOOD), FILE).text())
ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    7,
    1e300,
    10**400,
    "",
    "x" * 20_000,
    "\x1b[31m",
    [],
    [[]],
    {},
    {"a": {}},
    [None, 1],
)


def _places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the place of every value inside of a structure, itself included."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place, *(found for key, part in inner for found in _places(part, (*place, key)))]


def _changed(content: Any, place: tuple[Any, ...], value: Any, *, drop: bool) -> Any:
    if not place:
        return value
    content = copy.deepcopy(content)
    inner = content
    for key in place[:-1]:
        inner = inner[key]
    if drop:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    return content


def _read_or_refused(text: str | bytes) -> ModelMetadata | None:
    """Parse; a refusal must be ours, in one plain line that names the file."""
    try:
        return parse_metadata(text, FILE)
    except PackageError as caught:
        error = caught
    assert str(FILE) in error.message
    assert error.message.isprintable(), error.message
    assert len(error.message) < 700
    assert error.hint
    return None


@given(st.data())
def test_a_description_with_anything_anywhere_is_read_or_refused(data: st.DataObject) -> None:
    content = data.draw(st.sampled_from([GOOD, CURRENT]))
    place = data.draw(st.sampled_from(_places(content)))
    value = data.draw(
        st.sampled_from(ODD_VALUES) | st.recursive(st.none() | st.integers() | st.text(), lambda s: st.lists(s))
    )
    changed = _changed(content, place, value, drop=data.draw(st.booleans()))
    _read_or_refused(json.dumps(changed))


REFUSED: dict[str, str | bytes] = {
    "nothing": b"",
    "no JSON": b"\x00\x01",
    "no UTF-8": b'{"format": 2, "version": "\xff"}',
    "a list": "[]",
    "a number": "1",
    "null": "null",
    "nan": json.dumps({**CURRENT, "source_sha256": float("nan")}),
    "infinite pixel size": json.dumps(_changed(CURRENT, ("spec", "pixel_size"), float("inf"), drop=False)),
    "huge number": json.dumps(CURRENT).replace('"pixel_size": 0.5', '"pixel_size": 1e999'),
    "6000 digits": json.dumps(CURRENT).replace('"channels": 3', '"channels": ' + "9" * 6000),
    "deep": "[" * 100_000,
    "deep and closed": '{"format":' + "[" * 50_000 + "]" * 50_000 + "}",
    "long": json.dumps({**CURRENT, "version": "x" * 2_000_000}),
    "format is text": json.dumps({**CURRENT, "format": "2"}),
    "format is true": json.dumps({**CURRENT, "format": True}),
    "format 0": json.dumps({**CURRENT, "format": 0}),
    "format 1 without spec": json.dumps({"format": 1}),
    "no settings": json.dumps({key: value for key, value in CURRENT.items() if key != "settings"}),
    "a setting too few": json.dumps(_changed(CURRENT, ("settings", "min_size"), None, drop=True)),
    "a setting too many": json.dumps(_changed(CURRENT, ("settings", "other"), 1, drop=False)),
    "a setting out of range": json.dumps(_changed(CURRENT, ("settings", "seed_threshold"), 7.5, drop=False)),
    "a setting of another type": json.dumps(_changed(CURRENT, ("settings", "min_size"), "ten", drop=False)),
    "a choice that is none": json.dumps(_changed(CURRENT, ("settings", "normalize"), "maybe", drop=False)),
    "an unknown kind": json.dumps(_changed(CURRENT, ("tunables", 0, "kind"), "pickle", drop=False)),
    "a setting twice": json.dumps({**CURRENT, "tunables": [*CURRENT["tunables"], CURRENT["tunables"][0]]}),
    "a path for a name": json.dumps(_changed(CURRENT, ("outputs", 0, "name"), "../x", drop=False)),
    "no outputs": json.dumps({**CURRENT, "outputs": []}),
    "another first output": json.dumps(_changed(CURRENT, ("outputs", 0, "role"), "masks", drop=False)),
    "an unknown role": json.dumps(_changed(CURRENT, ("outputs", 0, "role"), "shell", drop=False)),
    "10^12 channels": json.dumps(_changed(CURRENT, ("spec", "channels"), 10**12, drop=False)),
    "channels as text": json.dumps(_changed(CURRENT, ("spec", "channels"), "3", drop=False)),
    "no channels": json.dumps(_changed(CURRENT, ("spec", "channels"), 0, drop=False)),
    "7 dimensions": json.dumps({**CURRENT, "dimensions": 7}),
    "huge pixels": json.dumps(_changed(CURRENT, ("spec", "pixel_size"), 1e308, drop=False)),
    "negative pixels": json.dumps(_changed(CURRENT, ("spec", "pixel_size"), -0.5, drop=False)),
    "no structures": json.dumps(_changed(CURRENT, ("spec", "structures"), [], drop=False)),
    "a hash that is none": json.dumps({**CURRENT, "source_sha256": "abc"}),
    "an unknown key": json.dumps({**CURRENT, "exec": "rm"}),
    "an unknown decision": json.dumps(_changed(CURRENT, ("tunables", 0, "decides"), "all", drop=False)),
    "targets as text": json.dumps(
        _changed(CURRENT, ("tunables", 0), {**CURRENT["tunables"][0], "static_in": "onnx"}, drop=False)
    ),
    "decided twice": json.dumps(_changed(CURRENT, ("tunables", 0, "static_in"), ["onnx"], drop=False)),
    "an image without a size": json.dumps({**CURRENT, "image_shape": [1, 3, 0, 64]}),
    "an image of 5 axes": json.dumps({**CURRENT, "image_shape": [1, 3, 8, 64, 64]}),
    "an image size in text": json.dumps({**CURRENT, "image_shape": "64"}),
    "paired by a number": json.dumps({**CURRENT, "paired_by": "min_size"}),
    "paired by nothing it has": json.dumps({**CURRENT, "paired_by": "resolve_cell_and_nucleus"}),
    "an unknown precision": json.dumps({**CURRENT, "precision": "int4"}),
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused(text: str | bytes) -> None:
    assert _read_or_refused(text) is None


def test_control_characters_of_a_file_do_not_reach_whoever_prints_its_names() -> None:
    for place in (("spec", "name"), ("spec", "structures", 0), ("version",), ("tunables", 0, "help")):
        metadata = _read_or_refused(json.dumps(_changed(CURRENT, place, "a\x1b]0;b\x07\u202ec\nd", drop=False)))
        assert metadata is not None
        for words in (metadata.spec.name, *metadata.spec.structures, metadata.version, metadata.setting_rows[0].help):
            assert words.isprintable()


def test_refusing_a_long_description_takes_little_memory() -> None:
    text = "[" * 100_000_000
    tracemalloc.start()
    assert _read_or_refused(text) is None
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000
