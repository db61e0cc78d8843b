"""A page that runs a model in the browser, as a folder for any host."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Unpack

from ..errors import SettingError
from ..exported_model import open_model
from ..files import files_in, staged_folder
from ..progress import Progress, Steps
from ..web.built import built_page
from ..web.folder import fill_page
from ..web.manifest import page_model
from .options import ExportWebKeywords, ExportWebOptions

__all__ = ["ExportedPage", "export_web"]


@dataclass(frozen=True)
class ExportedPage:
    """A page in a folder.

    Attributes:
        folder: that a host gives out.
        name: of the model.
        size: of all files, in bytes.
    """

    folder: Path
    name: str
    size: int


def export_web(
    model: str | Path,
    options: ExportWebOptions | None = None,
    *,
    progress: Progress | None = None,
    **keywords: Unpack[ExportWebKeywords],
) -> ExportedPage:
    """Write a page that runs a model into a folder that any web host can give out as it is.

    Args:
        model: a package folder or its zip, with a model.onnx; or such a file.
        options: where to.
        progress: told when the page is built.
        **keywords: fields of :class:`.ExportWebOptions`, as in ``output="page"``; they win over those of ``options``.

    Raises:
        PackageError: the model is damaged, has no ONNX file of ours, or takes volumes or images of one size.
        RuntimeUnavailableError: the page is not built yet, and Node or npm is missing or failed.
        SettingError: no output is named.
        OutputError: the folder exists, cannot be written, or the disk is full.
    """
    options = replace(options or ExportWebOptions(), **keywords)
    path = Path(model)
    if options.output is None:
        raise SettingError("No folder is named for the page.", hint="Name a new one, as in --output page.")
    output = Path(options.output)
    with open_model(path) as exported:
        shown = page_model(path, exported)
        with staged_folder(output, kind="page", overwrite=options.overwrite, inputs=[path]) as folder:
            fill_page(folder, built_page(Steps(progress)), shown)
    return ExportedPage(output, shown.name, sum(file.stat().st_size for file in files_in(output)))
