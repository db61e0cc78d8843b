"""Scanners' own formats, through OpenSlide: it reads a DICOM slide, and SVS as the package's own reader does."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from instanseg_export.errors import ImageError
from instanseg_export.slides.box import Box
from instanseg_export.slides.sources import SlideAddress, open_slide
from instanseg_export.slides.sources.openslide import OpenSlideSlide
from support.slides import pyramid, svs

pytest.importorskip("openslide", exc_type=ImportError)

_RNG = np.random.default_rng(0)
LEVELS = pyramid(np.kron(_RNG.integers(0, 256, (3, 190, 260)), np.ones((8, 8))).astype(np.uint8)[:, :1500, :2050])


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return svs(tmp_path_factory.mktemp("slide"), LEVELS, compression=None, tile=(256, 256))


def test_levels_and_facts(scanned: Path) -> None:
    with OpenSlideSlide(scanned, 2) as source, open_slide(SlideAddress(scanned)) as own:
        assert not isinstance(own, OpenSlideSlide), "what can be read without OpenSlide is"
        assert source.info.levels == own.info.levels
        assert source.info.pixel_size == own.info.pixel_size
        assert source.info.channel_names == own.info.channel_names


def test_any_part_of_any_level_is_the_same(scanned: Path) -> None:
    with OpenSlideSlide(scanned, 2) as source:

        @settings(deadline=None, max_examples=30)
        @given(st.data())
        def check(data: st.DataObject) -> None:
            level = data.draw(st.integers(0, 2))
            low = tuple(data.draw(st.integers(0, size - 1)) for size in LEVELS[level].shape[1:])
            high = tuple(
                data.draw(st.integers(start + 1, min(size, start + 700)))
                for start, size in zip(low, LEVELS[level].shape[1:], strict=True)
            )
            box = Box(low, high)
            assert np.array_equal(source.read(level, box, [2, 0]), LEVELS[level][[2, 0]][(slice(None), *box.slices)])

        check()


def _dicom(folder: Path, pixels: np.ndarray, tile: int = 256) -> Path:
    """Write a DICOM whole-slide image of one level, in tiles of JPEG (DICOM PS3.3, A.32.8)."""
    from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.sequence import Sequence
    from pydicom.uid import JPEGBaseline8Bit, VLWholeSlideMicroscopyImageStorage, generate_uid

    _, height, width = pixels.shape
    rows, columns = -(-height // tile), -(-width // tile)
    padded = np.pad(pixels, ((0, 0), (0, rows * tile - height), (0, columns * tile - width)))
    frames = []
    for row in range(rows):
        for column in range(columns):
            part = padded[:, row * tile : (row + 1) * tile, column * tile : (column + 1) * tile]
            stream = io.BytesIO()
            Image.fromarray(np.moveaxis(part, 0, -1)).save(stream, "JPEG", quality=100, subsampling=0)
            frames.append(stream.getvalue())
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = VLWholeSlideMicroscopyImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = JPEGBaseline8Bit
    path = folder / "slide.dcm"
    slide = FileDataset(str(path), {}, file_meta=meta, preamble=bytes(128))
    slide.SOPClassUID, slide.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    slide.StudyInstanceUID, slide.SeriesInstanceUID = generate_uid(), generate_uid()
    slide.FrameOfReferenceUID, slide.Modality = generate_uid(), "SM"
    slide.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    slide.DimensionOrganizationType = "TILED_FULL"
    slide.Rows = slide.Columns = tile
    slide.TotalPixelMatrixColumns, slide.TotalPixelMatrixRows = width, height
    slide.TotalPixelMatrixFocalPlanes = slide.NumberOfOpticalPaths = 1
    slide.NumberOfFrames = len(frames)
    slide.SamplesPerPixel, slide.PhotometricInterpretation, slide.PlanarConfiguration = 3, "YBR_FULL_422", 0
    slide.BitsAllocated, slide.BitsStored, slide.HighBit, slide.PixelRepresentation = 8, 8, 7, 0
    measures, shared = Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [0.0005, 0.0005], 0.001
    shared.PixelMeasuresSequence = Sequence([measures])
    slide.SharedFunctionalGroupsSequence = Sequence([shared])
    optical = Dataset()
    optical.OpticalPathIdentifier = "1"
    slide.OpticalPathSequence = Sequence([optical])
    slide.LossyImageCompression = "01"
    slide.PixelData = encapsulate(frames)
    slide["PixelData"].is_undefined_length = True
    slide.save_as(path, enforce_file_format=True)
    return path


def test_a_dicom_slide(tmp_path: Path) -> None:
    pytest.importorskip("pydicom")
    pixels = LEVELS[0][:, :700, :900]
    with open_slide(SlideAddress(_dicom(tmp_path, pixels))) as source:
        assert isinstance(source, OpenSlideSlide)
        assert source.info.shape == (3, 700, 900)
        assert source.info.pixel_size == pytest.approx((0.5, 0.5))
        assert "dicom" in source.info.notes[0]
        read = source.read(0, Box((0, 0), (700, 900)), range(3))
        assert np.abs(read.astype(int) - pixels).mean() < 3
        part = source.read(0, Box((250, 130), (300, 600)), [1])
        assert np.array_equal(part, read[1:2, 250:300, 130:600])


def test_damage_is_told(tmp_path: Path, scanned: Path) -> None:
    pytest.importorskip("pydicom")
    whole = _dicom(tmp_path, LEVELS[0][:, :700, :900])
    content = whole.read_bytes()
    whole.write_bytes(content[: len(content) // 2])
    with pytest.raises(ImageError) as error, open_slide(SlideAddress(whole)) as source:
        source.read(0, source.info.levels[0].box, range(3))
    assert "slide.dcm" in error.value.message
    with pytest.raises(ImageError, match="flat image"):
        OpenSlideSlide(scanned, 3)


def test_without_the_package_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openslide", None)
    dicom = tmp_path / "a.dcm"
    dicom.write_bytes(bytes(128) + b"DICM" + bytes(600))
    mirax = tmp_path / "b.mrxs"
    Image.new("RGB", (9, 9)).save(mirax, "JPEG")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "Slidedat.ini").write_text("[GENERAL]")
    for path in (dicom, mirax):
        with pytest.raises(ImageError, match="not installed") as error:
            open_slide(SlideAddress(path))
        assert "instanseg-export[openslide]" in error.value.hint
