"""The page and a model, put together in one folder that any host can give out as it is."""

from __future__ import annotations

import shutil
from pathlib import Path

from .manifest import PageModel

__all__ = ["fill_page"]


def fill_page(folder: Path, page: Path, model: PageModel) -> None:
    """Put a built page and a model into a folder.

    Args:
        folder: an empty one of the caller's own.
        page: the folder of the built page.
        model: what goes beside it.
    """
    shutil.copytree(page, folder, dirs_exist_ok=True)
    place = folder / "model"
    place.mkdir()
    for path in (model.file, *model.samples):
        shutil.copyfile(path, place / path.name)
    (place / "model.json").write_text(model.manifest(), encoding="utf-8")
