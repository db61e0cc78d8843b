"""Files of microscopes and of other fields that are recognised, so that the answer says how to convert them."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from ...errors import ImageError

__all__ = ["refuse_foreign", "unknown_kind"]

_CONVERT = (
    "Convert it to OME-TIFF: in Fiji with File > Import > Bio-Formats and File > Export > OME-TIFF, or with "
    "bioformats2raw and raw2ometiff."
)
_ARRAY = "Save it as a TIFF, as in tifffile.imwrite('image.tif', array, metadata={'axes': 'CYX'})."
_STARTS = (
    (b"ZISRAWFILE", "a Zeiss CZI file", _CONVERT),
    (b"\xda\xce\xbe\x0a", "a Nikon ND2 file", _CONVERT),
    (b"\x00\x00\x00\x0cjP  \x1a\x1a", "an old Nikon ND2 file", _CONVERT),
    (b"\x70\x00\x00\x00", "a Leica LIF file", _CONVERT),
    (b"OLYMPUSRAWFORMAT", "an Olympus OIR file", _CONVERT),
    (b"SIS\0", "an Olympus ETS file", _CONVERT),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a compound file, such as Olympus OIB or Zeiss ZVI", _CONVERT),
    (b"II\x2a\x00\x10\x00\x00\x00CR", "a camera's raw file", "Develop it to a TIFF."),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", f"Read the array from it. {_ARRAY}"),
    (b"CDF\x01", "a NetCDF file", f"Read the array from it. {_ARRAY}"),
    (b"\x93NUMPY", "a NumPy array, which does not say what its axes are", _ARRAY),
    (b"PK\x03\x04", "a zip archive", "Unpack it, and give the image inside; of an OME-Zarr the folder."),
    (b"PK\x05\x06", "an empty zip archive", "Give an image."),
    (b"\x1f\x8b", "compressed with gzip", "Unpack it, and give the image inside."),
    (b"BZh", "compressed with bzip2", "Unpack it, and give the image inside."),
    (b"\xfd7zXZ\0", "compressed with xz", "Unpack it, and give the image inside."),
    (b"\x28\xb5\x2f\xfd", "compressed with Zstandard", "Unpack it, and give the image inside."),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "Unpack it, and give the image inside."),
    (b"8BPS", "a Photoshop file", "Save it as a flat TIFF."),
    (b"v/1\x01", "an OpenEXR file", "Save it as a TIFF."),
    (b"SIMPLE  =", "a FITS file", f"Read the array from it. {_ARRAY}"),
    (b"NRRD", "an NRRD file", f"Read the array from it. {_ARRAY}"),
    (b"%PDF", "a PDF document", "Export the picture from it, as a TIFF or a PNG."),
    (b"%!PS", "a PostScript document", "Export the picture from it, as a TIFF or a PNG."),
    (b"II\xbc\x01", "a JPEG XR picture", "Save it as a TIFF or a PNG."),
    (b"\xff\x0a", "a JPEG XL picture", "Save it as a TIFF or a PNG."),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL picture", "Save it as a TIFF or a PNG."),
    (b"{", "a text", "Give an image file, or an OME-Zarr folder."),
)
_WITHIN = (
    (128, b"DICM", "a DICOM file", _CONVERT),
    (208, b"MAP ", "an MRC file", _CONVERT),
    (344, b"n+1\0", "a NIfTI file", f"Read the array from it. {_ARRAY}"),
    (4, b"ftypavif", "an AVIF picture", "Save it as a TIFF or a PNG."),
    (4, b"ftypheic", "an HEIC picture", "Save it as a TIFF or a PNG."),
    (4, b"ftyp", "a video", "Save one frame as a TIFF or a PNG."),
    (96, b"\xa0\xc0", "a DeltaVision file", _CONVERT),
    (96, b"\xc0\xa0", "a DeltaVision file", _CONVERT),
)


def refuse_foreign(path: Path, start: bytes) -> None:
    """Refuse a file whose kind is known and not read here.

    Args:
        path: of the file.
        start: its first 512 bytes, or all.

    Raises:
        ImageError: it is of such a kind.
    """
    for magic, kind, hint in _STARTS:
        if start.startswith(magic) and (magic != b"\x70\x00\x00\x00" or start[8:9] == b"\x2a"):
            if magic.endswith(b"\x1a\x1a") and path.suffix.lower() != ".nd2":
                continue  # JPEG 2000, which Nikon's first format was
            _refuse(path, kind, hint)
    for place, magic, kind, hint in _WITHIN:
        if start[place : place + len(magic)] == magic:
            _refuse(path, kind, hint)


def unknown_kind(path: Path) -> ImageError:
    """Return what is raised on a file that no reader takes."""
    return ImageError(
        f"{path} is of a kind that cannot be read here.",
        hint="Convert it to OME-TIFF, for instance with Fiji (File > Export > OME-TIFF) or QuPath.",
    )


def _refuse(path: Path, kind: str, hint: str) -> NoReturn:
    raise ImageError(f"{path} is {kind}, of a kind that cannot be read here.", hint=hint)
