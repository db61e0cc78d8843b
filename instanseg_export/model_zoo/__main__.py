"""``python -m instanseg_export.model_zoo FOLDER`` makes the page of a model of the zoo, and the zoo's index."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from ..errors import InstansegExportError, SettingError
from ..plain_text import escaped

__all__ = ["main"]

_DESCRIPTION = """\
Make the README of a model of the zoo from its card and from what was recorded of it, and the index of the zoo.

In the folder are card.yaml and checkpoint.pt, and training.md and recipe.yaml if you like; see docs/model-zoo.md.
Written are README.md and, in the folder above, index.json; with --parity also parity.json, with --evaluate also
evaluation.json and pictures/.
"""

_EXAMPLES = """\
examples:
  python -m instanseg_export.model_zoo model_zoo/nuclei_dsb2018
  python -m instanseg_export.model_zoo model_zoo/nuclei_dsb2018 --parity
  python -m instanseg_export.model_zoo model_zoo/nuclei_dsb2018 --parity \\
      --evaluate dsb2018_train.zip --only split=val --draw-by group
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0 done, 2 an error that a message explains, 130 interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m instanseg_export.model_zoo",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, help="of the model")
    parser.add_argument("--parity", action="store_true", help="export, and record how all runtimes compare")
    parser.add_argument(
        "--evaluate", type=Path, metavar="IMAGES", help="export, and record what is found in a folder or zip of images "
        "and label maps",
    )  # fmt: skip
    parser.add_argument("--only", nargs="+", default=[], metavar="KEY=VALUE", help="what the images' index must say")
    parser.add_argument("--draw-by", metavar="COLUMN", help="column of the index whose images are drawn together")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    given = parser.parse_args(arguments)
    # ONNX Runtime reports to its makers unless it is told not to before it starts.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    with warnings.catch_warnings():
        if not given.debug:
            warnings.simplefilter("ignore")
        return _run(given)


def _run(given: argparse.Namespace) -> int:
    from .make import make

    try:
        written = make(
            given.folder,
            parity=given.parity,
            images=given.evaluate,
            only=_pairs(given.only),
            draw_by=given.draw_by,
            progress=_show,
        )
    except InstansegExportError as error:
        if given.debug:
            raise
        sys.stderr.write(f"error: {error.message}\nhint: {error.hint}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted: nothing was written.\n")
        return 130
    sys.stdout.write(escaped(f"Written: {', '.join(map(str, written))}") + "\n")
    return 0


def _show(what: str, done: int, total: int) -> None:
    sys.stderr.write(escaped(f"[{done}/{total}] {what}") + "\n")


def _pairs(words: Sequence[str]) -> dict[str, str]:
    found = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not (key and equals):
            raise SettingError(f"--only cannot read {word!r}.", hint="Write it as --only key=value, without spaces.")
        found[key] = value
    return found


if __name__ == "__main__":
    sys.exit(main())
