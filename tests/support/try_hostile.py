"""Gives hostile files to the product, one after another in this process, and tells how each ended.

    PYTHONPATH=tests python -m support.try_hostile FOLDER [PART OF]

prints a line of JSON per member: its name, how it ended, the seconds, and the memory that reading it took beyond what
the process had. The process may not have more than two gigabytes more than it starts with, and a member that takes five
minutes ends it with the stacks of all threads.
"""

from __future__ import annotations

import faulthandler
import json
import resource
import shutil
import sys
import time
import warnings
from pathlib import Path
from typing import Any

from instanseg_export import build_forward, load_checkpoint
from instanseg_export.errors import InstansegExportError
from instanseg_export.packaging.card_file import load_card
from instanseg_export.packaging.checkpoint_card import default_card
from support import peak
from support.hostile_checkpoints.everything import members
from support.hostile_checkpoints.member import Member
from support.training_runs import write_run

MEMORY = 2 << 30
"""Bytes that a member may ask for, at most; nearly all hostile ones ask for more."""

SECONDS = 300


def _read(member: Member, path: Path) -> None:
    if member.reader == "card":
        load_card(path)
        return
    checkpoint = load_checkpoint(path, spec=member.spec)
    default_card(checkpoint)
    if member.settings:
        build_forward(checkpoint, member.settings)


def attempt(member: Member, folder: Path) -> dict[str, Any]:
    """Build a member and give it to the product."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    path = member.build(folder)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
    before, started = peak.start(), time.perf_counter()
    faulthandler.dump_traceback_later(SECONDS, exit=True)
    try:
        _read(member, path)
        outcome = {"kind": "read", "message": "", "hint": ""}
    except InstansegExportError as error:
        outcome = {"kind": "refused", "error": type(error).__name__, "message": error.message, "hint": error.hint}
    except BaseException as error:
        outcome = {"kind": "defect", "error": type(error).__name__, "message": str(error)[:2000], "hint": ""}
    finally:
        faulthandler.cancel_dump_traceback_later()
    return {
        "name": member.name,
        "harmless": member.harmless,
        "bytes": size,
        "seconds": round(time.perf_counter() - started, 3),
        "memory": peak.taken_since(before),
        **outcome,
    }


def main() -> None:
    folder = Path(sys.argv[1])
    part, parts = (int(sys.argv[2]), int(sys.argv[3])) if len(sys.argv) > 3 else (0, 1)
    warnings.simplefilter("ignore")
    build_forward(load_checkpoint(write_run(folder / "genuine")))  # so that all libraries are there
    most = peak.status("VmSize") + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    for place, member in enumerate(members(folder / "canary")):
        if place % parts == part:
            sys.stdout.write(json.dumps(attempt(member, folder / "member")) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
