"""A page that runs a model in the browser, given out on this computer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Unpack

from ..exported_model import open_model
from ..files import scratch_folder
from ..progress import Progress, Steps
from ..web.built import built_page
from ..web.folder import fill_page
from ..web.manifest import page_model
from ..web.server import given_out
from .options import ServeKeywords, ServeOptions

__all__ = ["ServedPage", "serve"]


@dataclass(frozen=True)
class ServedPage:
    """A page that is given out.

    Attributes:
        url: its address, on this computer.
        name: of the model.
    """

    url: str
    name: str


@contextmanager
def serve(
    model: str | Path,
    options: ServeOptions | None = None,
    *,
    progress: Progress | None = None,
    **keywords: Unpack[ServeKeywords],
) -> Iterator[ServedPage]:
    """Yield a page that runs a model, given to browsers on this computer as long as the block runs.

    The page segments images in the browser: nothing leaves it. The first call builds the page, which takes Node, npm
    and a minute.

    Args:
        model: a package folder or its zip, with a model.onnx; or such a file.
        options: how.
        progress: told when the page is built.
        **keywords: fields of :class:`.ServeOptions`, as in ``port=8000``; they win over those of ``options``.

    Raises:
        PackageError: the model is damaged, has no ONNX file of ours, or takes volumes or images of one size.
        RuntimeUnavailableError: the page is not built yet, and Node or npm is missing or failed.
        OutputError: the port cannot be used, or the disk is full.
    """
    options = replace(options or ServeOptions(), **keywords)
    path = Path(model)
    with scratch_folder() as folder:
        with open_model(path) as exported:
            shown = page_model(path, exported)
            fill_page(folder, built_page(Steps(progress)), shown)
        with given_out(folder, options.port) as url:
            yield ServedPage(url, shown.name)
