"""What a format cannot do, said before anything is tried."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ExportError, ImageError, PackageError

if TYPE_CHECKING:
    from ..families.base import SegmentationForward
    from .base import Target
    from .static import StaticShape

__all__ = ["misfit", "require_form", "require_shape", "require_stages", "require_whole"]


def require_form(target: Target, forward: SegmentationForward, static: StaticShape) -> None:
    """Check that a forward has the form that a target writes.

    Args:
        target: to be written.
        forward: that is to be exported.
        static: what a format without dynamic shapes is made for.

    Raises:
        ExportError: there is no such form.
        SettingError: ``static`` does not fit the network.
    """
    if not target.dynamic_shapes:
        _, _, height, width = static.image_shape(forward)
    if not target.whole:
        forward.require_network_output()
    elif not target.dynamic_shapes:
        forward.static_form(height, width, static.seeds)
    elif forward.open_loops and not target.open_loops:
        raise ExportError(
            f"{target.name} cannot be written for this kind of network: it takes one object of an image after another, "
            "and the format has no loops over as many objects as there are.",
            hint=f"Leave {target.name} out of --targets: torchscript, onnx and exported_program take every network.",
        )


def require_stages(target: Target) -> None:
    """Check that files of a target give the intermediate results of the forward.

    Raises:
        PackageError: they do not.
    """
    if not target.exposes_stages:
        raise PackageError(
            f"{target.name} files do not give the stages of the forward.",
            hint="Read the stages in another format: instanseg-export --targets torchscript onnx.",
        )


def require_whole(target: Target, path: Path) -> None:
    """Check that files of a target give label maps.

    Args:
        target: of the file.
        path: of the file, for the message.

    Raises:
        PackageError: they hold the network alone.
    """
    if not target.whole:
        raise PackageError(
            f"{path} holds the network alone, as all {target.name} files do, and finds no instances by itself.",
            hint="Use another file of the model (instanseg.pt, model.onnx). docs/network.md says how an app decodes "
            "the network's output.",
        )


def require_shape(target: Target, path: Path, shape: Sequence[int]) -> None:
    """Check that a file takes images of a shape.

    Args:
        target: of the file.
        path: of the file; it is read where the format has fixed sizes.
        shape: (B, C, [D,] H, W).

    Raises:
        PackageError: the format has fixed sizes, and the file does not say which.
        ImageError: it has, and they are others.
    """
    if target.dynamic_shapes:
        return
    metadata = target.read_metadata(path)
    taken = None if metadata is None else metadata.image_shape
    if taken is None:
        raise PackageError(
            f"{path} takes images of one size only, as all {target.name} files do, and does not say which.",
            hint="Export the checkpoint again.",
        )
    if taken != tuple(shape):
        raise ImageError(
            f"{path} takes images of {_text(taken)} only (batch, channels, sizes), and the image has {_text(shape)}.",
            hint="Cut or pad the image to that size, or use a format that takes every size (torchscript, onnx).",
        )


def misfit(target: Target | None, path: Path, shape: Sequence[int]) -> str:
    """Return why a file takes no image of a shape; empty where it does, or where the file has to be tried to know."""
    if target is None:
        return ""
    try:
        require_shape(target, path, shape)
    except ImageError as error:
        # Reports stay with a model that may lie elsewhere by then, and an export names a temporary place.
        return error.message.replace(str(path), path.name).rstrip(".")
    except PackageError:
        return ""  # what runs the file says what is wrong with it
    return ""


def _text(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))
