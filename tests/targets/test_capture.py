"""A forward is captured once for all targets that need it, and forgotten when they are written."""

from __future__ import annotations

import gc
import weakref
import zipfile
from pathlib import Path
from typing import NamedTuple

import onnx
import pytest
import torch
from torch import Tensor, nn

from instanseg_export.targets import write_artifact
from instanseg_export.targets.capture import capture, shared_captures
from instanseg_export.targets.program import changeable
from instanseg_export.testing.small_forward import SmallForward, small_checkpoint
from support.graph_hashes import onnx_hash, torchscript_hash


def test_targets_share_a_capture_only_inside_of_the_block() -> None:
    forward, other = SmallForward(), SmallForward()
    with shared_captures():
        first = capture(forward, ["normalize", "level"])
        assert capture(forward, ["normalize", "level"]) is first
        assert capture(forward, ["level"]) is not first, "other inputs, another program"
        assert capture(other, ["normalize", "level"]) is not first, "another forward"
    assert capture(forward, ["normalize", "level"]) is not first
    with shared_captures():
        assert capture(forward, ["normalize", "level"]) is not first
    gone = weakref.ref(first.program)
    del first
    gc.collect()
    assert gone() is None, "the program outlives the export"


def test_a_capture_takes_any_size_and_leaves_the_settings_open() -> None:
    forward = SmallForward()
    found = capture(forward, ["level"])
    assert found.axes == ("batch", "channels", "height", "width")
    assert (list(found.settings), found.stage_names) == (["level"], ("normalize", "network", "labels"))
    program = found.program.module()
    for shape in ((1, 3, 1, 1), (3, 3, 17, 40)):
        image = torch.rand(shape, generator=torch.Generator().manual_seed(0))
        for level in (0.2, 0.7):
            settings = {"level": torch.tensor(level)}
            for stage, expected in zip(program(image, settings), forward.stages(image, settings).values(), strict=True):
                torch.testing.assert_close(stage, expected)


def test_translating_a_shared_program_twice_gives_the_same_graph(tmp_path: Path) -> None:
    """A target must not change what the next one reads."""
    forward, checkpoint = SmallForward(), small_checkpoint()
    with shared_captures():
        for name in ("first.onnx", "second.onnx"):
            write_artifact("onnx", forward, checkpoint, tmp_path / name)
    write_artifact("onnx", forward, checkpoint, tmp_path / "alone.onnx")
    assert len({(tmp_path / f"{name}.onnx").read_bytes() for name in ("first", "second", "alone")}) == 1


def test_hashes_see_what_is_computed_and_not_what_is_said(tmp_path: Path) -> None:
    forward = SmallForward()
    hashes: dict[str, list[str]] = {"onnx": [], "torchscript": []}
    for name, changed in (("a", False), ("b", False), ("c", True)):
        if changed:
            forward.network.get_parameter("weight").add_(0.01)
        for target, hash_of in (("onnx", onnx_hash), ("torchscript", torchscript_hash)):
            write_artifact(target, forward, small_checkpoint(name=f"model {name}"), tmp_path / f"{name}.{target}")
            hashes[target].append(hash_of(tmp_path / f"{name}.{target}"))
    for found in hashes.values():
        assert found[0] == found[1], "metadata alone differ"
        assert found[0] != found[2], "a weight differs"
    assert (tmp_path / "a.onnx").read_bytes() != (tmp_path / "b.onnx").read_bytes()
    model = onnx.load(tmp_path / "a.onnx")
    next(node for node in model.graph.node if node.op_type == "Greater").op_type = "GreaterOrEqual"
    onnx.save(model, tmp_path / "d.onnx")
    assert onnx_hash(tmp_path / "d.onnx") != hashes["onnx"][0]
    _rewrite(tmp_path / "a.torchscript", tmp_path / "d.torchscript", "torch.gt(", "torch.ge(")
    assert torchscript_hash(tmp_path / "d.torchscript") != hashes["torchscript"][0]


def _rewrite(source: Path, path: Path, before: str, after: str) -> None:
    """Replace words in the code of a TorchScript file."""
    found = 0
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if "/code/" in name and name.endswith(".py"):
                found += content.count(before.encode())
                content = content.replace(before.encode(), after.encode())
            new.writestr(name, content)
    assert found == 1


class Pair(NamedTuple):
    low: Tensor
    high: Tensor


class Scale(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return self.scaled(image, image.amin(), image.amax())

    def scaled(self, image: Tensor, low: Tensor, high: Tensor) -> Tensor:
        return (image - low) / (high - low)


class ScaleByPair(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return self.scaled(image, Pair(image.amin(), image.amax()))

    def scaled(self, image: Tensor, pair: Pair) -> Tensor:
        return (image - pair.low) / (pair.high - pair.low)


class ScaleByTurnedPair(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return self.scaled(image, Pair(image.amax(), image.amin()))

    def scaled(self, image: Tensor, pair: Pair) -> Tensor:
        return (image - pair.low) / (pair.high - pair.low)


def test_the_hash_of_torchscript_does_not_see_how_values_are_passed_on(tmp_path: Path) -> None:
    hashes = []
    for module in (Scale(), ScaleByPair(), ScaleByTurnedPair()):
        torch.jit.script(module.eval()).save(tmp_path / "scale.pt")
        hashes.append(torchscript_hash(tmp_path / "scale.pt"))
    assert hashes[0] == hashes[1], "a tuple is no node"
    assert hashes[1] != hashes[2], "the maximum is taken for the minimum"


def test_the_hash_of_torchscript_does_not_see_where_a_module_stands(tmp_path: Path) -> None:
    write_artifact("torchscript", SmallForward(), small_checkpoint(), tmp_path / "here.pt")
    here_named, there_named = SmallForward.__module__, "families.small.forward"
    moves = 0
    with zipfile.ZipFile(tmp_path / "here.pt") as here, zipfile.ZipFile(tmp_path / "there.pt", "w") as there:
        for name in here.namelist():
            content = here.read(name)
            for end in (b".", b"\n"):  # in code, and in pickles
                place = f"__torch__.{here_named}".encode() + end
                moves += content.count(place)
                content = content.replace(place, f"__torch__.{there_named}".encode() + end)
            there.writestr(name.replace(here_named.replace(".", "/"), there_named.replace(".", "/")), content)
    assert moves > 2
    assert torchscript_hash(tmp_path / "there.pt") == torchscript_hash(tmp_path / "here.pt")


@pytest.mark.parametrize("running", [True, False])
def test_the_garbage_collector_is_as_it_was(running: bool) -> None:
    enabled = gc.isenabled()
    (gc.enable if running else gc.disable)()
    try:
        capture(SmallForward(), [])
        assert gc.isenabled() == running
    finally:
        (gc.enable if enabled else gc.disable)()


def test_what_another_translation_assumes_of_sizes_is_no_guard_of_a_program() -> None:
    """All that is made of one trace shares its symbols of sizes, and what was assumed of them since."""
    program = capture(SmallForward(), ()).program
    image = next(node for node in program.graph.nodes if node.op == "placeholder" and node.name == "image")
    bool(image.meta["val"].shape[2] * 3 > 40)  # asking assumes the answer
    assert changeable(program)._guards_code == program._guards_code == []
