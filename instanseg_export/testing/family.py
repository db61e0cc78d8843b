"""What every family promises: descriptions that come back, and a forward that keeps its contract."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from pydantic import ValidationError

from ..checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from ..errors import SettingError, SpecError
from ..families.base import SegmentationForward
from ..families.outputs import label_map
from ..families.registry import FAMILIES, build_forward
from ..families.settings import NORMALIZE_MODES, Setting
from ..images.synthetic import draw_nuclei
from ..images.synthetic_volumes import draw_spheres
from ..metadata import SpecFacts
from ..targets.capture import capture
from .apple_gpus import OperatorsSeen

__all__ = ["FamilySuite", "Stages", "other_value"]

Array = npt.NDArray[Any]

Stages = Callable[[Array, Mapping[str, Any]], Mapping[str, Array]]
"""Gives the stages of a forward for an image (B, C, [D,] H, W) and settings by name, as Python values."""

_NO_TORCH = """
import sys
from instanseg_export.families.registry import FAMILIES
assert FAMILIES.get(sys.argv[1]).spec.title
assert "torch" not in sys.modules, "importing the family imports torch"
"""


class FamilySuite:
    """Tests of a family. A subclass has a fixture ``checkpoint``, with as small a network as will do::

        class TestDots(FamilySuite):
            @pytest.fixture(scope="class")
            @classmethod
            def checkpoint(cls) -> Checkpoint:
                return dots_checkpoint()

    Its network finds something in the fixture ``image``, by default some drawn nuclei, or spheres; override that where
    it does not.
    """

    @pytest.fixture(scope="class")
    @classmethod
    def image(cls, checkpoint: Checkpoint) -> Array:
        """An image (1, C, H, W) float32, or volume (1, C, D, H, W), in which the network finds something."""
        channels = checkpoint.spec.channels or 3
        if checkpoint.spec.dimensions == 3:
            return draw_spheres(1, channels, (12, 40, 48))[None].astype(np.float32)
        return draw_nuclei(1, channels, 72, 88)[None].astype(np.float32)

    @pytest.fixture(scope="class")
    @classmethod
    def forward(cls, checkpoint: Checkpoint) -> SegmentationForward:
        """The forward with its default settings."""
        return build_forward(checkpoint)

    @pytest.fixture(scope="class")
    @classmethod
    def scripted(cls, forward: SegmentationForward) -> torch.jit.ScriptModule:
        """The forward through TorchScript."""
        module: torch.jit.ScriptModule = torch.jit.script(forward)
        return module

    @pytest.fixture(scope="class")
    @classmethod
    def others(cls, forward: SegmentationForward, scripted: torch.jit.ScriptModule) -> Mapping[str, Stages]:
        """Other forms of the forward, which have to give the same stages.

        Override it with the files of a model where those are made anyway.
        """
        return {"scripted": partial(_stages, scripted), "exported": _exported(forward)}

    def test_it_is_registered_under_the_name_in_its_descriptions(self, checkpoint: Checkpoint) -> None:
        family = FAMILIES.get(checkpoint.spec.family)
        assert type(checkpoint.spec) is family.spec
        assert family.spec.model_fields["family"].default == checkpoint.spec.family
        assert family.spec.title

    def test_importing_it_imports_no_torch(self, checkpoint: Checkpoint) -> None:
        command = [sys.executable, "-c", _NO_TORCH, checkpoint.spec.family]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def test_a_description_is_frozen_and_comes_back(self, checkpoint: Checkpoint) -> None:
        spec = checkpoint.spec
        with pytest.raises(ValidationError, match="frozen"):
            spec.name = "other"
        assert type(spec).model_validate_json(spec.model_dump_json()) == spec
        embedded = SpecFacts.model_validate(spec.model_dump(mode="json")).whole()
        assert type(spec).model_validate(embedded) == spec
        assert spec.architecture
        assert spec.tags

    @pytest.mark.parametrize("name", ["checkpoint.pt", "checkpoint.safetensors"])
    def test_it_goes_through_a_single_file(
        self, checkpoint: Checkpoint, forward: SegmentationForward, image: Array, tmp_path: Path, name: str
    ) -> None:
        save_checkpoint(checkpoint, tmp_path / name)
        again = load_checkpoint(tmp_path / name, spec={"name": "renamed"})
        assert again.spec == checkpoint.spec.model_copy(update={"name": "renamed"})
        _assert_same(_stages(build_forward(again), image), _stages(forward, image))
        with pytest.raises(SpecError, match="no_such_field") as caught:
            load_checkpoint(tmp_path / name, spec={"no_such_field": "1"})
        assert caught.value.hint

    def test_it_says_how_it_normalises(self, checkpoint: Checkpoint, forward: SegmentationForward) -> None:
        assert FAMILIES.get(checkpoint.spec.family).percentiles == forward.percentiles

    def test_something_is_found(self, forward: SegmentationForward, image: Array) -> None:
        assert _call(forward, image)[0].any(), "the other tests need an image in which the network finds something"

    def test_results_and_stages_are_those_that_it_names(self, forward: SegmentationForward, image: Array) -> None:
        results, stages = _call(forward, image), _stages(forward, image)
        assert tuple(stages) == forward.stage_names
        assert {"normalize", "network", "labels"} <= set(stages)
        assert len(results) == 1 + len(forward.further)
        _assert_same({"labels": results[0]}, {"labels": stages["labels"]})
        for output, result in zip(forward.further, results[1:], strict=True):
            _assert_same({output.name: result}, {output.name: stages[output.name]})
            assert result.ndim == len(output.axes)
            if output.axes == ("batch", "instance", "channel"):
                assert result.shape[:2] == (len(image), results[0].max()), "row r belongs to label r + 1"

    @pytest.mark.parametrize("batch", [1, 3])
    @pytest.mark.parametrize("size", [(1, 1), (1, 50), (33, 1), (37, 29)], ids=str)
    def test_images_of_any_size(
        self, forward: SegmentationForward, image: Array, batch: int, size: tuple[int, int]
    ) -> None:
        depth = () if image.ndim == 4 else (min(size),)
        piece = np.resize(image, (batch, image.shape[1], *depth, *size))
        labels = _call(forward, piece)[0]
        assert labels.shape == (batch, len(labels[0]), *depth, *size)
        assert_ids(labels)

    def test_ids_have_no_gaps(self, forward: SegmentationForward, image: Array) -> None:
        assert_ids(_call(forward, image)[0])

    def test_images_of_a_batch_do_not_depend_on_each_other(self, forward: SegmentationForward, image: Array) -> None:
        pieces = [image, np.ascontiguousarray(image[..., ::-1]), np.zeros_like(image)]
        together = _call(forward, np.concatenate(pieces))[0]
        for labels, piece in zip(together, pieces, strict=True):
            np.testing.assert_array_equal(labels, _call(forward, piece)[0][0])

    def test_the_caller_s_image_is_not_written_to(self, forward: SegmentationForward, image: Array) -> None:
        raw = image.copy()
        raw[..., :3] = [np.nan, np.inf, 1e38]
        before = raw.copy()
        _call(forward, raw)
        np.testing.assert_array_equal(raw, before)

    def test_what_is_no_number_is_background(self, forward: SegmentationForward, image: Array) -> None:
        """NaN and infinities count as the smallest value of their channel, and as 0 where it has no other."""
        holed = image.copy()
        middle = image.shape[-1] // 2
        for place, value in enumerate((np.nan, np.inf, -np.inf)):
            holed[..., middle + place] = value
        filled = np.where(np.isfinite(holed), holed, np.inf)
        axes = tuple(range(2, image.ndim))
        filled = np.where(np.isfinite(filled), filled, filled.min(axis=axes, keepdims=True))
        _assert_same(_stages(forward, holed), _stages(forward, filled))
        nothing = np.full_like(image, np.nan)
        _assert_same(_stages(forward, nothing), _stages(forward, np.zeros_like(image)))

    def test_apple_gpus_have_what_it_calls(self, scripted: torch.jit.ScriptModule, image: Array) -> None:
        """They have no float64, and not all operators."""
        with torch.no_grad(), OperatorsSeen() as seen:
            scripted(torch.from_numpy(image))
        assert seen.count > 10
        assert not seen.doubles
        assert not seen.missing

    def test_unfit_images_are_refused_in_words(self, forward: SegmentationForward, image: Array) -> None:
        unfit = [(image[0], "shape"), (image[..., :0], "empty")]
        if forward.channels:
            unfit.append((np.concatenate([image, image], axis=1), "channels"))
        for one, words in unfit:
            with pytest.raises(ValueError, match=words):
                _call(forward, one)

    def test_settings_override_what_was_baked_in(
        self, checkpoint: Checkpoint, forward: SegmentationForward, image: Array
    ) -> None:
        """A setting that is given in a call does what it does when it is baked in."""
        plain, effects = _stages(forward, image), set()
        for setting, value in _changed_settings(forward):
            overridden = _stages(forward, image, {setting.name: _encoded(setting, value)})
            baked = build_forward(checkpoint, {setting.name: value})
            assert baked.baked[setting.name] == value
            _assert_same(overridden, _stages(baked, image))
            if any(not np.array_equal(overridden[name], plain[name]) for name in plain):
                effects.add(setting.name)
        assert effects, "no setting makes a difference"

    def test_unfit_settings_are_refused_in_words(self, checkpoint: Checkpoint, forward: SegmentationForward) -> None:
        assert forward.settings[0].name == "normalize"
        assert forward.settings[0].choices == NORMALIZE_MODES
        for settings in ({"no_such_setting": 1}, {"normalize": "perhaps"}):
            with pytest.raises(SettingError) as caught:
                build_forward(checkpoint, settings)
            assert caught.value.hint

    def test_other_forms_agree(self, forward: SegmentationForward, others: Mapping[str, Stages], image: Array) -> None:
        """Labels to the last pixel; what rounding may change, nearly."""
        changes = [(setting.name, value) for setting, value in _changed_settings(forward) if setting.kind == "float"]
        for settings in ({}, dict(changes[:1])):
            for batch in (image, np.concatenate([image, np.zeros_like(image)])[..., :-5]):
                expected = _stages(forward, batch, settings)
                for name, form in others.items():
                    found = form(np.ascontiguousarray(batch), settings)
                    assert tuple(found) == forward.stage_names, name
                    for stage in expected:
                        _assert_agree(found[stage], expected[stage], stage, f"{name}: {stage}")


def assert_ids(labels: Array) -> None:
    """Check that the ids of each image of a label map (B, T, [D,] H, W) are 1..N, over all structures together."""
    assert labels.dtype == np.float32
    for image in labels:
        ids = np.unique(image)
        np.testing.assert_array_equal(ids[ids != 0], np.arange(1, np.count_nonzero(ids) + 1))


def other_value(setting: Setting, value: Any) -> Any:
    """Return a value of a setting that fits and differs from the given one."""
    if setting.kind == "bool":
        return not value
    if setting.kind == "choice":
        return next(choice for choice in reversed(setting.choices) if choice != value)
    if setting.kind == "int":
        return value + 1 if value < setting.maximum else int(setting.minimum)
    end = setting.maximum if value < setting.maximum else setting.minimum
    return float(np.float32(value + (min(end, 2 * abs(value) + 1) - value) / 4))


def _changed_settings(forward: SegmentationForward) -> Iterator[tuple[Setting, Any]]:
    for setting in forward.settings:
        if setting.decides == "values":
            yield setting, other_value(setting, forward.baked[setting.name])


def _encoded(setting: Setting, value: Any) -> Any:
    return setting.choices.index(value) if setting.kind == "choice" else value


def _call(forward: SegmentationForward, image: Array) -> list[Array]:
    with torch.inference_mode():
        result = forward(torch.from_numpy(np.ascontiguousarray(image)))
    labels = label_map(result)
    further = result[1:] if isinstance(result, tuple) else ()
    return [value.numpy() for value in (labels, *further)]


def _stages(forward: Any, image: Array, settings: Mapping[str, Any] | None = None) -> dict[str, Array]:
    args = {name: torch.tensor(value) for name, value in (settings or {}).items()}
    with torch.inference_mode():
        found = forward.stages(torch.from_numpy(np.ascontiguousarray(image)), args)
    return {name: value.numpy() for name, value in found.items()}


def _exported(forward: SegmentationForward) -> Stages:
    captured = capture(forward, [setting.name for setting in forward.settings if setting.decides == "values"])
    module = captured.program.module()
    _without_assertions(module)

    def run(image: Array, settings: Mapping[str, Any]) -> dict[str, Array]:
        given = {
            name: torch.tensor(settings[name]) if name in settings else baked
            for name, baked in captured.settings.items()
        }
        with torch.inference_mode():
            found = module(torch.from_numpy(image), given)
        return {name: value.numpy() for name, value in zip(captured.stage_names, found, strict=True)}

    return run


def _without_assertions(module: torch.nn.Module) -> None:
    """Take out what holds only for sizes as large as those of the example, as every format does."""
    for part in module.modules():
        if isinstance(part, torch.fx.GraphModule):
            for node in part.graph.find_nodes(op="call_function", target=torch.ops.aten._assert_scalar.default):
                part.graph.erase_node(node)
            part.recompile()


def _assert_same(found: Mapping[str, Array], expected: Mapping[str, Array]) -> None:
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name, strict=True)


def _assert_agree(found: Array, expected: Array, stage: str, message: str) -> None:
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape), message
    if stage == "labels" or expected.dtype.kind != "f":
        np.testing.assert_array_equal(found, expected, err_msg=message)
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3, err_msg=message)
