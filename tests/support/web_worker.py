"""The page's worker for images and results, called directly: what it reads, and how it joins tiles."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from playwright.sync_api import Page

__all__ = ["PageWorker"]

_START = """() => {
  const worker = new Worker('data.js', { type: 'module' });
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const text = (values) => {
    const all = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    let out = '';
    for (let at = 0; at < all.length; at += 32768) out += String.fromCharCode(...all.subarray(at, at + 32768));
    return btoa(out);
  };
  const call = (method, ...values) => new Promise((resolve, reject) => {
    const id = String(Math.random());
    worker.addEventListener('message', function answered({ data }) {
      if (data.id !== id) return;
      worker.removeEventListener('message', answered);
      if (data.type === 'HANDLER') reject(new Error(JSON.stringify(data.value)));
      else resolve(data.value);
    });
    const argumentList = values.map((value) => ({ type: 'RAW', value }));
    worker.postMessage({ id, type: 'APPLY', path: [method], argumentList });
  });
  window.tested = { bytes, text, call };
}"""

_OPEN = """async ([name, content]) => {
  const { bytes, call } = window.tested;
  return call('open', name, new Blob([bytes(content)]));
}"""

_PIXELS = """async (wanted) => {
  const { text, call } = window.tested;
  const planned = await call('plan', wanted);
  if ('failure' in planned) return planned;
  const { pixels, height, width } = await call('tile', 0);
  return { pixels: text(pixels), height, width };
}"""

_JOIN = """async ([wanted, tiles, facts]) => {
  const { bytes, text, call } = window.tested;
  const planned = await call('plan', wanted);
  for (const [place, maps] of tiles.entries()) {
    await call('take', place, maps.map((map) => new Int32Array(bytes(map).buffer)), {});
  }
  const summary = await call('finish', facts);
  if ('failure' in summary) return summary;
  const files = {};
  for (const kind of ['tiff', 'geojson']) {
    const { value } = await call('file', kind);
    files[kind] = text(new Uint8Array(await value.arrayBuffer()));
  }
  return { files, tiles: planned.value.tiles };
}"""

_RAW = {"modelPixelSize": None, "normalize": "never", "percentiles": [0.1, 99.9], "pixelSize": None}


class PageWorker:
    """The worker, started by a page.

    Args:
        page: any page of a served model.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        page.evaluate(_START)

    def open(self, path: Path) -> dict[str, Any]:
        """Return what the worker answers to an image: ``value`` or ``failure``."""
        answer = self._page.evaluate(_OPEN, [path.name, base64.b64encode(path.read_bytes()).decode()])
        return dict(answer)

    def pixels(self, channels: int, **wanted: Any) -> np.ndarray:
        """Return the channels (C, H, W) of the image that is open as float32, prepared as wanted; by default raw."""
        answer = self._page.evaluate(
            _PIXELS, {**_RAW, "channels": list(range(channels)), "tile": 1_000_000, "halo": 0, **wanted}
        )
        values = np.frombuffer(base64.b64decode(answer["pixels"]), np.float32)
        return values.reshape(channels, answer["height"], answer["width"])

    def join(
        self, tiles: Sequence[np.ndarray], facts: Mapping[str, Any], *, tile: int, halo: int
    ) -> tuple[np.ndarray, bytes]:
        """Return the label maps (T, H, W) that tiles of the open image are joined to, and the GeoJSON.

        Args:
            tiles: label maps (T, h, w) of each tile, in their order.
            facts: of the run, as the page gives them.
            tile: size of a tile.
            halo: of a tile.
        """
        given = [[base64.b64encode(map_.astype(np.int32).tobytes()).decode() for map_ in maps] for maps in tiles]
        wanted = {**_RAW, "channels": [0], "tile": tile, "halo": halo}
        answer = self._page.evaluate(_JOIN, [wanted, given, dict(facts)])
        assert answer["tiles"] == len(tiles)
        content = {kind: base64.b64decode(text) for kind, text in answer["files"].items()}
        pages = tifffile.imread(io.BytesIO(content["tiff"]))
        return (pages if pages.ndim == 3 else pages[None]), content["geojson"]
