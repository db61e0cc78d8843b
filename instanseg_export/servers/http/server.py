"""Serves a model over HTTP: an image goes in, and a label map comes out. Needs what requirements.txt lists.

    python server.py --port 8000
    curl --data-binary @image.png "http://127.0.0.1:8000/segment?seed_threshold=0.6" --output labels.tif

It listens on this machine only unless --host says otherwise. Anybody who reaches it may use it: put a proxy with
authentication and TLS before it. It does not rescale: images must have the model's pixel size.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import threading
import warnings
from typing import Any

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read when the library starts

import numpy as np
import onnxruntime as ort
import tifffile
import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

LABELS = "instance_segmentation"
TYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(bool)": np.bool_}


class RefusedError(Exception):
    """A request that cannot be answered, with the status and what to tell the client."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Model:
    """A session, and as many runs at a time as the memory has room for."""

    def __init__(self, path: str, threads: int, at_once: int, most_pixels: int) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self.session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        (image,) = self.session.get_inputs()
        self.shape = (
            image.shape
        )  # (batch, channels, height, width), or with a depth before the height; names where free
        self.settings = {
            one.name: TYPES[one.type] for one in self.session.get_overridable_initializers() if not one.shape
        }
        self.outputs = [one.name for one in self.session.get_outputs()]
        self.most_pixels = most_pixels
        self._room = threading.BoundedSemaphore(at_once)

    def describe(self) -> dict[str, Any]:
        about = json.loads(self.session.get_modelmeta().custom_metadata_map.get("instanseg_export", "{}"))
        settings = {name: np.dtype(kind).name for name, kind in self.settings.items()}
        return {"image": self.shape, "outputs": self.outputs, "settings": settings, "model": about.get("spec", {})}

    def segment(self, image: np.ndarray, settings: dict[str, str]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return the label maps, (structures, height, width), and the other outputs."""
        inputs = {"image": self._fit(image)}
        for name, text in settings.items():
            inputs[name] = self._setting(name, text)
        with self._room:
            found = dict(zip(self.outputs, self.session.run(self.outputs, inputs), strict=True))
        labels = found.pop(LABELS)[0]
        return labels.astype(np.uint16 if labels.max(initial=0) < 65536 else np.uint32), found

    def _fit(self, image: np.ndarray) -> np.ndarray:
        if image.ndim != len(self.shape) - 1:
            raise RefusedError(422, f"The image has the shape {image.shape}; the model takes {self.shape[1:]}.")
        for axis, (size, wanted) in enumerate(zip(image.shape, self.shape[1:], strict=True)):
            if isinstance(wanted, int) and size != wanted:
                what = "channels" if axis == 0 else "pixels along an axis"
                raise RefusedError(422, f"The image has {size} {what}; the model takes {wanted}.")
        if image.dtype.kind not in "uif":
            raise RefusedError(422, f"The image holds {image.dtype}; the model takes numbers.")
        return image[None].astype(np.float32)

    def _setting(self, name: str, text: str) -> np.ndarray:
        if name not in self.settings:
            raise RefusedError(
                422, f"There is no setting {name[:80]!r}. There are: {', '.join(self.settings) or 'none'}."
            )
        kind = self.settings[name]
        try:
            if kind is np.bool_:
                return np.array({"true": True, "1": True, "false": False, "0": False}[text.lower()])
            number = np.array(kind(text))
        except (KeyError, ValueError, OverflowError):
            raise RefusedError(422, f"{name}={text[:80]!r} is no value of the type {np.dtype(kind).name}.") from None
        if not np.isfinite(number):
            raise RefusedError(422, f"{name} must be finite.")
        return number


def read_image(data: bytes, channels: str | None, volume: bool, most_pixels: int) -> Any:
    """Return an image as (channels, height, width) or (channels, depth, height, width), as it is in the file."""
    try:
        if data[:6] == b"\x93NUMPY":
            image = np.load(io.BytesIO(data), allow_pickle=False)
        elif data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            image = _read_tiff(data, volume, most_pixels)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # a small file that unpacks to gigabytes
                picture: Image.Image = Image.open(io.BytesIO(data), formats=("PNG", "JPEG"))
                if picture.width * picture.height > most_pixels:
                    raise RefusedError(413, f"The image has more than {most_pixels} pixels.")
                if picture.mode in ("P", "PA"):
                    picture = picture.convert("RGB")
                pixels = np.asarray(picture)
            image = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels[..., :3], -1, 0)
    except RefusedError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise RefusedError(413, f"The image has more than {most_pixels} pixels.") from None
    except Exception as error:  # decoders raise nearly every type
        raise RefusedError(
            415, f"This is no PNG, JPEG, TIFF or .npy file that can be read ({type(error).__name__})."
        ) from error
    if image.ndim < 3 or 0 in image.shape:
        raise RefusedError(422, f"The image has the shape {image.shape}; channels, height and width are needed.")
    if image[0].size > most_pixels:
        raise RefusedError(413, f"The image has more than {most_pixels} pixels.")
    if channels is None:
        return image
    try:
        chosen = [int(word) - 1 for word in channels.split(",")]
    except ValueError:
        raise RefusedError(422, "Give channels as numbers from 1, as in channels=1,1,1.") from None
    if not all(0 <= one < len(image) for one in chosen):
        raise RefusedError(422, f"The image has {len(image)} channels, and channels={channels[:80]} asks for others.")
    return image[chosen]


def _read_tiff(data: bytes, volume: bool, most_pixels: int) -> Any:
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        series = file.series[0]
        if series.size > most_pixels * 64:
            raise RefusedError(413, f"The image has more than {most_pixels} pixels.")
        axes, image = series.axes.replace("S", "C").replace("I", "Z" if volume else "C"), series.asarray()
        axes = axes.replace("Q", "Z" if volume else "C")
    wanted = "CZYX" if volume else "CYX"
    for axis in [one for one in axes if one not in wanted]:
        if image.shape[axes.index(axis)] != 1:
            raise RefusedError(422, f"The TIFF has an axis {axis} with several planes.")
        image, axes = image.squeeze(axes.index(axis)), axes.replace(axis, "")
    for axis in [one for one in wanted if one not in axes]:
        image, axes = image[None], axis + axes
    return image.transpose([axes.index(axis) for axis in wanted])


def application(model: Model, most_bytes: int) -> Starlette:
    async def segment(request: Request) -> Response:
        data = bytearray()
        async for part in request.stream():
            data += part
            if len(data) > most_bytes:
                raise RefusedError(413, f"The file has more than {most_bytes} bytes.")
        settings = dict(request.query_params)
        channels = settings.pop("channels", None)
        volume = len(model.shape) == 5
        image = await run_in_threadpool(read_image, bytes(data), channels, volume, model.most_pixels)
        labels, further = await run_in_threadpool(model.segment, image, settings)
        if further.get("incomplete", np.zeros(1)).any():
            raise RefusedError(422, "The image has more objects than this file of one size has room for.")
        written = io.BytesIO()
        tifffile.imwrite(written, labels, compression="zlib", photometric="minisblack")
        counts = ",".join(str(len(np.unique(one[one > 0]))) for one in labels)
        return Response(written.getvalue(), media_type="image/tiff", headers={"X-Instances": counts})

    async def describe(request: Request) -> Response:
        return JSONResponse(model.describe())

    async def refuse(request: Request, error: Exception) -> Response:
        return JSONResponse({"error": str(error)}, status_code=getattr(error, "status", 500))

    routes = [Route("/segment", segment, methods=["POST"]), Route("/", describe), Route("/health", describe)]
    return Starlette(routes=routes, exception_handlers={RefusedError: refuse})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    beside = os.path.join(os.path.dirname(os.path.abspath(__file__)), "model.onnx")  # noqa: PTH100, PTH118, PTH120
    parser.add_argument("--model", default=beside, help="the ONNX file")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--threads", type=int, default=0, help="for each image; 0 for all cores")
    parser.add_argument("--at-once", type=int, default=1, help="images that are segmented at the same time")
    parser.add_argument("--most-bytes", type=int, default=200_000_000, help="of a file that a client sends")
    parser.add_argument("--most-pixels", type=int, default=25_000_000, help="of an image: memory grows with them")
    given = parser.parse_args()
    model = Model(given.model, given.threads, given.at_once, given.most_pixels)
    uvicorn.run(application(model, given.most_bytes), host=given.host, port=given.port)


if __name__ == "__main__":
    main()
