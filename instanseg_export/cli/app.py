"""The commands and what they take. Nothing heavy is imported before a command runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from .. import __version__

__all__ = ["app"]

Flag = Annotated[bool, Parameter(negative="", show_default=False)]
Many = Annotated[list[str], Parameter(consume_multiple=True, negative="", show_default=False)]
ManyPaths = Annotated[list[Path], Parameter(consume_multiple=True, negative="", show_default=False)]

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
    suppress_keyboard_interrupt=False,
)
app["--help"].group = app["--version"].group = "Parameters"


@app.default
def export(
    checkpoint: Path,
    /,
    *,
    targets: Many = ["torchscript", "onnx"],  # noqa: B006
    output: Path | None = None,
    set_: Annotated[Many, Parameter(name="--set")] = [],  # noqa: B006
    tta: Flag = False,
    spec: Many = [],  # noqa: B006
    card: Path | None = None,
    samples: ManyPaths = [],  # noqa: B006
    precision: Many = ["fp32"],  # noqa: B006
    calibrate: Path | None = None,
    labelled: Path | None = None,
    allow_loss: Flag = False,
    overwrite: Flag = False,
    validate: Annotated[bool, Parameter(show_default=False)] = True,
    json: Flag = False,
    quiet: Flag = False,
) -> int:
    """Export a checkpoint (the default command).

    Parameters
    ----------
    checkpoint
        A training run's folder, its model_weights.pth, a checkpoint.pt or .safetensors, or an instanseg.pt.
    targets
        Formats to write: torchscript (QuPath, Fiji, PyTorch) and onnx (ONNX Runtime everywhere). Default: both.
    output
        Folder of the package; its zip and the report are put inside. Default: a folder named after the model.
    set_
        Settings to bake in, as in --set seed_threshold=0.6 min_size=30.
    tta
        Bake in test-time augmentation: more objects are found right, in eight times the time.
    spec
        What the checkpoint's files do not say or say wrongly, as in --spec pixel_size=0.5.
    card
        Name, authors, licence and citation of the model. Default: the card.yaml beside the checkpoint, if any.
    samples
        Images that show the model at work: cover, test tensors, comparison of runtimes.
    precision
        Of the ONNX files: fp32 (always written), fp16 and int8 (faster on CPUs). Each must find what fp32 finds.
    calibrate
        Folder of images that int8 learns its ranges from, and that precisions are compared on. Default: the samples.
    labelled
        Folder of images with true label maps (subfolders images and labels) to judge precisions on.
    allow_loss
        Package fp16 and int8 files even if they lose more than the tolerance.
    overwrite
        Replace an existing output of this tool, if nothing in it was added or changed.
    validate
        Compare the files in every runtime at the end.
    json
        Print one JSON document on stdout, and nothing else there.
    quiet
        Print errors only.
    """
    from .commands import export_command

    return export_command(
        checkpoint,
        targets=targets,
        output=output,
        settings=set_,
        tta=tta,
        spec=spec,
        card=card,
        samples=samples,
        precision=precision,
        calibrate=calibrate,
        labelled=labelled,
        allow_loss=allow_loss,
        overwrite=overwrite,
        validate=validate,
        as_json=json,
        quiet=quiet,
    )


@app.command
def inspect(
    path: Path,
    /,
    *,
    spec: Many = [],  # noqa: B006
    json: Flag = False,
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
    images: ManyPaths = [],  # noqa: B006
    channels: Many = [],  # noqa: B006
    runtimes: Many = [],  # noqa: B006
    output: Path | None = None,
    device: str = "cpu",
    set_: Annotated[Many, Parameter(name="--set")] = [],  # noqa: B006
    time_limit: float = 120.0,
    trust: Flag = False,
    overwrite: Flag = False,
    json: Flag = False,
    quiet: Flag = False,
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
    channels
        Channels of your images that the model sees, by number from 1 or by name, in the model's order. Default: all.
    runtimes
        Runtimes to compare (instanseg-export doctor lists them). Default: all that are here.
    output
        Folder for report.json, report.md and report.html.
    device
        cpu, cuda, cuda:1 or mps.
    set_
        Settings to override at run time, as in --set seed_threshold=0.6.
    time_limit
        Seconds that a runtime may take for one image.
    trust
        Run TorchScript files that instanseg-export did not write. Such a file can read and write your files.
    overwrite
        Replace an existing output of this tool, if nothing in it was added or changed.
    json
        Print one JSON document on stdout, and nothing else there.
    quiet
        Print errors only; the exit status tells whether the runtimes agree.
    """
    from .commands import validate_command

    return validate_command(
        path,
        images=images,
        channels=channels,
        runtimes=runtimes,
        output=output,
        device=device,
        settings=set_,
        time_limit=time_limit,
        trust=trust,
        overwrite=overwrite,
        as_json=json,
        quiet=quiet,
    )


@app.command
def run(
    model: Path,
    images: list[Path],
    /,
    *,
    recursive: Flag = False,
    output: Path | None = None,
    pixel_size: float | None = None,
    channels: Many = [],  # noqa: B006
    region: Annotated[tuple[int, int, int, int] | None, Parameter(negative="", show_default=False)] = None,
    set_: Annotated[Many, Parameter(name="--set")] = [],  # noqa: B006
    polygons: Many = [],  # noqa: B006
    table: str | None = None,
    device: str = "cpu",
    runtime: str | None = None,
    trust: Flag = False,
    ignore_memory: Flag = False,
    overwrite: Flag = False,
    json: Flag = False,
    quiet: Flag = False,
) -> int:
    """Segment images: label TIFFs and pictures of the outlines.

    Typical calls:

      instanseg-export run my_model image.tif
      instanseg-export run my_model my_images/ --output results
      instanseg-export run my_model image.tif --polygons geojson roi --table csv
      instanseg-export run my_model/instanseg.pt image.tif --pixel-size 0.25
      instanseg-export run my_model grey.png --channels 1 1 1

    Parameters
    ----------
    model
        A package's folder or zip, or the instanseg.pt or model.onnx in it.
    images
        TIFF, OME-TIFF, PNG, JPEG or OME-Zarr; one, several, or folders of them.
    recursive
        Take the images in folders inside of folders too.
    output
        Folder of the results. Default: the current folder.
    pixel_size
        Of the image, in micrometres, if the file does not say or is wrong. The image is rescaled for the model.
    channels
        Channels that the model sees, by number from 1 or by name, in the model's order. Default: all.
    region
        X Y WIDTH HEIGHT of the part to segment, in pixels of the image. Default: all of it.
    set_
        Settings to override, as in --set seed_threshold=0.6.
    polygons
        Write outlines too: geojson (for QuPath), roi (for ImageJ and Fiji).
    table
        Write a row for each object (area, centroid, intensities): csv or parquet.
    device
        cpu, cuda, cuda:1 or mps.
    runtime
        What runs the model (instanseg-export doctor lists them). Default: one that fits.
    trust
        Run a TorchScript file that instanseg-export did not write. Such a file can read and write your files.
    ignore_memory
        Go on where memory does not seem to suffice.
    overwrite
        Replace existing results of this tool for the same image, if they were not changed.
    json
        Print one JSON document on stdout, and nothing else there.
    quiet
        Print errors only.
    """
    from .run_command import run_command

    return run_command(
        model,
        images,
        recursive=recursive,
        output=output,
        pixel_size=pixel_size,
        channels=channels,
        region=region,
        settings=set_,
        polygons=polygons,
        table=table,
        device=device,
        runtime=runtime,
        trust=trust,
        ignore_memory=ignore_memory,
        overwrite=overwrite,
        as_json=json,
        quiet=quiet,
    )


@app.command
def bench(
    models: list[Path],
    /,
    *,
    images: ManyPaths = [],  # noqa: B006
    channels: Many = [],  # noqa: B006
    size: int | None = None,
    objects: int | None = None,
    runtimes: Many = [],  # noqa: B006
    threads: int | None = None,
    turns: int = 3,
    device: str = "cpu",
    set_: Annotated[Many, Parameter(name="--set")] = [],  # noqa: B006
    time_limit: float = 600.0,
    output: Path | None = None,
    trust: Flag = False,
    overwrite: Flag = False,
    json: Flag = False,
    quiet: Flag = False,
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
    channels
        Channels of your images that the model sees, by number from 1 or by name, in the model's order. Default: all.
    size
        Draw an image of crowded nuclei, of so many pixels in height and width.
    objects
        About how many nuclei to draw.
    runtimes
        Runtimes to measure (instanseg-export doctor lists them). Default: all that are here.
    threads
        For each runtime. Default: all cores, or what OMP_NUM_THREADS says.
    turns
        Counted runs of each row, in turns, each in a fresh process that has warmed up.
    device
        cpu, cuda, cuda:1 or mps.
    set_
        Settings to override at run time, as in --set seed_threshold=0.6.
    time_limit
        Seconds that a runtime may take for one image in one turn, warming up included.
    output
        Folder for bench.json and a bar chart, bench.png.
    trust
        Run TorchScript files that instanseg-export did not write. Such a file can read and write your files.
    overwrite
        Replace an existing output of this tool, if nothing in it was added or changed.
    json
        Print one JSON document on stdout, and nothing else there.
    quiet
        Print errors only.
    """
    from .commands import bench_command

    return bench_command(
        models,
        images=images,
        channels=channels,
        size=size,
        objects=objects,
        runtimes=runtimes,
        threads=threads,
        turns=turns,
        device=device,
        settings=set_,
        time_limit=time_limit,
        output=output,
        trust=trust,
        overwrite=overwrite,
        as_json=json,
        quiet=quiet,
    )


@app.command
def doctor(*, build_runtimes: Flag = False, json: Flag = False) -> int:
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
