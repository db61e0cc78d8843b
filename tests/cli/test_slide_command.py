"""``run`` in tiles, from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from instanseg_export.api.options import RunOptions
from instanseg_export.cli.run_command import run_command
from instanseg_export.inference import memory
from support.paths import DEMO_IMAGES

pytest.importorskip("distributed")

IMAGE = DEMO_IMAGES / "histology.png"
Command = Callable[..., CompletedProcess[str]]
TILES = ("--tiled", "--tile", "160", "--halo", "30", "--pixel-size", "0.5", "--workers", "1")


def test_events_and_result_are_json(command: Command, demo_package: Path, tmp_path: Path) -> None:
    done = command("run", demo_package, IMAGE, *TILES, "--output", "out", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["counts"]["nuclei"] > 5
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert [event["event"] for event in events][:1] == ["start"]
    assert events[-1]["event"] == "done"
    assert events[-1]["finished"] == document["tiles"] > 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        Path(name).name for name in document["written"]
    )


def test_for_people(command: Command, demo_package: Path) -> None:
    done = command("run", demo_package, IMAGE, *TILES, "--output", "out")
    assert done.returncode == 0, done.stderr
    for words in ("nuclei", "Note: ", "labels.zarr", "Next: drag objects.geojson"):
        assert words in done.stdout
    assert "tiles" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([IMAGE, IMAGE, "--tiled"], ["one image is segmented at a time"]),
        ([IMAGE, "--tiled", "--table", "csv"], ["--table has no effect in tiles"]),
        ([IMAGE, "--tiled"], ["pixel size", "--pixel-size"]),
        ([IMAGE, "--tile", "50", "--pixel-size", "0.5"], ["leave nothing in the middle"]),
        ([IMAGE, IMAGE, "--strict"], ["one image is segmented at a time"]),
        ([IMAGE, "--tile", "-1"], ["size of a tile"]),
        (["https://127.0.0.1:9/slide.zarr", "--tiled"], ["https://127.0.0.1:9/slide.zarr"]),
    ],
)
def test_bad_input(
    command: Command, refused: Callable[..., None], demo_package: Path, arguments: list[str | Path], words: list[str]
) -> None:
    refused(command("run", demo_package, *arguments, "--output", "out", "--quiet"), *words)


def test_what_does_not_fit_into_memory_goes_through_in_tiles(
    demo_package: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: (1e6, ""))
    monkeypatch.chdir(tmp_path)
    options = RunOptions(pixel_size=0.5)
    assert not options.asks_for_tiles
    status = run_command(demo_package, [IMAGE], options, recursive=False, as_json=False, quiet=False)
    assert status == 0
    said = capsys.readouterr()
    assert "It is segmented in tiles." in said.err
    assert (tmp_path / "histology_segmented" / "objects.geojson").exists()
