"""The commands and what they take. Nothing heavy is imported before a command runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from .. import __version__
from ..api.key_values import KeyValues
from ..api.options import BenchOptions, ExportOptions, RunOptions, ValidateOptions

__all__ = ["app"]

_FLAT = Parameter(name="*")
"""The fields of an options object are flags of the command, with the help that the class gives."""

_HELP = """Turn a segmentation checkpoint into one self-contained model file per runtime.

Without a command, CHECKPOINT is exported, packaged as a BioImage.IO model, and
compared in every runtime of this machine.

Typical calls:

  instanseg-export checkpoint.pt
  instanseg-export training_run/ --targets torchscript onnx --output my_model
  instanseg-export checkpoint.pt --set seed_threshold=0.6 min_size=30
  instanseg-export checkpoint.pt --precision int8 --calibrate my_images/
  instanseg-export inspect checkpoint.pt
  instanseg-export validate my_model --images a.tif b.tif
  instanseg-export run my_model image.tif --pixel-size 0.25
  instanseg-export run my_model my_images/ --polygons geojson --table csv
  instanseg-export bench my_model

Exit status: 0 all is well; 1 runtimes disagree, or a precision loses too much;
2 the input, an option or the machine is at fault; 70 a defect of this program
(--debug shows the traceback); 129, 130 or 143 interrupted.
"""

app = App(
    name="instanseg-export",
    version=__version__,
    help=_HELP,
    help_format="plaintext",
    default_parameter=Parameter(consume_multiple=True, negative="", show_default=False),
    suppress_keyboard_interrupt=False,
)
app["--help"].group = app["--version"].group = "Parameters"


@app.default
def export(
    checkpoint: Path,
    /,
    *,
    options: Annotated[ExportOptions | None, _FLAT] = None,
    json: bool = False,
    quiet: bool = False,
) -> int:
    """Export a checkpoint (the default command).

    Parameters
    ----------
    checkpoint
        A training run's folder, its model_weights.pth, a checkpoint.pt or .safetensors, or an instanseg.pt.
    options
        See ExportOptions.
    json
        Print one JSON document on stdout, and nothing else there.
    quiet
        Print errors only.
    """
    from .commands import export_command

    return export_command(checkpoint, options, as_json=json, quiet=quiet)


@app.command
def inspect(
    path: Path,
    /,
    *,
    spec: KeyValues | None = None,
    json: bool = False,
) -> int:
    """Show what a checkpoint or an exported model is.

    Typical calls:

      instanseg-export inspect training_run/
      instanseg-export inspect model.onnx

    Parameters
    ----------
    path
        A checkpoint, or a package's folder, zip or one file of it.
    spec
        For checkpoints: what the files do not say, as in --spec pixel_size=0.5.
    json
        Print one JSON document.
    """
    from .commands import inspect_command

    return inspect_command(path, spec=spec, as_json=json)


@app.command
def validate(
    path: Path,
    /,
    *,
    images: list[Path] | None = None,
    options: Annotated[ValidateOptions | None, _FLAT] = None,
    json: bool = False,
    quiet: bool = False,
) -> int:
    """Compare an exported model in every runtime of this machine, instance by instance.

    Typical calls:

      instanseg-export validate my_model
      instanseg-export validate my_model/model.onnx --images a.tif b.tif

    Parameters
    ----------
    path
        A package's folder, or one exported file.
    images
        Your own images. Default: the package's samples and a standard set of hard cases.
    options
        See ValidateOptions.
    json
        Print one JSON document on stdout, and nothing else there.
    quiet
        Print errors only; the exit status tells whether the runtimes agree.
    """
    from .commands import validate_command

    return validate_command(path, images, options, as_json=json, quiet=quiet)


@app.command
def run(
    model: Path,
    images: list[Path],
    /,
    *,
    recursive: bool = False,
    options: Annotated[RunOptions | None, _FLAT] = None,
    json: bool = False,
    quiet: bool = False,
) -> int:
    """Segment images: label TIFFs and pictures of the outlines.

    Typical calls:

      instanseg-export run my_model image.tif
      instanseg-export run my_model my_images/ --output results
      instanseg-export run my_model image.tif --polygons geojson roi --table csv
      instanseg-export run my_model/instanseg.pt image.tif --pixel-size 0.25
      instanseg-export run my_model grey.png --channels 1 1 1
      instanseg-export run my_model slide.svs --tiled --tissue --output slide

    Parameters
    ----------
    model
        A package's folder or zip, or the instanseg.pt or model.onnx in it.
    images
        TIFF, OME-TIFF, PNG, JPEG or OME-Zarr; one, several, or folders of them. In tiles also SVS and, with the extra
        openslide, other scanners' slides, or the URL of an OME-Zarr; one at a time.
    recursive
        Take the images in folders inside of folders too.
    options
        See RunOptions.
    json
        Print one JSON document on stdout, and nothing else there.
    quiet
        Print errors only.
    """
    from .run_command import run_command

    return run_command(model, images, options, recursive=recursive, as_json=json, quiet=quiet)


@app.command
def bench(
    models: list[Path],
    /,
    *,
    images: list[Path] | None = None,
    options: Annotated[BenchOptions | None, _FLAT] = None,
    json: bool = False,
    quiet: bool = False,
) -> int:
    """Measure speed and memory of exported models in every runtime of this machine.

    Typical calls:

      instanseg-export bench my_model
      instanseg-export bench my_model --size 2048 --objects 5000 --output speed
      instanseg-export bench upstream.pt my_model --images a.tif

    Parameters
    ----------
    models
        Packages' folders or zips, or exported files. With several, ratios to the first are shown.
    images
        Your own images. Default: the package's samples, or a drawn image if it has none.
    options
        See BenchOptions.
    json
        Print one JSON document on stdout, and nothing else there.
    quiet
        Print errors only.
    """
    from .commands import bench_command

    return bench_command(models, images, options, as_json=json, quiet=quiet)


@app.command
def doctor(*, build_runtimes: bool = False, json: bool = False) -> int:
    """Show what this machine can export and run, and how to install the rest.

    Parameters
    ----------
    build_runtimes
        First build the runtimes that have to be built. Those in Java need a JDK, Maven, a network and a few minutes.
    json
        Print one JSON document.
    """
    from .commands import doctor_command

    return doctor_command(build_runtimes=build_runtimes, as_json=json)
