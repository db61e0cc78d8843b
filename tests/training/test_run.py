"""Whole trainings of tiny networks: every family, and what can go wrong."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("pytorch_lightning", reason="needs the extra train")

from instanseg_export import build_forward, load_checkpoint
from instanseg_export.errors import OutputError, RecipeError, SettingError, TrainingError
from instanseg_export.training.__main__ import _signals, main
from instanseg_export.training.loop.curves import Table, draw_curves
from instanseg_export.training.loop.lock import alone_in
from instanseg_export.training.loop.module import learning_rate
from instanseg_export.training.loop.state import StateFiles
from instanseg_export.training.recipe import Optimiser
from instanseg_export.training.recipe_file import load_recipe
from instanseg_export.training.run import train
from support.training_data import discs, write_data, write_recipe

EMBEDSEG = {
    "family": "embedseg",
    "name": "tiny",
    "channels": 1,
    "grid": [128, 128],
    "extent": [1.0, 1.0],
}
IAUNET = {
    "family": "iaunet",
    "name": "tiny",
    "encoder": {"kind": "resnet", "depths": [1, 1, 1, 1]},
    "queries": 6,
    "dim": 8,
    "heads": 2,
    "hidden": 8,
    "blocks_per_level": 1,
}
BOTH = {
    "structures": ["nuclei", "cells"],
    "channels": None,
    "backbone": {"in_channels": 3, "layers": [4, 6], "norm": "instance", "heads": [[2, 2, 1], [2, 2, 1]]},
    "adaptor": {"out_channels": 3, "layers": [4, 4, 4], "norm": "instance"},
}


def _recipe(folder: Path, model: dict[str, Any], **changes: Any) -> Path:
    """A recipe with another model, whole."""
    import yaml

    path = write_recipe(folder, **changes)
    content = yaml.safe_load(path.read_text())
    content["model"] = model if "family" in model else {**content["model"], **model}
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.parametrize(
    ("model", "changes", "structures"),
    [
        ({}, {"precision": "bf16"}, ("labels",)),
        (BOTH, {"channels": {"least": 1, "most": 2}}, ("nuclei", "cells")),
        (EMBEDSEG, {"objective": {}, "data": {}}, ("labels",)),
        (IAUNET, {"objective": {}}, ("labels",)),
    ],
    ids=["mixed precision", "two structures of any channels", "embedseg", "iaunet"],
)
def test_every_family_trains_and_what_it_leaves_is_a_checkpoint(
    tmp_path: Path, model: dict[str, Any], changes: dict[str, Any], structures: tuple[str, ...]
) -> None:
    import yaml

    write_data(tmp_path / "data", structures=structures, grey=model is EMBEDSEG)
    path = _recipe(tmp_path, model, optimiser={"steps": 3, "warm_up": 1}, validation={"every": 2}, **changes)
    content = yaml.safe_load(path.read_text())
    if "objective" in changes:
        content["objective"] = {}
        path.write_text(yaml.safe_dump(content))
    told: list[str] = []
    trained = train(path, output=tmp_path / "out", device="cpu", tell=told.append)
    assert trained.finished
    assert trained.step == 3
    assert trained.best is not None
    assert set(trained.scores) <= {"grey", "colour"}
    forward = build_forward(load_checkpoint(trained.best))
    channels = load_checkpoint(trained.best).spec.channels or 2
    with torch.inference_mode():
        result = forward(torch.rand(1, channels, 40, 50) * 255)
    labels = result[0] if isinstance(result, tuple) else result
    assert labels.shape == (1, len(load_checkpoint(trained.best).spec.structures), 40, 50)
    for name in ("state.pt", "latest.pt", "losses.csv", "scores.csv", "curves.png", "samples.png"):
        assert (tmp_path / "out" / name).stat().st_size > 0, name
    assert any("step 3" in line for line in told)


def test_training_lowers_the_loss_and_finds_what_it_saw(tmp_path: Path) -> None:
    """A network of 2,000 weights learns eight discs by heart."""
    from PIL import Image

    write_data(tmp_path / "data", images=2, size=(48, 48))
    labels = discs(48, 48, 5, count=8)
    for name in ("image0", "image1"):
        Image.fromarray(labels.astype(np.uint16)).save(tmp_path / "data" / "labels" / f"{name}.png")
        Image.fromarray(((labels > 0) * 200 + 20).astype(np.uint8)).save(tmp_path / "data" / "images" / f"{name}.png")
    recipe = write_recipe(
        tmp_path,
        model={"backbone": {"in_channels": 3, "layers": [6, 8, 8], "norm": "batch", "heads": [[2, 2, 1]]}},
        crops={"size": 48, "scale": [1, 1]},
        augmentations={"share": 0},
        objective={"warm_start": 30, "window": 24},
        optimiser={"steps": 150, "warm_up": 5, "learning_rate": 0.01},
        averaging={"decay": 0.9},
        validation={"every": 1000},
    )
    trained = train(recipe, output=tmp_path / "out", device="cpu")
    assert trained.rating > 0.6
    rows = Table(tmp_path / "out" / "losses.csv", 1000).rows
    assert rows[-1]["instances"] < 0.6 * rows[0]["instances"]


def test_a_finished_training_has_nothing_left_to_do(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, optimiser={"steps": 2})
    first = train(recipe, output=tmp_path / "out", device="cpu")
    before = (tmp_path / "out" / "state.pt").read_bytes()
    second = train(recipe, output=tmp_path / "out", device="cpu")
    assert first.best == second.best
    assert second.step == 2
    assert second.rating == first.rating
    assert (tmp_path / "out" / "state.pt").read_bytes() == before


def test_states_are_of_one_recipe_and_of_its_images(tmp_path: Path) -> None:
    out = tmp_path / "out"
    train(write_recipe(tmp_path, optimiser={"steps": 2}), output=out, device="cpu")
    changed = write_recipe(tmp_path, optimiser={"steps": 2, "learning_rate": 0.01}, seed=4)
    with pytest.raises(TrainingError, match=r"optimiser\.learning_rate was 0.001 and is 0.01; seed was 1 and is 4"):
        train(changed, output=out, device="cpu")
    write_data(tmp_path / "others", images=6)
    with pytest.raises(TrainingError, match="images was"):
        train(write_recipe(tmp_path, optimiser={"steps": 2}), output=out, data=tmp_path / "others", device="cpu")


def test_a_damaged_state_is_passed_over_for_the_one_before(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, optimiser={"steps": 3})
    out = tmp_path / "out"
    train(recipe, output=out, device="cpu", minutes=0)
    whole = torch.load(out / "state.pt", weights_only=True)["state"]
    (out / "state.pt").write_bytes((out / "state.pt").read_bytes()[:1000])
    again = train(recipe, output=out, device="cpu", minutes=0)
    assert again.step == 3
    for name, tensor in torch.load(out / "state.pt", weights_only=True)["state"]["state_dict"].items():
        assert torch.equal(tensor, whole["state_dict"][name]), name
    (out / "state.pt").unlink()  # as when the process is killed between two renames
    assert train(recipe, output=out, device="cpu", minutes=0).step == 3
    for name in ("state.pt", "state-previous.pt"):
        (out / name).write_bytes(b"no state")
    with pytest.raises(TrainingError, match="No state of the training can be read"):
        train(recipe, output=out, device="cpu")


def _with_full_disk(work: Callable[[], Any], room: int) -> Any:
    """Run something while no file may grow beyond ``room`` bytes, as when a disk is full."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, old[1]))
    try:
        return work()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, before)


def test_a_full_disk_stops_the_training_in_words_and_costs_no_state(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, optimiser={"steps": 4})
    out = tmp_path / "out"
    train(recipe, output=out, device="cpu", minutes=0, stop=lambda: True)
    before = {name: (out / name).read_bytes() for name in ("state.pt", "state-previous.pt")}
    size = len(before["state.pt"])
    with pytest.raises(OutputError, match=r"The training stopped at step 2: .*state\.pt") as caught:
        _with_full_disk(lambda: train(recipe, output=out, device="cpu", minutes=0), size // 2)
    assert "goes on from the last state" in caught.value.hint
    assert {name: (out / name).read_bytes() for name in before} == before
    assert not list(out.glob("*.part"))
    assert train(recipe, output=out, device="cpu").step == 4


def test_two_processes_do_not_train_in_one_folder(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    with alone_in(out), pytest.raises(TrainingError, match="Another process trains"):
        train(recipe, output=out, device="cpu")


def test_a_loss_that_is_not_finite_stops_the_training(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, optimiser={"steps": 30, "warm_up": 0, "learning_rate": 1.0, "clip": None})
    plan = load_recipe(recipe)
    start = tmp_path / "nan.pt"
    from instanseg_export.checkpoints import Checkpoint, save_checkpoint

    torch.manual_seed(0)
    network = plan.family.build(plan.spec).requires_grad_(False)
    network.get_parameter("backbone.encoder.0.conv0.0.weight").mul_(1e38)
    save_checkpoint(Checkpoint(plan.spec, network, start, "0" * 64, "test"), start)
    diverging = write_recipe(tmp_path, initial_weights="nan.pt")
    with pytest.raises(TrainingError, match="The loss at step 0 is not finite"):
        train(diverging, output=tmp_path / "out", device="cpu")


def test_initial_weights_are_taken_where_they_fit(tmp_path: Path) -> None:
    train(write_recipe(tmp_path, optimiser={"steps": 1}), output=tmp_path / "first", device="cpu")
    (tmp_path / "start.pt").write_bytes((tmp_path / "first" / "best.pt").read_bytes())
    told: list[str] = []
    wider = {"backbone": {"in_channels": 3, "layers": [4, 8], "norm": "batch", "heads": [[2, 2, 1]]}}
    recipe = write_recipe(tmp_path, model=wider, initial_weights="start.pt", optimiser={"steps": 1})
    train(recipe, output=tmp_path / "second", device="cpu", tell=told.append)
    line = next(line for line in told if "tensors are taken" in line)
    taken, whole = int(line.split()[0]), int(line.split()[2])
    assert 20 < taken < whole


def test_the_learning_rate_rises_and_falls() -> None:
    optimiser = Optimiser(steps=110, warm_up=10, learning_rate=1.0, final_rate=0.1)
    rates = [learning_rate(optimiser, step) for step in range(111)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == rates[10] == pytest.approx(1.0)
    assert rates[60] == pytest.approx(0.55)
    assert rates[110] == pytest.approx(0.1)
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_a_table_forgets_what_will_be_told_again(tmp_path: Path) -> None:
    table = Table(tmp_path / "table.csv", 0)
    for step in range(1, 6):
        table.add({"step": step, "loss": step / 2})
    table.add({"step": 6.0, "score": 0.5})
    with (tmp_path / "table.csv").open("a") as stream:
        stream.write("7.0,hal")
    again = Table(tmp_path / "table.csv", 4)
    assert [row["step"] for row in again.rows] == [1, 2, 3, 4]
    again.add({"step": 5.0, "loss": 1.0})
    assert len(Table(tmp_path / "table.csv", 9).rows) == 5
    assert draw_curves({"all": again.rows, "none": []}).size[1] > 400


def test_devices_that_are_not_there_are_refused(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path)
    with pytest.raises(SettingError, match="There is no device 'tpu'"):
        train(recipe, output=tmp_path / "out", device="tpu")
    halves = write_recipe(tmp_path, precision="16")
    with pytest.raises(SettingError, match='precision "16" needs a GPU'):
        train(halves, output=tmp_path / "out", device="cpu")
    if not torch.cuda.is_available():
        with pytest.raises(SettingError, match="no device cuda"):
            train(recipe, output=tmp_path / "out", device="cuda")


def test_the_command_says_what_is_wrong_and_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = write_recipe(tmp_path, crops={"sizes": 3})
    assert main([str(recipe)]) == 2
    said = capsys.readouterr().err
    assert "crops.sizes is not a known key" in said
    assert "hint:" in said
    assert not (Path(".training") / "tiny").exists()


def test_state_files_refuse_what_is_no_state(tmp_path: Path) -> None:
    plan = load_recipe(write_recipe(tmp_path))
    states = StateFiles(tmp_path, plan)
    assert not states.exists()
    torch.save({"format": "another"}, states.latest)
    with pytest.raises(TrainingError, match="of another program"):
        states.load_checkpoint(states.latest)


def test_the_first_signal_asks_to_stop_and_the_second_interrupts(capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with _signals() as signals:
        os.kill(os.getpid(), signal.SIGTERM)
        assert signals == [signal.SIGTERM]
        assert "stopping after this step" in capsys.readouterr().out
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    for word in ("recipe.yaml", "state.pt", "best.pt", "--device", "killed", "examples"):
        assert word in said


def test_a_recipe_that_is_gone_makes_no_folder(tmp_path: Path) -> None:
    with pytest.raises(RecipeError):
        train(tmp_path / "recipe.yaml", output=tmp_path / "out")
    assert not (tmp_path / "out").exists()
