"""Write the files with which other people's servers run a model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Unpack

from ..exported_model import open_model
from ..files import staged_folder
from ..servers import check_recipes, served_files, write_recipe
from ..targets.trust import check_trust
from .options import ServerKeywords, ServerOptions

__all__ = ["ServerFiles", "export_server"]


@dataclass(frozen=True)
class ServerFiles:
    """What was written.

    Attributes:
        folder: with a folder for each kind of server.
        kinds: of servers.
        models: names of the models, the one for any size of image first.
    """

    folder: Path
    kinds: tuple[str, ...]
    models: tuple[str, ...]


def export_server(
    path: str | Path, options: ServerOptions | None = None, **keywords: Unpack[ServerKeywords]
) -> ServerFiles:
    """Write a folder for each kind of server, with a package's ONNX files and how to run them.

    ``triton/`` is a model repository of NVIDIA's Triton Inference Server: each ONNX file is a model with a
    configuration. ``http/`` is a small program with the file for any size of image, or the first that there is.

    Args:
        path: a package folder, its zip, or one ONNX file.
        options: what to write, and where.
        **keywords: fields of :class:`.ServerOptions`; they win over those of ``options``.

    Raises:
        PackageError: ``path`` is missing, damaged, or has no ONNX file.
        UnsafeFileError: a file is not self-contained, or needs operators of its own.
        UnknownNameError: there is no such kind of server.
        OutputError: the output exists or cannot be written.
    """
    options = replace(options or ServerOptions(), **keywords)
    kinds = check_recipes(options.kinds)
    with open_model(Path(path)) as model:
        served = served_files(model)
        for one in served:
            check_trust(one.file, trusted=False, shown=Path(path))
        output = Path(options.output) if options.output is not None else Path(f"{served[0].name}_server")
        with staged_folder(output, kind="server", overwrite=options.overwrite, inputs=[Path(path)]) as folder:
            for kind in kinds:
                write_recipe(kind, served, folder / kind)
    return ServerFiles(output, tuple(kinds), tuple(one.name for one in served))
