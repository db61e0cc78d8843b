"""Which reader takes a file: decided by what is in it, not by its name."""

from __future__ import annotations

from pathlib import Path

from ..errors import ImageError, InstansegExportError
from .image import Image

__all__ = ["read_image"]

_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def read_image(path: str | Path, dimensions: int = 2) -> Image:
    """Read a TIFF, OME-TIFF, PNG, JPEG, JPEG 2000, BMP, GIF, WebP or PPM file, or an OME-Zarr folder.

    Args:
        path: of the file or folder.
        dimensions: 2 for an image, 3 for a volume, which is read from TIFF.

    Returns:
        The image as (C, H, W), or the volume as (C, D, H, W), in the file's own type, with its pixel size in
        micrometres if the file states one.

    Raises:
        ImageError: the file is missing, empty, damaged, of another kind, or holds no single image (or volume).
    """
    path = Path(path)
    try:
        return _read(path, dimensions)
    except InstansegExportError:
        raise
    except MemoryError as error:
        raise ImageError(f"{path} does not fit into memory.", hint="Crop it, or close other programs.") from error
    except PermissionError as error:
        raise ImageError(f"{path} may not be read.", hint="Check the file's permissions.") from error
    except Exception as error:  # decoders raise anything from ValueError to zlib.error on a damaged file
        raise ImageError(
            f"{path} is damaged: {str(error) or type(error).__name__}.",
            hint="Copy or export it again; if other programs open it, save it as an uncompressed TIFF.",
        ) from error


def _read(path: Path, dimensions: int) -> Image:
    if not path.exists():
        raise ImageError(f"There is no image {path}.", hint="Check the path.")
    if dimensions == 3 and path.is_dir():
        raise ImageError(f"{path} is a folder: volumes are read from TIFF files.", hint="Save the volume as a TIFF.")
    if path.is_dir():
        from .ome_zarr import read_ome_zarr

        image = read_ome_zarr(path)
    else:
        with path.open("rb") as stream:
            start = stream.read(16)
        if not start:
            raise ImageError(f"{path} is empty (0 bytes).", hint="Copy or export it again.")
        if start.startswith(_TIFF_MAGIC):
            from .tiff import read_tiff

            image = read_tiff(path, dimensions)
        elif dimensions == 3:
            raise ImageError(f"{path} is no TIFF file, and volumes are read from those.", hint="Save it as a TIFF.")
        else:
            from .raster import read_raster

            image = read_raster(path)
    if image.array.size == 0:
        raise ImageError(f"{path} has no pixels: its shape is {image.array.shape}.", hint="Export it again.")
    if image.array.dtype.kind not in "buif":
        raise ImageError(
            f"{path} holds values of type {image.array.dtype}.", hint="Convert it to 8-bit, 16-bit or 32-bit float."
        )
    return image
