"""PNG, JPEG and the other formats of everyday pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import ImageError
from .image import Array, Image, check_memory, default_names, without_alpha

__all__ = ["read_raster"]

_FORMATS = ("PNG", "JPEG", "JPEG2000", "BMP", "GIF", "WEBP", "PPM")
_PNG = b"\x89PNG\r\n\x1a\n"
_AS_THEY_ARE = ("1", "L", "LA", "RGB", "RGBA", "I", "F", "I;16", "I;16B", "I;16L")
_CONVERTED = {"P": "RGBA", "PA": "RGBA", "YCbCr": "RGB", "RGBX": "RGB"}


def read_raster(path: Path) -> Image:
    """Read a picture. Its pixel size is unknown: what such files state is a printing resolution.

    Raises:
        ImageError: it is of no kind that is known, holds several frames, or has colours that are not RGB.
    """
    from PIL import Image as Pillow
    from PIL import UnidentifiedImageError

    try:
        with Pillow.open(path, formats=_FORMATS) as picture:
            frames = getattr(picture, "n_frames", 1)
            if frames > 1:
                raise ImageError(f"{path} holds {frames} frames.", hint="Save the frame that you mean as its own file.")
            if picture.mode not in (*_AS_THEY_ARE, *_CONVERTED):
                raise ImageError(f"{path} has {picture.mode} colours.", hint="Convert it to RGB or to greyscale.")
            check_memory(path, picture.width * picture.height * 4)
            pixels = _deep_colour(path)
            if pixels is None:
                pixels = np.asarray(picture.convert(_CONVERTED.get(picture.mode, picture.mode)))
    except UnidentifiedImageError as error:
        raise ImageError(
            f"{path} is of a kind that cannot be read here.",
            hint="Convert it to OME-TIFF, for instance with Fiji (File > Export > OME-TIFF) or QuPath.",
        ) from error
    except Pillow.DecompressionBombError as error:
        raise ImageError(f"{path} is too large for its format: {error}.", hint="Save it as a TIFF.") from error
    if pixels.ndim == 2:
        return Image(pixels[None], None, default_names(1, colour=False), path)
    array = np.ascontiguousarray(np.moveaxis(pixels, -1, 0))
    if array.shape[0] in (2, 4):
        array = without_alpha(array, path)
    return Image(array, None, default_names(array.shape[0], colour=True), path)


def _deep_colour(path: Path) -> Array | None:
    """Decode a PNG with 16 bits per sample and more than one sample, which Pillow would cut to 8 bits."""
    with path.open("rb") as stream:
        header = stream.read(26)
    if not header.startswith(_PNG) or header[24] != 16 or header[25] == 0:
        return None
    import imagecodecs

    return np.asarray(imagecodecs.png_decode(path.read_bytes()))
