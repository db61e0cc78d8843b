"""What may lie at an output's place: our own outputs, and all that is not wholly ours."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

from instanseg_export.files import MARKER, staged_folder

__all__ = ["REFUSED", "REPLACED", "Make", "snapshot", "work_folders", "write"]

Make = Callable[[Path], None]


def snapshot(folder: Path) -> dict[str, str]:
    """Everything below a folder: hashes of files, targets of links, kinds of the rest."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            content = f"-> {path.readlink()}"
        elif path.is_file():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            content = "folder" if path.is_dir() else "special"
        found[path.relative_to(folder).as_posix()] = content
    return found


def work_folders(home: Path) -> list[str]:
    """Names of folders for work in progress, and of what is called like them."""
    return sorted(path.name for path in home.iterdir() if "instanseg-export-" in path.name)


def write(path: Path, *, overwrite: bool = True, kind: str = "package", inputs: tuple[Path, ...] = ()) -> None:
    with staged_folder(path, kind=kind, overwrite=overwrite, inputs=inputs) as folder:
        (folder / "model.pt").write_text("new")
        (folder / "parity").mkdir()
        (folder / "parity/report.json").write_text("{}")


def empty_folder(path: Path) -> None:
    path.mkdir()


def documents(path: Path) -> None:
    path.mkdir()
    (path / "thesis.txt").write_text("precious")


def package_of_an_earlier_version(path: Path) -> None:
    path.mkdir()
    (path / "rdf.yaml").write_text("name: model")
    (path / "instanseg.pt").write_text("weights")


def ours(path: Path) -> None:
    write(path)


def ours_without_a_file(path: Path) -> None:
    write(path)
    (path / "model.pt").unlink()


def ours_of_another_kind(path: Path) -> None:
    write(path, kind="report")


def ours_with(change: Make) -> Make:
    def make(path: Path) -> None:
        write(path)
        change(path)

    make.__name__ = change.__name__
    return make


def a_note(path: Path) -> None:
    (path / "notes.txt").write_text("mine")


def a_hidden_note(path: Path) -> None:
    (path / ".notes").write_text("mine")


def a_note_deep_inside(path: Path) -> None:
    (path / "parity/notes.txt").write_text("mine")


def an_empty_folder_inside(path: Path) -> None:
    (path / "more").mkdir()


def a_link_inside(path: Path) -> None:
    (path / "link").symlink_to("../elsewhere")


def a_file_turned_into_a_link(path: Path) -> None:
    (path / "model.pt").rename(path.with_name("weights"))
    (path / "model.pt").symlink_to("../weights")


def a_folder_turned_into_a_link(path: Path) -> None:
    (path / "parity").rename(path.with_name("reports"))
    (path / "parity").symlink_to("../reports")


def a_file_turned_into_a_folder(path: Path) -> None:
    (path / "model.pt").unlink()
    (path / "model.pt").mkdir()


def a_changed_file(path: Path) -> None:
    (path / "model.pt").write_text("NEW")  # of the same size


def a_longer_file(path: Path) -> None:
    with (path / "model.pt").open("a") as stream:
        stream.write("more")


def a_pipe_inside(path: Path) -> None:
    os.mkfifo(path / "pipe")


def a_list_that_is_a_link(path: Path) -> None:
    (path / MARKER).rename(path.with_name("list"))
    (path / MARKER).symlink_to("../list")


def a_list_for_everything(path: Path) -> None:
    content = json.loads((path / MARKER).read_text())
    content["files"]["../documents/thesis.txt"] = {"size": 8, "sha256": "0" * 64}
    content["files"]["notes.txt"] = {"size": 4, "sha256": "0" * 64}
    (path / MARKER).write_text(json.dumps(content))
    (path / "notes.txt").write_text("mine")


def no_list(path: Path) -> None:
    (path / MARKER).unlink()


def a_damaged_list(path: Path) -> None:
    (path / MARKER).write_bytes(b'{"format": ' + b"[" * 100_000)


def a_list_of_another_version(path: Path) -> None:
    (path / MARKER).write_text((path / MARKER).read_text().replace('"version": 1', '"version": 99'))


def a_file(path: Path) -> None:
    path.write_text("precious")


def a_link_to_a_folder(path: Path) -> None:
    path.symlink_to("documents")


def a_link_to_ours(path: Path) -> None:
    write(path.with_name("real"))
    path.symlink_to("real")


def a_link_to_nothing(path: Path) -> None:
    path.symlink_to("nowhere")


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


REPLACED = [ours, ours_without_a_file]
REFUSED = [
    empty_folder,
    documents,
    package_of_an_earlier_version,
    ours_of_another_kind,
    a_file,
    a_link_to_a_folder,
    a_link_to_ours,
    a_link_to_nothing,
    a_pipe,
    *map(
        ours_with,
        (
            a_note,
            a_hidden_note,
            a_note_deep_inside,
            an_empty_folder_inside,
            a_link_inside,
            a_file_turned_into_a_link,
            a_folder_turned_into_a_link,
            a_file_turned_into_a_folder,
            a_changed_file,
            a_longer_file,
            a_pipe_inside,
            a_list_that_is_a_link,
            a_list_for_everything,
            no_list,
            a_damaged_list,
            a_list_of_another_version,
        ),
    ),
]
