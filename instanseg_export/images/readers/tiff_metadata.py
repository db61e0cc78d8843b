"""Pixel sizes and channel names as the programs that write TIFF files write them, each in a place of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...untrusted.boundary import plain
from ..lengths import Stated, micrometres, misunderstood, no_unit, number, stated, unsaid
from .ome_xml import elements, parse_xml

__all__ = ["names_of", "pixel_size_of", "slice_distance_of"]

_COARSEST_TAG = 20.0
"""Resolution tags that give larger pixels, in micrometres, are a screen's or a printer's (72 to 1200 per inch)."""

_PRINTERS = (600, 1200, 2400, 3600, 4800)
"""Pixels per inch of printers and flatbed scanners. Coarser ones are above the coarsest."""

_PER_UNIT = {2: (25400.0, "inch"), 3: (10000.0, "cm")}


def pixel_size_of(tif: Any, page: Any) -> Stated:
    """Return what a TIFF file says of the size of its pixels, except for OME-XML.

    The first place that says something counts, in the order in which programs trust them: their own metadata, then
    the resolution tags.

    Args:
        tif: a ``tifffile.TiffFile``.
        page: the first page of the image.
    """
    for place in (
        _lsm,
        _micro_manager,
        _imagej,
        _aperio,
        _vips,
        _olympus,
        _metamorph,
        _metaseries,
        _fluoview,
        _electron,
        _leica,
        _philips,
        _ventana,
        _resolution,
    ):
        found = place(tif, page)
        if found is not None:
            return found
    return unsaid()


def _lsm(tif: Any, page: Any) -> Stated | None:
    if not tif.is_lsm:
        return None
    return _metres(tif.lsm_metadata, "VoxelSizeY", "VoxelSizeX", "LSM metadata (Zeiss)")


def _micro_manager(tif: Any, page: Any) -> Stated | None:
    values: list[tuple[str, Any]] = []
    frame = page.tags.valueof(51123)
    if isinstance(frame, Mapping):
        values.append(("PixelSizeUm", frame.get("PixelSizeUm")))
    whole = tif.micromanager_metadata
    summary = whole.get("Summary") if isinstance(whole, Mapping) else None
    if isinstance(summary, Mapping):
        values += [(key, summary.get(key)) for key in ("PixelSize_um", "PixelSizeUm")]
    for key, value in values:
        # Micro-Manager writes 0 where nobody has calibrated the objective.
        if value not in (None, "", 0, 0.0, "0", "0.0"):
            size = number(value)
            return stated(size, size, "Micro-Manager metadata", f"{key} {value}")
    return None


def _imagej(tif: Any, page: Any) -> Stated | None:
    metadata = tif.imagej_metadata if tif.is_imagej else None
    if not metadata or "unit" not in metadata:
        return None
    units = [metadata.get("yunit", metadata["unit"]), metadata["unit"]]
    if all(no_unit(unit) for unit in units):
        return unsaid()
    per_unit = _tags(page)
    source = "ImageJ metadata"
    if per_unit is None:
        return misunderstood(source, f"unit {units[1]}, without XResolution and YResolution")
    factors = [micrometres(unit) for unit in units]
    says = f"{per_unit[0]:g} x {per_unit[1]:g} pixels per {units[1]}"
    if None in factors:
        return misunderstood(source, says)
    sizes = [factor / value if factor and value else None for factor, value in zip(factors, per_unit, strict=True)]
    if all(str(unit).strip().lower() in ("inch", "in", "cm") for unit in units) and _is_print(sizes, per_unit):
        return unsaid()  # ImageJ takes it over from the resolution tags of the file that it opened
    return stated(sizes[0], sizes[1], source, says)


def _aperio(tif: Any, page: Any) -> Stated | None:
    match = re.search(r"\bMPP\s*=\s*([^|\s]+)", str(page.description))
    if match is None:
        return None
    size = number(match[1].replace(",", "."))
    return stated(size, size, "Aperio description", f"MPP = {match[1]}")


def _vips(tif: Any, page: Any) -> Stated | None:
    """libvips copies what OpenSlide says into its description."""
    description = str(page.description)
    if "openslide.mpp-" not in description[:1_000_000]:
        return None
    found = [
        re.search(rf"openslide\.mpp-{axis}</name>\s*<value[^>]*>([^<]*)<", description[:1_000_000]) for axis in "yx"
    ]
    sizes = [number(match[1]) if match else None for match in found]
    return stated(sizes[0], sizes[1], "OpenSlide properties", ", ".join(match[1] for match in found if match))


def _olympus(tif: Any, page: Any) -> Stated | None:
    if not tif.is_sis:
        return None
    metadata = tif.sis_metadata or {}
    return _metres(metadata, "pixelsizey", "pixelsizex", "Olympus SIS tag")


def _metamorph(tif: Any, page: Any) -> Stated | None:
    metadata = tif.stk_metadata if tif.is_stk else None
    if not metadata or not metadata.get("SpatialCalibration", True):
        return None
    unit = metadata.get("CalibrationUnits", "")
    sizes = [metadata.get(key) for key in ("YCalibration", "XCalibration")]
    if sizes == [None, None] or no_unit(unit):
        return None
    factor = micrometres(unit)
    if factor is None:
        return misunderstood("MetaMorph metadata", f"{sizes[1]} {unit}")
    return _scaled(sizes, factor, "MetaMorph metadata", f"{sizes[1]} {unit}")


def _metaseries(tif: Any, page: Any) -> Stated | None:
    metadata = tif.metaseries_metadata if tif.is_metaseries else None
    info = metadata.get("PlaneInfo") if isinstance(metadata, Mapping) else None
    if not isinstance(info, Mapping) or "spatial-calibration-x" not in info:
        return None
    if str(info.get("spatial-calibration-state", "on")).lower() in ("off", "false", "0"):
        return None
    unit = info.get("spatial-calibration-units", "")
    if no_unit(unit):
        return None
    factor = micrometres(unit)
    sizes = [info.get(f"spatial-calibration-{axis}") for axis in "yx"]
    return _scaled(sizes, factor, "MetaSeries metadata", f"{sizes[1]} {unit}")


def _fluoview(tif: Any, page: Any) -> Stated | None:
    metadata = tif.fluoview_metadata if tif.is_fluoview else None
    sizes: dict[str, tuple[Any, Any]] = {}
    for dimension in (metadata or {}).get("Dimensions", ()):
        # name, size, origin, resolution, unit
        if len(dimension) >= 5:
            sizes[str(dimension[0]).strip().lower()] = (dimension[3], dimension[4])
    if "x" not in sizes or "y" not in sizes or all(no_unit(unit) for _, unit in sizes.values()):
        return None
    values = [
        None if (value := number(size)) is None or (factor := micrometres(unit)) is None else value * factor
        for size, unit in (sizes["y"], sizes["x"])
    ]
    return stated(values[0], values[1], "FluoView metadata (Olympus)", f"{sizes['x'][0]} {sizes['x'][1]}")


def _electron(tif: Any, page: Any) -> Stated | None:
    """FEI, Zeiss SEM and TVIPS."""
    if tif.is_fei:
        for part in (tif.fei_metadata or {}).values():
            if isinstance(part, Mapping) and "PixelWidth" in part and "PixelHeight" in part:
                return _metres(part, "PixelHeight", "PixelWidth", "FEI metadata")
    if tif.is_sem:
        metadata = tif.sem_metadata or {}
        for key in ("ap_image_pixel_size", "ap_pixel_size"):
            entry = metadata.get(key)
            if isinstance(entry, (tuple, list)) and len(entry) >= 3:
                value, factor = number(entry[1]), micrometres(entry[2])
                size = None if value is None or factor is None else value * factor
                return stated(size, size, "Zeiss SEM metadata", f"{entry[1]} {entry[2]}")
    if tif.is_tvips:
        metadata = tif.tvips_metadata or {}
        if number(metadata.get("PixelSizeX")):
            # In nanometres.
            values = [metadata.get(key) for key in ("PixelSizeY", "PixelSizeX")]
            return _scaled(values, 1e-3, "TVIPS metadata", f"{values[1]} nm")
    return None


def _leica(tif: Any, page: Any) -> Stated | None:
    """SCN states the size of a view in nanometres, and its pixels."""
    if not tif.is_scn or not tif.scn_metadata:
        return None
    height, width = page.shaped[2], page.shaped[3]
    for pixels, view in _scn_views(parse_xml(tif.scn_metadata, Path(str(tif.filename)))):
        if (number(pixels.get("sizeY")), number(pixels.get("sizeX"))) == (height, width):
            tall, wide = number(view.get("sizeY")), number(view.get("sizeX"))
            if tall is not None and wide is not None:
                return stated(tall / height / 1000, wide / width / 1000, "Leica SCN metadata", f"{wide} nm")
    return None


def _scn_views(root: Any) -> Iterator[tuple[Any, Any]]:
    for image in elements(root, "image"):
        view = next(elements(image, "view"), None)
        if view is not None:
            for pixels in elements(image, "pixels"):
                yield pixels, view


def _philips(tif: Any, page: Any) -> Stated | None:
    if not tif.is_philips:
        return None
    match = re.search(
        r'DICOM_PIXEL_SPACING"[^>]*>\s*(?:&quot;|")?([\d.eE+-]+)(?:&quot;|")?\s+(?:&quot;|")?([\d.eE+-]+)',
        str(tif.philips_metadata)[:1_000_000],
    )
    if match is None:
        return None
    return _scaled(match.groups(), 1e3, "Philips metadata", " ".join(match.groups()))


def _ventana(tif: Any, page: Any) -> Stated | None:
    if not tif.is_bif:
        return None
    match = re.search(rb'ScanRes="([^"]*)"', _bytes(tif.pages.first.tags.valueof(700)))
    if match is None:
        return None
    size = number(match[1].decode("ascii", "replace"))
    return stated(size, size, "Ventana metadata", match[1].decode("ascii", "replace"))


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value or "").encode()


def _resolution(tif: Any, page: Any) -> Stated | None:
    per_unit = _tags(page)
    unit = number(page.tags.valueof(296, default=2 if per_unit else 1))
    if per_unit is None or unit not in _PER_UNIT:
        return None
    length, name = _PER_UNIT[int(unit)]
    if all(value == 1 or value == 0 for value in per_unit):
        return None  # written by programs that know nothing
    sizes = [length / value if value > 0 else None for value in per_unit]
    if _is_print(sizes, per_unit):
        return None
    return stated(sizes[0], sizes[1], "resolution tags", f"{per_unit[1]:g} x {per_unit[0]:g} pixels per {name}")


def _is_print(sizes: list[float | None], per_unit: tuple[float, float]) -> bool:
    """Tell whether a resolution is a screen's, a printer's or a flatbed scanner's."""
    known = [size for size in sizes if size is not None]
    if len(known) == 2 and min(known) > _COARSEST_TAG:
        return True
    return len(known) == 2 and all(any(abs(25400 / size / dots - 1) < 1e-4 for dots in _PRINTERS) for size in known)


def _tags(page: Any) -> tuple[float, float] | None:
    """Return YResolution and XResolution, in pixels per unit; 0 for what is no number."""
    values = []
    for code in (283, 282):
        value = page.tags.valueof(code)
        if value is None:
            return None
        if isinstance(value, (tuple, list)) and len(value) >= 2:
            top, bottom = number(value[0]), number(value[1])
            value = 0.0 if top is None or not bottom else top / bottom
        values.append(number(value) or 0.0)
    return values[0], values[1]


def _metres(metadata: Mapping[str, Any] | None, y: str, x: str, source: str) -> Stated | None:
    if not metadata or y not in metadata or x not in metadata:
        return None
    if number(metadata[y]) == number(metadata[x]) == 0:
        return None
    return _scaled((metadata[y], metadata[x]), 1e6, source, f"{metadata[x]} x {metadata[y]} m")


def _scaled(values: Sequence[Any], factor: float | None, source: str, says: str) -> Stated:
    """Return the size of a pixel from what is written, (y, x), and the micrometres of its unit."""
    numbers = [number(value) for value in values]
    y, x = (None if value is None or factor is None else value * factor for value in numbers)
    return stated(y, x, source, says)


def slice_distance_of(tif: Any) -> float | None:
    """Return the distance of slices in micrometres, except for OME-XML; None where the file does not say."""
    size: float | None = None
    if tif.is_imagej and tif.imagej_metadata:
        metadata = tif.imagej_metadata
        factor = micrometres(metadata.get("zunit", metadata.get("unit", "")))
        spacing = number(metadata.get("spacing"))
        size = None if factor is None or spacing is None else abs(spacing) * factor
    elif tif.is_lsm and tif.lsm_metadata:
        metres = number(tif.lsm_metadata.get("VoxelSizeZ"))
        size = None if metres is None else metres * 1e6
    elif isinstance(tif.micromanager_metadata, Mapping):
        summary = tif.micromanager_metadata.get("Summary")
        size = number(summary.get("z-step_um")) if isinstance(summary, Mapping) else None
        size = None if size is None else abs(size)
    return size if size else None


def names_of(tif: Any, pages: list[Any], channels: int) -> tuple[str, ...] | None:
    """Return the names that the file gives its channels, if it gives one to each; not those of OME-XML.

    Args:
        tif: a ``tifffile.TiffFile``.
        pages: that hold the channels, when each channel has a page of its own.
        channels: how many there are.
    """
    for place in (_imagej_names, _lsm_names, _micro_manager_names, _page_names):
        names = [plain(name, 120) for name in place(tif, pages)]
        if len(names) == channels and all(names):
            return tuple(names)
    return None


def _imagej_names(tif: Any, pages: list[Any]) -> list[Any]:
    labels = (tif.imagej_metadata or {}).get("Labels") if tif.is_imagej else None
    return [labels] if isinstance(labels, str) else list(labels or ())


def _lsm_names(tif: Any, pages: list[Any]) -> list[Any]:
    colours = (tif.lsm_metadata or {}).get("ChannelColors") if tif.is_lsm else None
    return list(colours.get("ColorNames", ())) if isinstance(colours, Mapping) else []


def _micro_manager_names(tif: Any, pages: list[Any]) -> list[Any]:
    metadata = tif.micromanager_metadata
    summary = metadata.get("Summary") if isinstance(metadata, Mapping) else None
    names = summary.get("ChNames") if isinstance(summary, Mapping) else None
    return list(names) if isinstance(names, (list, tuple)) else []


def _page_names(tif: Any, pages: list[Any]) -> list[Any]:
    """PerkinElmer's and Akoya's XML of each page, or the PageName tag."""
    names: list[Any] = []
    for page in pages:
        text = page.tags.valueof(270)
        if tif.is_qpi and isinstance(text, str):
            root = parse_xml(text, Path(str(tif.filename)))
            names.append(next((element.text for element in elements(root, "Name")), None) or "")
        else:
            names.append(page.tags.valueof(285) or "")
    return names if len(set(names)) == len(names) else []
