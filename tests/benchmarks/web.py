"""The page's WebAssembly on one thread against ONNX Runtime's native library on one thread, in turns.

    python tests/benchmarks/web.py [PACKAGE] [--turns N]

Prints medians and their ratios, by the clock and in processor time. The goal is a ratio of at most 2.5.
"""

from __future__ import annotations

import argparse
import base64
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime as ort
import psutil
from playwright.sync_api import Page, sync_playwright

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

from instanseg_export import export, export_web, read_image  # noqa: E402
from instanseg_export.web.server import given_out  # noqa: E402
from support.paths import DEMO, DEMO_IMAGES  # noqa: E402
from support.web_page import chromium  # noqa: E402

_LOAD = """async ([stages, image, shape]) => {
  const worker = new Worker('engine.js', { type: 'module' });
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
  const bytes = new Uint8Array(await (await fetch('model/model.onnx')).arrayBuffer());
  const library = new URL('onnxruntime/', document.baseURI).href;
  const labels = 'instance_segmentation';
  await call('load', { bytes, stages, labels, classes: null, gpu: false, threads: 1, library });
  const pixels = new Float32Array(Uint8Array.from(atob(image), (letter) => letter.charCodeAt(0)).buffer);
  window.timed = async () => {
    const { seconds, labels } = await call('run', pixels, ...shape);
    return { seconds, objects: labels[0].reduce((most, id) => Math.max(most, id), 0) };
  };
}"""


_WARM_UP = 2


class _Turn(NamedTuple):
    """Seconds of one run of each: by the clock, and of the processor, which other work on the machine changes less."""

    native: float
    native_cpu: float
    web: float
    web_cpu: float


def main() -> int:
    """Measure, print, and return 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", nargs="?", type=Path)
    parser.add_argument("--image", type=Path, default=DEMO_IMAGES / "histology.png")
    parser.add_argument("--turns", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        package = arguments.package
        if package is None:
            package = export(DEMO, targets=["onnx"], output=folder / "demo", validate=False).folder
        page = export_web(package, output=folder / "page").folder
        image = read_image(arguments.image).array.astype(np.float32)
        with given_out(page, 0) as url, sync_playwright() as playwright:
            browser = chromium(playwright)
            shown = browser.new_page()
            shown.goto(url)
            _show(_take_turns(shown, package, image, arguments.turns))
            browser.close()
    return 0


def _take_turns(page: Page, package: Path, image: np.ndarray, turns: int) -> list[_Turn]:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(package / "model.onnx", options, providers=["CPUExecutionProvider"])
    page.evaluate(_LOAD, [{}, base64.b64encode(image.tobytes()).decode(), list(image.shape)])
    taken = []
    for _ in range(turns + _WARM_UP):
        start, busy = time.perf_counter(), time.process_time()
        labels = session.run(None, {"image": image[None]})[0]
        native = time.perf_counter() - start, time.process_time() - busy
        busy = _renderers()
        outcome: dict[str, Any] = page.evaluate("window.timed()")
        assert outcome["objects"] == labels.max()
        taken.append(_Turn(*native, outcome["seconds"], _renderers() - busy))
    return taken[_WARM_UP:]


def _renderers() -> float:
    """Return the seconds of processor time that the browser's pages have taken so far."""
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        if "--type=renderer" in process.cmdline():
            times = process.cpu_times()
            total += times.user + times.system
    return total


def _show(turns: list[_Turn]) -> None:
    native, web = ([getattr(turn, name) for turn in turns] for name in ("native", "web"))
    native_cpu, web_cpu = ([getattr(turn, name) for turn in turns] for name in ("native_cpu", "web_cpu"))
    for what, ours, theirs in (("clock", web, native), ("processor time", web_cpu, native_cpu)):
        one, other = statistics.median(ours), statistics.median(theirs)
        print(f"{what}: WebAssembly {one:.3f} s, native {other:.3f} s, ratio {one / other:.2f}")  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
