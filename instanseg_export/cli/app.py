"""The program: its help, and the verbs as its commands."""

from __future__ import annotations

from cyclopts import App, Parameter

from .. import __version__
from .verbs import VERBS, export

__all__ = ["app"]

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
  instanseg-export evaluate my_model images/ labels/ --output evaluation
  instanseg-export export-server my_model --output server
  instanseg-export serve my_model
  instanseg-export publish my_model --to bioimageio --dry-run

Exit status: 0 all is well; 1 runtimes disagree, a precision loses too much, or
evaluate could not segment an image; 2 the input, an option or the machine is at
fault; 70 a defect of this program (--debug shows the traceback); 129, 130 or
143 interrupted.
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

app.default(export)
for name, verb in VERBS.items():
    app.command(verb, name=name)
