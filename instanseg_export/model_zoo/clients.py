"""How a model of the zoo is loaded in each client, in short."""

from __future__ import annotations

from ..untrusted.markdown import entries
from .folder import CHECKPOINT_FILE, TARGETS, ZooModel

__all__ = ["clients"]

_DOCS = "../../docs"


def clients(model: ZooModel) -> str:
    """Return the command that exports a model, and a line for each client, in Markdown."""
    package, version = model.package, model.card.version
    flat = model.checkpoint.spec.dimensions == 2
    rows = [
        (
            "QuPath",
            f"copy the folder into `local` in the InstanSeg extension's model directory, and choose "
            f"`local/{package}-{version}` in *Extensions > InstanSeg > Run InstanSeg* ({_page('qupath')}).",
        ),
        (
            "Fiji",
            f"*Plugins > DeepImageJ > Install model manually* takes `{package}/{package}.zip` ({_page('fiji')}).",
        ),
        ("Browser", f"`instanseg-export serve {package}` ({_page('web')})."),
        ("Command line", f"`instanseg-export run {package} image.tif`{_grey(model)} ({_page('run')})."),
        (
            "Python",
            f'`onnxruntime.InferenceSession("{package}/model.onnx")`, or '
            f'`torch.jit.load("{package}/instanseg.pt")` ({_page("python")}).',
        ),
        ("Java", f"either file, with ONNX Runtime or DJL ({_page('java')})."),
        ("C++, Rust", f"`{package}/model.onnx`, with ONNX Runtime ({_page('cpp')}, {_page('rust')})."),
    ]
    kept = rows if flat else [row for row in rows if row[0] not in ("QuPath", "Fiji", "Browser")]
    return f"""\
```text
instanseg-export model_zoo/{model.folder.name}/{CHECKPOINT_FILE} --targets {" ".join(TARGETS)}
```

writes the folder `{package}`, which is the package.

{entries(kept)}"""


def _grey(model: ZooModel) -> str:
    """Say how a grey image is given to a model of several channels."""
    channels = model.checkpoint.spec.channels or 1
    return f", and for a grey image `--channels {' '.join(['1'] * channels)}`" if channels > 1 else ""


def _page(name: str) -> str:
    return f"[docs/{name}.md]({_DOCS}/{name}.md)"
